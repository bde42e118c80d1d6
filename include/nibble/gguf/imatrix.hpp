// Importance files ("imatrix"): how much each column of each matrix matters, as llama.cpp measures and stores it. Both of its forms:
// GGUF, and the older .dat without a signature. A weight is the mean square of what was multiplied with the column.
//
//     auto file = nibble::gguf::mapped_file::open("imatrix.gguf");
//     auto importance = nibble::gguf::imatrix::read(file->bytes());
//     if (const auto* e = importance->find("blk.0.ffn_down.weight")) e->weights(memory);   // memory: e->size floats
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/growing.hpp"
#include "nibble/file/name_table.hpp"
#include "nibble/gguf/reader.hpp"
#include "nibble/gguf/text.hpp"
#include "nibble/gguf/value.hpp"

NIBBLE_BASELINE_BEGIN
namespace gguf {

/// The importance of one matrix, or of a stack of matrices (experts). Views into the file.
struct imatrix_entry {
    std::string_view name{};              ///< of the weights, e.g. "blk.0.ffn_down.weight"
    std::size_t size = 0;                 ///< weights: columns times matrices
    std::span<const std::byte> sums{};    ///< `size` floats at any address
    std::span<const std::byte> counts{};  ///< how often each matrix was used, as floats; empty in the older form
    std::int32_t calls = 0;               ///< the older form's divisor; 0 or less: none

    /// Writes the weights. A matrix that was never used gets 1 everywhere, which is neutral. @param out `size` floats
    void weights(std::span<float> out) const noexcept {
        const std::size_t matrices = counts.size() / sizeof(float);
        const std::size_t cols = matrices == 0 ? size : size / matrices;
        for (std::size_t i = 0; i < size && i < out.size(); ++i) {
            const auto sum = load<float>(sums.data() + i * sizeof(float));
            if (matrices == 0) {
                out[i] = calls > 0 ? sum / static_cast<float>(calls) : sum;
            } else {
                const auto count = load<float>(counts.data() + i / cols * sizeof(float));
                out[i] = count > 0 ? sum / count : 1.0f;
            }
        }
    }
};

/// An importance file. Owns its list; everything else are views into the bytes, which must outlive it.
class imatrix {
    NIBBLE_INLINE auto name_at() const noexcept {
        return [this](std::size_t i) noexcept { return entries_[i].name; };
    }

public:
    /// Reads either form.
    /// @return errc::truncated, errc::bad_string, errc::count_too_large, errc::duplicate_key, errc::bad_shape, errc::bad_magic (a GGUF file
    ///         of another kind), errc::out_of_memory, and what reader::open returns
    static result<imatrix> read(std::span<const std::byte> file) noexcept {
        imatrix m;
        const bool is_gguf = file.size() >= 4 && std::memcmp(file.data(), "GGUF", 4) == 0;
        if (const status s = is_gguf ? m.read_gguf(file) : m.read_older(file); !s) return s;
        return result<imatrix>(std::move(m));
    }

    /// All entries in the order of the file.
    NIBBLE_INLINE std::span<const imatrix_entry> entries() const noexcept { return entries_.view(); }
    /// The entry for a tensor of weights, or nullptr.
    const imatrix_entry* find(std::string_view name) const noexcept {
        const std::size_t at = names_.find(name, name_at());
        return at == name_table::none ? nullptr : &entries_[at];
    }
    /// Pieces of text that were evaluated; 0 if the file does not say.
    NIBBLE_INLINE std::uint32_t chunks() const noexcept { return chunks_; }
    /// The first text that was evaluated; empty if the file does not say.
    NIBBLE_INLINE std::string_view dataset() const noexcept { return dataset_; }

private:
    static constexpr std::string_view sums_suffix = ".in_sum2";
    static constexpr std::string_view counts_suffix = ".counts";

    static status no_memory() noexcept { return {errc::out_of_memory, "no memory for the list of importance entries"}; }

    status add(const imatrix_entry& entry, std::uint64_t where) noexcept {
        if (names_.find(entry.name, name_at()) != name_table::none)
            return {errc::duplicate_key, "a tensor occurs twice in the importance file", where};
        if (!names_.reserve(entries_.size() + 1) || !entries_.push(entry)) return no_memory();
        names_.insert(entry.name, entries_.size() - 1, name_at());
        return {};
    }

