// No reader needs 64 MiB for files of a few kilobytes: who allocates before checking fails in tests that include this header. It replaces
// the program's operator new, so only one file of a program may include it.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {
constexpr std::size_t allocation_limit = std::size_t{64} << 20;
std::size_t refused_allocations = 0;
}  // namespace

// Not inlined: GCC would see malloc meet delete and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
    void* memory = size > allocation_limit ? nullptr : std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) {
        ++refused_allocations;
        throw std::bad_alloc();
    }
    return memory;
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    if (size > allocation_limit) ++refused_allocations;
    return size > allocation_limit ? nullptr : std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
