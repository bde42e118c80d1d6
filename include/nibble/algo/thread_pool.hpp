// An opt-in pool of std::threads that an application can share between calls. Not part of nibble.hpp: include it where you want it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include "nibble/algo/executor.hpp"

NIBBLE_BASELINE_BEGIN

/// Threads that wait for work: `nibble::thread_pool pool(8); options.threads = pool;`. The calling thread works too, so a pool of n
/// starts n - 1 threads; if the system refuses some, the pool is smaller. One call runs at a time, others wait for their turn.
/// A piece must not call the pool again. After a call the threads stay awake for 50 microseconds, because the next one often comes
/// sooner than they would wake.
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
            stopping_.store(true, std::memory_order_relaxed);
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
            busy_.store(workers_.size(), std::memory_order_relaxed);
            round_.fetch_add(1, std::memory_order_release);
        }
        wake_.notify_all();
        take(piece, count);
        const auto is_done = [this] { return busy_.load(std::memory_order_acquire) == 0; };
        if (happens_soon(is_done)) return;
        std::unique_lock lock(mutex_);
        done_.wait(lock, is_done);
    }

private:
    void take(const task& piece, std::size_t count) {
        for (std::size_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count;) piece(i);
    }
    void work() {
        std::size_t seen = 0;
        const auto is_called = [&] { return stopping_.load(std::memory_order_relaxed) || round_.load(std::memory_order_acquire) != seen; };
        for (;;) {
            if (!happens_soon(is_called)) {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, is_called);
            }
            if (stopping_.load(std::memory_order_relaxed)) return;
            seen = round_.load(std::memory_order_acquire);
            const task piece = *piece_;
            take(piece, count_);
            if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
                const std::lock_guard lock(mutex_);  // the caller is either before its look at busy_ or waits already
                done_.notify_one();
            }
        }
    }
    // Sleeping and waking takes tens of microseconds, as long as a small product.
    template <class Condition>
    static bool happens_soon(Condition condition) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(50);
        do {
            if (condition()) return true;
            std::this_thread::yield();
        } while (std::chrono::steady_clock::now() < end);
        return false;
    }

    std::mutex turn_, mutex_;
    std::condition_variable wake_, done_;
    std::vector<std::thread> workers_;
    const task* piece_ = nullptr;
    std::size_t count_ = 0;
    std::atomic<std::size_t> next_{0}, busy_{0}, round_{0};
    std::atomic<bool> stopping_{false};
};

NIBBLE_BASELINE_END
