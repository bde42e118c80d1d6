// A file that appears whole or not at all.
//
// The bytes go into a temporary file `.<name>.part-<random>` next to the target, and commit() renames it over the target. Until then
// nothing happens to an existing target; without commit() the temporary disappears with its object. A leftover after a crash is
// recognisable by its name.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <span>
#include <string_view>
#include <utility>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/growing.hpp"
#include "nibble/file/system_error.hpp"

#if NIBBLE_POSIX_FILES
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

NIBBLE_BASELINE_BEGIN
namespace file {

/// How a file is written.
struct write_options {
    /// Paths of files that are read at the same time. A target that is one of them, by whatever path or link, is refused.
    std::span<const char* const> inputs = {};
    bool sync = true;        ///< ask the disk to keep the file before commit() returns; off is faster and safe against all but power loss
    bool streaming = false;  ///< the target may be a pipe or device; such a one is written directly, and what was written stays
};

/// The sink of a writer. Move-only. All errors are errc::cannot_write with the cause, but for a null path and for missing memory.
class atomic_file {
public:
    NIBBLE_INLINE atomic_file() noexcept = default;
    /// Leaves `other` without a file.
    NIBBLE_INLINE atomic_file(atomic_file&& other) noexcept { swap(other); }
    /// Removes the temporary file that this one had, and leaves `other` without a file.
    NIBBLE_INLINE atomic_file& operator=(atomic_file&& other) noexcept {
        atomic_file taken(std::move(other));
        swap(taken);
        return *this;
    }
    NIBBLE_INLINE ~atomic_file() { discard(); }

    /// Creates the temporary file, so that a bad path or a missing permission shows before any work is done. The mode of an existing
    /// target is kept, its owner is not. A symbolic link is resolved here, once: commit() replaces the file that it names.
    static result<atomic_file> create(const char* path, const write_options& options = {}) noexcept {
        if (path == nullptr) return status(errc::invalid_argument, "the path is a null pointer");
        if (*path == '\0') return status(errc::cannot_write, "the path is empty: name a file");
        atomic_file file;
        file.sync_ = options.sync;
        if (const status s = file.prepare(path, options); !s) return s;
        return result<atomic_file>(std::move(file));
    }

    /// Appends bytes. After an error nothing more is written and commit() fails.
    status write(std::span<const std::byte> bytes) noexcept;
    /// Makes the file visible under its name. On an error the target is what it was (if it was the very last step, the sync of the
    /// directory, that failed, the target is complete but may not survive a power loss).
    status commit() noexcept;
    /// Removes the temporary file.
    void discard() noexcept;

private:
    static constexpr int attempts = 100;

    NIBBLE_INLINE void swap(atomic_file& other) noexcept {
        std::swap(target_, other.target_);
        std::swap(temporary_, other.temporary_);
        std::swap(written_, other.written_);
        std::swap(failed_, other.failed_);
        std::swap(sync_, other.sync_);
        std::swap(file_, other.file_);
#if NIBBLE_POSIX_FILES
        std::swap(directory_, other.directory_);
#endif
    }
    NIBBLE_INLINE status fail(int number) noexcept { return fail(system_error(errc::cannot_write, number, written_)); }
    NIBBLE_INLINE status fail(status why) noexcept {
        failed_ = true;
        return why;
    }
    static status no_memory() noexcept { return {errc::out_of_memory, "no memory for a file name"}; }

    /// `before` + `name` + `after` with a zero at the end.
    static bool join(growing<char>& text, std::string_view before, std::string_view name, std::string_view after) noexcept {
        text.shrink(0);
        return text.append(before.data(), before.size()) && text.append(name.data(), name.size()) &&
               text.append(after.data(), after.size()) && text.push('\0');
    }
    /// Where the last part of a path starts.
    static std::size_t name_start(std::string_view path) noexcept {
        std::size_t start = path.size();
        while (start != 0 && path[start - 1] != '/' && (NIBBLE_POSIX_FILES || path[start - 1] != '\\')) --start;
        return start;
    }
    /// Names the temporary file for an attempt. Guessing the name gains nothing, because only a new file is ever opened.
    bool name_temporary(std::string_view folder, std::string_view name, int attempt) noexcept {
        std::timespec now{};
        std::timespec_get(&now, TIME_UTC);
        std::uint64_t random = static_cast<std::uint64_t>(now.tv_nsec) * 0x9E3779B97F4A7C15u ^ static_cast<std::uint64_t>(now.tv_sec);
        random ^= static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&now)) * 0xD6E8FEB86659FD93u;
        random = (random ^ (random >> 29)) * 0xBF58476D1CE4E5B9u + static_cast<std::uint64_t>(attempt);
        constexpr std::string_view part = ".part-";
        char suffix[part.size() + 16];
        std::memcpy(suffix, part.data(), part.size());
        for (std::size_t i = 0; i < 16; ++i) suffix[part.size() + i] = "0123456789abcdef"[(random >> (4 * i)) & 15u];
        // A name may have 255 bytes on most file systems.
        const std::string_view shortened = name.substr(0, 255 - 1 - sizeof(suffix));
        growing<char> prefix;
        return prefix.append(folder.data(), folder.size()) && prefix.push('.') &&
               join(temporary_, {prefix.data(), prefix.size()}, shortened, {suffix, sizeof(suffix)});
    }

    status prepare(const char* path, const write_options& options) noexcept;

    growing<char> target_;     // empty: the target itself is open, there is nothing to rename
    growing<char> temporary_;  // empty: there is no temporary file
    std::uint64_t written_ = 0;
    bool failed_ = false;
    bool sync_ = true;
#if NIBBLE_POSIX_FILES
    status open_directory(std::string_view folder) noexcept;
    status open_temporary(std::string_view name, bool replaces, unsigned mode) noexcept;

    int directory_ = -1;
    int file_ = -1;
#else
    std::FILE* file_ = nullptr;
#endif
};

}  // namespace file
NIBBLE_BASELINE_END

#if NIBBLE_POSIX_FILES
#include "nibble/file/atomic_file_posix.hpp"
#else
#include "nibble/file/atomic_file_stdio.hpp"
#endif
