// An opt-in pool of std::threads that an application can share between calls. Not part of nibble.hpp: include it where you want it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include "nibble/algo/executor.hpp"

NIBBLE_BASELINE_BEGIN

/// Threads that wait for work: `nibble::thread_pool pool(8); options.threads = pool;`. The calling thread works too, so a pool of n
/// starts n - 1 threads; if the system refuses some, the pool is smaller. One call runs at a time, others wait for their turn.
/// A piece must not call the pool again.
class thread_pool {
public:
    /// @param count threads including the caller; 0: as many as the machine has
    explicit thread_pool(std::size_t count = 0) noexcept {
        if (count == 0) count = std::thread::hardware_concurrency();
        if (count > 1024) count = 1024;
        for (std::size_t i = 1; i < count; ++i) {
#if defined(__cpp_exceptions)
            try {
                workers_.emplace_back([this] { work(); });
            } catch (...) {
                break;
            }
#else
            workers_.emplace_back([this] { work(); });
#endif
        }
    }
    ~thread_pool() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        for (auto& worker : workers_) worker.join();
    }
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;

    /// Threads that work at once, the caller included.
    std::size_t concurrency() const noexcept { return workers_.size() + 1; }

    /// Calls piece(i) for each i in 0 .. count - 1 and returns when all are done.
    void operator()(std::size_t count, task piece) {
        const std::lock_guard turn(turn_);
        {
            const std::lock_guard lock(mutex_);
            piece_ = &piece;
            count_ = count;
            next_.store(0, std::memory_order_relaxed);
            busy_ = workers_.size();
            ++round_;
        }
        wake_.notify_all();
        take(piece, count);
        std::unique_lock lock(mutex_);
        done_.wait(lock, [this] { return busy_ == 0; });
    }

private:
    void take(const task& piece, std::size_t count) {
        for (std::size_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count;) piece(i);
    }
    void work() {
        std::size_t seen = 0;
        std::unique_lock lock(mutex_);
        for (;;) {
            wake_.wait(lock, [&] { return stopping_ || round_ != seen; });
            if (stopping_) return;
            seen = round_;
            const task piece = *piece_;
            const std::size_t count = count_;
            lock.unlock();
            take(piece, count);
            lock.lock();
            if (--busy_ == 0) done_.notify_one();
        }
    }

    std::mutex turn_, mutex_;
    std::condition_variable wake_, done_;
    std::vector<std::thread> workers_;
    const task* piece_ = nullptr;
    std::size_t count_ = 0, busy_ = 0, round_ = 0;
    std::atomic<std::size_t> next_{0};
    bool stopping_ = false;
};

NIBBLE_BASELINE_END
