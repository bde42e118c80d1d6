// A model as it lies on disk: one safetensors file, or several and their index.
//
//     auto model = nibble::safetensors::checkpoint::open("model.safetensors.index.json");
//     for (const auto& shard : model->shards()) for (const auto& t : shard.tensors()) ...
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <utility>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/growing.hpp"
#include "nibble/file/mapped_file.hpp"
#include "nibble/safetensors/index.hpp"
#include "nibble/safetensors/reader.hpp"

NIBBLE_BASELINE_BEGIN
namespace safetensors {

using file::mapped_file;

/// How the files of a checkpoint are opened.
struct checkpoint_options {
    read_options limits = {};  ///< of each file
    /// Also open shards that are symbolic links, as in the cache of the Hugging Face hub. A link in a folder from elsewhere may lead to any
    /// file of this machine, so this is off; the path that the caller names may always be a link.
    bool follow_links = false;
};

/// The open and checked files of one model. Move-only.
class checkpoint {
public:
    /// @param path a safetensors file, or an index (any file that starts with a brace); shards are opened in the folder of the index
    /// @return the errors of mapped_file::open, reader::open and index::read. errc::not_found also if a shard lacks a tensor that the
    ///         index promises, errc::duplicate_key if a shard holds one that the index places elsewhere
    static result<checkpoint> open(const char* path, const checkpoint_options& options = {}) noexcept {
        auto named = mapped_file::open(path);
        if (!named) return named.status();
        checkpoint c;
        const auto bytes = named->bytes();
        const bool is_index = bytes[0] == std::byte{'{'} && (bytes.size() < 9 || bytes[8] != std::byte{'{'});
        const status s = is_index ? c.open_shards(path, std::move(*named), options) : c.open_one(std::move(*named), options);
        if (!s) return s;
        return result<checkpoint>(std::move(c));
    }

    /// Each file, in the order of the index.
    NIBBLE_INLINE std::span<const reader> shards() const noexcept { return {readers_.get(), readers_ == nullptr ? 0 : count_}; }
    /// The name of the file of a shard in the index; empty if the model is one file.
    NIBBLE_INLINE std::string_view file_of(std::size_t shard) const noexcept {
        return sharded_ ? index_.files()[shard] : std::string_view();
    }
    /// Bytes of all safetensors files together.
    NIBBLE_INLINE std::uint64_t file_bytes() const noexcept {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < shards().size(); ++i) sum += files_[i].bytes().size();
        return sum;
    }
    /// The tensor of that name, or nullptr.
    const tensor_info* find_tensor(std::string_view name) const noexcept {
        if (shards().empty()) return nullptr;  // nothing was opened, or it was moved
        if (!sharded_) return readers_[0].find_tensor(name);
        const index_entry* entry = index_.find(name);
        return entry == nullptr ? nullptr : readers_[entry->shard].find_tensor(name);
    }

private:
    static status no_memory() noexcept { return {errc::out_of_memory, "no memory for the files of the model"}; }

    bool make_room(std::size_t count) noexcept {
        files_.reset(new (std::nothrow) mapped_file[count]);
        readers_.reset(new (std::nothrow) reader[count]);
        count_ = count;
        return files_ != nullptr && readers_ != nullptr;
    }
    status read(std::size_t shard, mapped_file file, const checkpoint_options& options) noexcept {
        files_[shard] = std::move(file);
        auto opened = reader::open(files_[shard].bytes(), options.limits);
        if (!opened) return opened.status();
        readers_[shard] = std::move(*opened);
        return {};
    }
    status open_one(mapped_file file, const checkpoint_options& options) noexcept {
        return make_room(1) ? read(0, std::move(file), options) : no_memory();
    }

    status open_shards(std::string_view path, mapped_file file, const checkpoint_options& options) noexcept {
        index_file_ = std::move(file);
        auto read_index = index::read(index_file_.bytes(), options.limits);
        if (!read_index) return read_index.status();
        index_ = std::move(*read_index);
        sharded_ = true;
        const auto names = index_.files();
        if (!make_room(names.size())) return no_memory();
        std::size_t folder = path.size();
        while (folder != 0 && path[folder - 1] != '/' && (NIBBLE_POSIX_FILES || path[folder - 1] != '\\')) --folder;
        growing<char> place;
        for (std::size_t i = 0; i < names.size(); ++i) {
            place.shrink(0);
            if (!place.append(path.data(), folder) || !place.append(names[i].data(), names[i].size()) || !place.push('\0'))
                return no_memory();
            auto opened = mapped_file::open(place.data(), options.follow_links ? file::links::follow : file::links::refuse);
            if (opened.error() == errc::not_found)
                return {errc::not_found, "a file that the index names is missing: fetch all files of the model"};
            if (!opened) return opened.status();
            if (const status s = read(i, std::move(*opened), options); !s) return s;
        }
        return check_index();
    }

    /// The index and its files must agree about every tensor.
    status check_index() const noexcept {
        for (const index_entry& e : index_.entries()) {
            if (readers_[e.shard].find_tensor(e.tensor) == nullptr) {
                return {errc::not_found, "a file of the model lacks a tensor that the index promises: fetch all files again"};
            }
        }
        for (std::size_t i = 0; i < count_; ++i) {
            for (const tensor_info& t : readers_[i].tensors()) {
                const index_entry* e = index_.find(t.name);
                if (e == nullptr)
                    return {errc::not_found, "a file of the model holds a tensor that the index does not know: fetch all files again"};
                if (e->shard != i) return {errc::duplicate_key, "two files of the model hold the same tensor: fetch all files again"};
            }
        }
        return {};
    }

    mapped_file index_file_;
    index index_;
    std::unique_ptr<mapped_file[]> files_;
    std::unique_ptr<reader[]> readers_;
    std::size_t count_ = 0;
    bool sharded_ = false;
};

}  // namespace safetensors
NIBBLE_BASELINE_END
