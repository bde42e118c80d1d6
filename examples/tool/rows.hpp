// Walks over a tensor in chunks of whole rows, so that memory stays small whatever the size of the tensor.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <nibble/algo/executor.hpp>
#include <nibble/base/aligned_buffer.hpp>
#include <nibble/tensor/shape.hpp>
#include <span>
#include <string_view>

#include "convert.hpp"
#include "failure.hpp"
#include "model.hpp"

namespace tool {

/// Some rows of one matrix of a tensor.
struct chunk {
    std::size_t matrix;  ///< which one, in a tensor of three or four dimensions
    nibble::shape shape;
    std::span<const std::byte> packed;
};

/// Calls fn(chunk) for all rows in order; a chunk holds about 2 million floats, at least 16 rows where there are so many.
template <class Fn>
void for_each_chunk(const tensor_info& t, Fn&& fn) {
    if (t.elements() == 0) return;
    const auto cols = static_cast<std::size_t>(t.cols()), rows = static_cast<std::size_t>(t.shape[1]);
    const std::size_t bytes = row_bytes(t.type, cols), step = std::max<std::size_t>(16, (std::size_t{1} << 21) / cols);
    std::size_t at = 0;
    for (std::size_t matrix = 0; matrix < t.shape[2] * t.shape[3]; ++matrix) {
        for (std::size_t row = 0; row < rows; row += step) {
            const std::size_t here = std::min(step, rows - row);
            fn(chunk{matrix, {here, cols}, t.data.subspan(at, here * bytes)});
            at += here * bytes;
        }
    }
}

/// Memory that grows and is used again.
class scratch {
public:
    std::span<std::byte> bytes(std::size_t size) {
        if (memory_.size() < size) memory_ = check(nibble::aligned_buffer::make(size), "memory");
        return memory_.bytes().first(size);
    }
    std::span<float> floats(std::size_t count) { return {reinterpret_cast<float*>(bytes(count * sizeof(float)).data()), count}; }

private:
    nibble::aligned_buffer memory_;
};

/// The floats of a chunk: decoded into `memory`, or where they lie in the file if they are floats already.
inline std::span<const float> floats_of(const chunk& c, std::uint32_t type, scratch& memory, nibble::executor threads,
                                        std::string_view about) {
    const std::size_t count = c.shape.elements();
    const bool aligned = reinterpret_cast<std::uintptr_t>(c.packed.data()) % alignof(float) == 0;
    if (type == 0 && aligned) return {reinterpret_cast<const float*>(c.packed.data()), count};
    const auto values = memory.floats(count);
    check(decode(type, c.packed, c.shape, values, threads), about);
    return values;
}

}  // namespace tool
