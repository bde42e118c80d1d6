// model.safetensors.index.json: which of several files holds which tensor.
//
//     {"metadata": {"total_size": 123}, "weight_map": {"lm_head.weight": "model-00001-of-00002.safetensors", ...}}
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/growing.hpp"
#include "nibble/file/name_table.hpp"
#include "nibble/file/sink.hpp"
#include "nibble/safetensors/header.hpp"
#include "nibble/safetensors/json.hpp"
#include "nibble/safetensors/reader.hpp"

NIBBLE_BASELINE_BEGIN
namespace safetensors {

/// True for the plain name of a file next to the index: no path, no drive, nothing hidden, no control character.
inline bool is_plain_file_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > 255 || name[0] == '.') return false;
    for (const char c : name) {
        if (static_cast<unsigned char>(c) < 0x20 || c == '/' || c == '\\' || c == ':' || c == '\x7F') return false;
    }
    return true;
}

/// Files that one model may consist of.
inline constexpr std::size_t most_shards = 10'000;

/// A tensor and the file that holds it.
struct index_entry {
    std::string_view tensor{};  ///< its name
    std::string_view file{};    ///< a plain file name
    std::size_t shard = 0;      ///< position in index::files()
};

/// The index of a model in several files. It owns its lists; names are views into it or into the bytes, which must outlive it.
class index {
    // Deduced types must be known before their use.
    NIBBLE_INLINE auto entry_at() const noexcept {
        return [this](std::size_t i) noexcept { return entries_[i].tensor; };
    }
    NIBBLE_INLINE auto file_at() const noexcept {
        return [this](std::size_t i) noexcept { return files_[i]; };
    }

public:
    /// Checks and reads the text of an index. Only plain file names are accepted: an index cannot name a file elsewhere.
    /// @param options limits: the length of the text and the number of tensors
    /// @return errc::bad_json, bad_utf8, unsupported_nesting, duplicate_key, bad_string (a file name that is more than a name, or a tensor
    ///         name over 64 KiB), count_too_large, out_of_memory
    static result<index> read(std::span<const std::byte> text, read_options options = {}) noexcept {
        index found;
        if (const status s = found.parse({reinterpret_cast<const char*>(text.data()), text.size()}, options); !s) return s;
        return result<index>(std::move(found));
    }

    /// In the order of the file.
    NIBBLE_INLINE std::span<const index_entry> entries() const noexcept { return entries_.view(); }
    /// Every file once, in the order of their first appearance.
    NIBBLE_INLINE std::span<const std::string_view> files() const noexcept { return files_.view(); }
    /// Where a tensor is, or nullptr. Constant time.
    const index_entry* find(std::string_view tensor) const noexcept {
        const std::size_t at = tensors_.find(tensor, entry_at());
        return at == name_table::none ? nullptr : &entries_[at];
    }

private:
    static status no_memory() noexcept { return {errc::out_of_memory, "no memory for the index"}; }

    status parse(std::string_view text, const read_options& options) noexcept {
        if (text.size() > options.max_header) return {errc::count_too_large, "the index is longer than read_options::max_header allows"};
        json_cursor json(text, unescaped_);
        if (const status s = json.check_utf8(); !s) return s;
        if (const status s = json.expect('{', "the index is not a JSON object"); !s) return s;
        bool more = false, has_map = false, has_metadata = false;
        for (bool first = true;; first = false) {
            if (const status s = json.next('}', first, more); !s) return s;
            if (!more) break;
            const std::uint64_t where = json.where();
            std::string_view key;
            if (const status s = json.key(key); !s) return s;
            if ((key == "weight_map" && std::exchange(has_map, true)) || (key == "metadata" && std::exchange(has_metadata, true))) {
                return {errc::duplicate_key, "a key of the index occurs twice", where};
            }
            const status s = key == "weight_map" ? parse_map(json, options) : json.skip_value();
            if (!s) return s;
        }
        if (!has_map) return json.error("the index has no weight_map");
        return json.end(true);
    }

    status parse_map(json_cursor& json, const read_options& options) noexcept {
        if (const status s = json.expect('{', "weight_map is not an object"); !s) return s;
        bool more = false;
        for (bool first = true;; first = false) {
            if (const status s = json.next('}', first, more); !s || !more) return s;
            const std::uint64_t where = json.where();
            index_entry entry;
            if (const status s = json.key(entry.tensor); !s) return s;
            if (entry.tensor.size() > longest_name) return {errc::bad_string, "a tensor name is longer than 64 KiB", where};
            if (tensors_.find(entry.tensor, entry_at()) != name_table::none)
                return {errc::duplicate_key, "a tensor name occurs twice", where};
            const std::uint64_t file_where = json.where();
            std::string_view file;
            if (const status s = json.string(file); !s) return s;
            if (!is_plain_file_name(file)) {
                return {errc::bad_string, "the index names something else than a file next to it: it is damaged or hostile", file_where};
            }
            if (entries_.size() >= options.max_tensors) {
                return {errc::count_too_large, "more tensors than read_options::max_tensors allows", where};
            }
            entry.shard = names_.find(file, file_at());
            if (entry.shard == name_table::none) {
                entry.shard = files_.size();
                if (entry.shard == most_shards) return {errc::count_too_large, "the index names more than 10000 files", file_where};
                if (!names_.reserve(files_.size() + 1) || !files_.push(file)) return no_memory();
                names_.insert(file, entry.shard, file_at());
            }
            entry.file = files_[entry.shard];
            if (!tensors_.reserve(entries_.size() + 1) || !entries_.push(entry)) return no_memory();
            tensors_.insert(entry.tensor, entries_.size() - 1, entry_at());
        }
    }

    growing<char> unescaped_;
    growing<index_entry> entries_;
    growing<std::string_view> files_;
    name_table tensors_, names_;
};

/// Writes an index in the order of `entries`, of which `tensor` and `file` count.
/// @param total_size bytes of the data of all tensors
/// @return errc::bad_utf8, errc::bad_string (see is_plain_file_name), errc::out_of_memory, and the errors of the sink
template <sink S>
status write_index(S& to, std::span<const index_entry> entries, std::uint64_t total_size) noexcept {
    using internal::append;
    growing<char> out;
    bool done = append(out, "{\n  \"metadata\": {\n    \"total_size\": ") && internal::append_integer(out, total_size) &&
                append(out, "\n  },\n  \"weight_map\": {");
    std::string_view comma = "\n    ";
    for (const index_entry& e : entries) {
        if (!file::is_utf8(e.tensor) || !file::is_utf8(e.file)) return {errc::bad_utf8, "a name for the index is not UTF-8"};
        if (!is_plain_file_name(e.file)) return {errc::bad_string, "an index holds names of files next to it, not paths"};
        done = done && append(out, comma) && internal::append_string(out, e.tensor) && append(out, ": ") &&
               internal::append_string(out, e.file);
        comma = ",\n    ";
    }
    done = done && append(out, entries.empty() ? "}\n}\n" : "\n  }\n}\n");
    if (!done) return {errc::out_of_memory, "no memory for the index"};
    return to.write(std::as_bytes(std::span<const char>(out.data(), out.size())));
}

}  // namespace safetensors
NIBBLE_BASELINE_END
