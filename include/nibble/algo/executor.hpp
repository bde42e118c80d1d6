// Who runs the pieces of an operation. nibble starts no thread of its own accord: the default runs everything in the calling thread.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <type_traits>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"

NIBBLE_NAMESPACE_BEGIN

/// One piece of work: call it with an index. Refers to the caller's stack; valid until the executor returns.
class task {
public:
    /// Refers to `fn`.
    template <class Fn>
        requires(!std::same_as<std::remove_cvref_t<Fn>, task>)
    NIBBLE_INLINE explicit task(Fn& fn) noexcept
        : context_(const_cast<void*>(static_cast<const void*>(__builtin_addressof(fn)))),
          call_([](void* context, std::size_t i) { (*static_cast<Fn*>(context))(i); }) {}
    /// Does piece i.
    NIBBLE_INLINE void operator()(std::size_t i) const { call_(context_, i); }

private:
    void* context_;
    void (*call_)(void*, std::size_t);
};

/// Refers to a callable `run(std::size_t count, nibble::task piece)` that calls piece(i) once for each i in 0 .. count - 1, in any
/// order, from any threads, and returns when all are done. The callable must outlive the executor. OpenMP plugs in so:
///
///     auto openmp = [](std::size_t n, nibble::task piece) {
///         #pragma omp parallel for schedule(dynamic)
///         for (std::size_t i = 0; i < n; ++i) piece(i);
///     };
///     nibble::gemv(w, x, y, openmp);
///
/// If it has `concurrency()`, that many threads are expected; else 16.
class executor {
public:
    /// Runs everything in the calling thread.
    NIBBLE_INLINE constexpr executor() noexcept = default;

    /// Refers to `run`, which must outlive every call that gets this executor.
    template <class Run>
        requires(!std::same_as<std::remove_cvref_t<Run>, executor> && !std::is_function_v<std::remove_reference_t<Run>> &&
                 std::invocable<Run&, std::size_t, task>)
    NIBBLE_INLINE executor(Run&& run) noexcept  // NOLINT(google-explicit-constructor)
        : context_(const_cast<void*>(static_cast<const void*>(__builtin_addressof(run)))),
          call_([](void* context, std::size_t count, task piece) { (*static_cast<std::remove_reference_t<Run>*>(context))(count, piece); }) {
        if constexpr (requires { static_cast<std::size_t>(run.concurrency()); }) {
            const auto wanted = static_cast<std::size_t>(run.concurrency());
            concurrency_ = wanted == 0 ? 1 : wanted < most_threads ? wanted : most_threads;
        } else {
            concurrency_ = usual_threads;
        }
    }

    /// Calls a function, which is no object that could be referred to.
    NIBBLE_INLINE executor(void (*run)(std::size_t, task)) noexcept  // NOLINT(google-explicit-constructor)
        : context_(reinterpret_cast<void*>(run)),
          call_([](void* context, std::size_t count, task piece) { reinterpret_cast<void (*)(std::size_t, task)>(context)(count, piece); }),
          concurrency_(usual_threads) {}

    /// Threads that may work at once; 1 means serial.
    NIBBLE_INLINE std::size_t concurrency() const noexcept { return concurrency_; }

    /// Calls fn(i) once for each i in 0 .. count - 1 and returns when all are done.
    template <class Fn>
    NIBBLE_INLINE void operator()(std::size_t count, Fn&& fn) const {
        if (call_ == nullptr || count <= 1) {
            for (std::size_t i = 0; i < count; ++i) fn(i);
        } else {
            call_(context_, count, task(fn));
        }
    }

private:
    static constexpr std::size_t usual_threads = 16;   // of what does not say how many it has
    static constexpr std::size_t most_threads = 4096;  // what exceeds it is a mistake, such as -1

    void* context_ = nullptr;
    void (*call_)(void*, std::size_t, task) = nullptr;
    std::size_t concurrency_ = 1;
};

namespace detail {
/// Splits 0 .. count - 1 into ranges whose length is a multiple of `step`, enough of them to balance, and runs fn(first, last).
/// @return errc::executor_failed if the executor threw, or ran more or fewer pieces than there are
template <class Fn>
NIBBLE_INLINE status for_ranges(const executor& threads, std::size_t count, std::size_t step, Fn&& fn) noexcept {
    const std::size_t steps = count / step + (count % step != 0 ? 1 : 0);
    if (threads.concurrency() == 1 || steps <= 1) {
        if (count != 0) fn(std::size_t{0}, count);
        return {};
    }
    const std::size_t wanted = 8 * threads.concurrency();
    const std::size_t length = (steps + wanted - 1) / wanted * step;
    const std::size_t pieces = count / length + (count % length != 0 ? 1 : 0);
    std::atomic<std::size_t> done{0};
    const auto piece = [&](std::size_t i) {
        if (i < pieces) {
            const std::size_t first = i * length;
            fn(first, count - first < length ? count : first + length);
        }
        done.fetch_add(1, std::memory_order_relaxed);
    };
#if defined(__cpp_exceptions)
    try {
        threads(pieces, piece);
    } catch (...) {
        return errc::executor_failed;
    }
#else
    threads(pieces, piece);
#endif
    return done.load(std::memory_order_relaxed) == pieces ? status() : status(errc::executor_failed);
}
}  // namespace detail

NIBBLE_NAMESPACE_END