    status read_gguf(std::span<const std::byte> file) noexcept {
        const auto header = reader::open(file);
        if (!header) return header.status();
        for (const tensor_info& t : header->tensors()) {
            if (!t.name.ends_with(sums_suffix) || t.name.size() == sums_suffix.size()) continue;
            const std::string_view name = t.name.substr(0, t.name.size() - sums_suffix.size());
            char counts_name[longest_tensor_name];  // the suffix is shorter than the one that it replaces
            std::memcpy(counts_name, name.data(), name.size());
            std::memcpy(counts_name + name.size(), counts_suffix.data(), counts_suffix.size());
            const tensor_info* counts = header->find_tensor({counts_name, name.size() + counts_suffix.size()});
            if (counts == nullptr) return {errc::not_found, "a tensor of the importance file has sums but no counts", t.offset};
            const std::uint64_t size = t.elements(), matrices = counts->elements();
            if (t.type != 0 || counts->type != 0 || size == 0 || matrices == 0 || size % matrices != 0) {
                return {errc::bad_shape, "sums and counts of the importance file are not F32, or do not fit each other", t.offset};
            }
            const imatrix_entry entry{name, static_cast<std::size_t>(size), t.data, counts->data, 0};
            if (const status s = add(entry, t.offset); !s) return s;
        }
        if (entries_.empty())
            return {errc::bad_magic, "a GGUF file without importance (no tensors that end in .in_sum2): probably a model"};
        if (const value_view* v = header->find("imatrix.chunk_count")) chunks_ = static_cast<std::uint32_t>(v->as_u64().value_or(0));
        if (const value_view* v = header->find("imatrix.datasets")) {
            const auto first = v->at(0);
            if (first) dataset_ = first->as_string().value_or(std::string_view());
        }
        return {};
    }

    /// i32 entries; each: i32 length, name, i32 calls, i32 size, floats; then perhaps i32 chunks, i32 length, data set.
    status read_older(std::span<const std::byte> file) noexcept {
        std::size_t at = 0;
        const auto number = [&](std::int32_t& value) noexcept {
            if (file.size() - at < sizeof(value)) return false;
            value = load<std::int32_t>(file.data() + at);
            at += sizeof(value);
            return true;
        };
        const auto text = [&](std::size_t length) noexcept {
            const std::string_view value(reinterpret_cast<const char*>(file.data()) + at, length);
            at += length;
            return value;
        };
        const status cut(errc::truncated, "the importance file ends within an entry: it is truncated, or no importance file", at);
        std::int32_t count = 0;
        if (!number(count)) return cut;
        if (count < 1 || static_cast<std::size_t>(count) > (file.size() - at) / 17) {
            return {errc::count_too_large, "not an importance file: it announces an impossible number of entries"};
        }
        for (std::int32_t i = 0; i < count; ++i) {
            imatrix_entry entry;
            const std::size_t where = at;
            std::int32_t length = 0, size = 0;
            if (!number(length)) return {cut.error(), cut.message(), at};
            if (length < 1 || static_cast<std::size_t>(length) > file.size() - at) {
                return {errc::bad_string, "a name in the importance file has an impossible length: it is damaged, or no importance file",
                        where};
            }
            entry.name = text(static_cast<std::size_t>(length));
            if (!number(entry.calls) || !number(size)) return {cut.error(), cut.message(), at};
            if (size < 1) return {errc::bad_shape, "an entry of the importance file has no weights: it is damaged", where};
            entry.size = static_cast<std::size_t>(size);
            if (entry.size > (file.size() - at) / sizeof(float)) return {cut.error(), cut.message(), at};
            entry.sums = file.subspan(at, entry.size * sizeof(float));
            at += entry.sums.size();
            if (const status s = add(entry, where); !s) return s;
        }
        std::int32_t chunks = 0, length = 0;
        if (!number(chunks)) return {};  // old programs wrote no trailer
        chunks_ = chunks > 0 ? static_cast<std::uint32_t>(chunks) : 0;
        if (!number(length)) return {};
        if (length < 0 || static_cast<std::size_t>(length) > file.size() - at) {
            return {errc::bad_string, "the data set's name in the importance file has an impossible length: it is damaged", at};
        }
        dataset_ = text(static_cast<std::size_t>(length));
        return {};
    }

    growing<imatrix_entry> entries_;
    name_table names_;
    std::string_view dataset_{};
    std::uint32_t chunks_ = 0;
};

}  // namespace gguf
NIBBLE_BASELINE_END
