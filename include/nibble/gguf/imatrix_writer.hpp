// Writes importance files in both forms that llama.cpp reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/growing.hpp"
#include "nibble/gguf/header.hpp"
#include "nibble/gguf/writer.hpp"

NIBBLE_BASELINE_BEGIN
namespace gguf {

/// What was measured for one matrix, or for a stack of matrices (experts).
struct imatrix_record {
    std::string_view name{};          ///< of the weights; at most 55 bytes in the GGUF form, which appends ".in_sum2"
    std::span<const float> sums{};    ///< sums of squares, matrix after matrix
    std::span<const float> counts{};  ///< rows that were summed, one number a matrix
};

/// Where the numbers come from.
struct imatrix_origin {
    std::span<const std::string_view> datasets{};  ///< files of text
    std::uint32_t chunks = 0;                      ///< pieces of text that were evaluated
    std::uint32_t chunk_size = 0;                  ///< tokens of a piece
};

namespace detail {
inline status check_records(std::span<const imatrix_record> records) noexcept {
    if (records.empty()) return {errc::invalid_argument, "an importance file needs at least one entry"};
    for (const imatrix_record& r : records) {
        if (r.name.empty()) return {errc::bad_string, "an importance entry needs a name"};
        if (r.counts.empty() || r.sums.empty() || r.sums.size() % r.counts.size() != 0) {
            return {errc::size_mismatch, "an importance entry needs one count for each matrix and a whole number of columns"};
        }
    }
    return {};
}

/// A name with something behind it, as a view.
class joined {
public:
    NIBBLE_INLINE joined(std::string_view a, std::string_view b) noexcept {
        ok_ = text_.append(a.data(), a.size()) && text_.append(b.data(), b.size());
    }
    NIBBLE_INLINE explicit operator bool() const noexcept { return ok_; }
    NIBBLE_INLINE std::string_view text() const noexcept { return {text_.data(), text_.size()}; }

private:
    growing<char> text_;
    bool ok_ = false;
};
}  // namespace detail

/// Writes the GGUF form. @param out a basic_writer to which nothing was given yet; the caller calls finish()
template <class Writer>
status write_imatrix(Writer& out, std::span<const imatrix_record> records, const imatrix_origin& origin) noexcept {
    if (const status s = detail::check_records(records); !s) return s;
    if (const status s = out.set("general.type", std::string_view("imatrix")); !s) return s;
    if (const status s = out.set_array("imatrix.datasets", origin.datasets); !s) return s;
    if (const status s = out.set("imatrix.chunk_count", origin.chunks); !s) return s;
    if (const status s = out.set("imatrix.chunk_size", origin.chunk_size); !s) return s;
    for (const imatrix_record& r : records) {
        const detail::joined sums(r.name, ".in_sum2"), counts(r.name, ".counts");
        if (!sums || !counts) return {errc::out_of_memory, "no memory for a tensor name"};
        const std::uint64_t matrices = r.counts.size();
        if (const status s = out.add_tensor(sums.text(), 0, {r.sums.size() / matrices, matrices}); !s) return s;
        if (const status s = out.add_tensor(counts.text(), 0, {1, matrices}); !s) return s;
    }
    if (const status s = out.begin(); !s) return s;
    for (const imatrix_record& r : records) {
        for (const auto values : {r.sums, r.counts}) {
            if (const status s = out.write(std::as_bytes(values)); !s) return s;
            if (const status s = out.end_tensor(); !s) return s;
        }
    }
    return {};
}

/// Writes the older form to a sink. It has one data set and no counts: matrices that were never used get neutral weights.
template <sink S>
status write_older_imatrix(S& to, std::span<const imatrix_record> records, const imatrix_origin& origin) noexcept {
    if (const status s = detail::check_records(records); !s) return s;
    const auto calls = static_cast<std::int32_t>(origin.chunks > 0 ? origin.chunks : 1);
    growing<std::byte> out;
    const auto put = [&](const void* from, std::size_t size) noexcept { return out.append(static_cast<const std::byte*>(from), size); };
    const auto number = [&](std::size_t value) noexcept {
        stored<std::int32_t> bytes;
        bytes.set(static_cast<std::int32_t>(value));
        return put(bytes.bytes, sizeof(bytes));
    };
    bool done = number(records.size());
    for (const imatrix_record& r : records) {
        const std::size_t cols = r.sums.size() / r.counts.size();
        done = done && number(r.name.size()) && put(r.name.data(), r.name.size()) && number(static_cast<std::size_t>(calls)) &&
               number(r.sums.size());
        for (std::size_t i = 0; done && i < r.sums.size(); ++i) {
            const float count = r.counts[i / cols];
            stored<float> bytes;
            bytes.set((count > 0 ? r.sums[i] / count : 1.0f) * static_cast<float>(calls));
            done = put(bytes.bytes, sizeof(bytes));
        }
    }
    const std::string_view dataset = origin.datasets.empty() ? std::string_view() : origin.datasets[0];
    done = done && number(origin.chunks) && number(dataset.size()) && put(dataset.data(), dataset.size());
    return done ? to.write(out.view()) : status(errc::out_of_memory, "no memory for the importance file");
}

}  // namespace gguf
NIBBLE_BASELINE_END
