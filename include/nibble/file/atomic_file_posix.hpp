// atomic_file with POSIX calls. Included by atomic_file.hpp; on other systems it is empty.
#pragma once

#include "nibble/file/atomic_file.hpp"

#if NIBBLE_POSIX_FILES

NIBBLE_BASELINE_BEGIN
namespace file {

inline status atomic_file::prepare(const char* path, const write_options& options) noexcept {
    struct ::stat about {};
    const bool exists = ::stat(path, &about) == 0;
    if (!exists && errno != ENOENT) return system_error(errc::cannot_write, errno);
    if (exists) {
        for (const char* input : options.inputs) {
            struct ::stat other {};
            if (input != nullptr && ::stat(input, &other) == 0 && other.st_dev == about.st_dev && other.st_ino == about.st_ino) {
                return {errc::cannot_write, "the output is the input: choose another name, the input would be lost"};
            }
        }
        if (S_ISDIR(about.st_mode)) return system_error(errc::cannot_write, EISDIR);
        if (!S_ISREG(about.st_mode)) {
            if (!options.streaming)
                return {errc::cannot_write, "the output is a pipe or device: name a file (or set write_options::streaming)"};
            file_ = ::open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
            return file_ < 0 ? system_error(errc::cannot_write, errno) : status();
        }
    }

    struct ::stat link {};
    std::string_view place = path;
    char* resolved = nullptr;
    if (::lstat(path, &link) == 0 && S_ISLNK(link.st_mode)) {
        if (!exists) return {errc::cannot_write, "the output is a symbolic link to nothing: remove it or name a file"};
        resolved = ::realpath(path, nullptr);
        if (resolved == nullptr) return system_error(errc::cannot_write, errno);
        place = resolved;
    }
    const std::size_t start = name_start(place);
    const std::string_view folder = place.substr(0, start), name = place.substr(start);
    status s = name.empty() ? status(errc::cannot_write, "the path ends with a slash: name a file") : open_directory(folder);
    if (s && !join(target_, {}, name, {})) s = no_memory();
    if (s) s = open_temporary(name, exists, static_cast<unsigned>(about.st_mode));
    std::free(resolved);
    return s;
}

inline status atomic_file::open_directory(std::string_view folder) noexcept {
    growing<char> text;
    if (!join(text, folder.empty() ? "." : "", folder, {})) return no_memory();
    directory_ = ::open(text.data(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return directory_ < 0 ? system_error(errc::cannot_write, errno) : status();
}

inline status atomic_file::open_temporary(std::string_view name, bool replaces, unsigned mode) noexcept {
    for (int attempt = 0; attempt < attempts; ++attempt) {
        if (!name_temporary({}, name, attempt)) return no_memory();
        // What replaces a private file must not be readable by others for a moment.
        file_ = ::openat(directory_, temporary_.data(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, replaces ? 0600 : 0666);
        if (file_ >= 0 || errno != EEXIST) break;
    }
    if (file_ < 0) {
        const int number = errno;
        temporary_.shrink(0);
        return system_error(errc::cannot_write, number);
    }
    if (replaces && ::fchmod(file_, static_cast<::mode_t>(mode & 0777u)) != 0) return system_error(errc::cannot_write, errno);
    return {};
}

inline status atomic_file::write(std::span<const std::byte> bytes) noexcept {
    if (failed_ || file_ < 0) return {errc::cannot_write, "the file is closed, or an earlier write failed", written_};
    constexpr std::size_t largest_piece = std::size_t{1} << 30;  // some systems refuse more in one call
    while (!bytes.empty()) {
        const ssize_t done = ::write(file_, bytes.data(), bytes.size() < largest_piece ? bytes.size() : largest_piece);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return fail(errno);
        if (done == 0) return fail(ENOSPC);
        written_ += static_cast<std::uint64_t>(done);
        bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    return {};
}

inline status atomic_file::commit() noexcept {
    if (failed_ || file_ < 0) return {errc::cannot_write, "the file is closed, or an earlier write failed", written_};
    const auto synced = [](int descriptor) noexcept {
        while (::fsync(descriptor) != 0) {
            if (errno == EINTR) continue;
            // Some file systems and all pipes have nothing to sync.
            return errno == EINVAL || errno == ENOTSUP || errno == ENOSYS;
        }
        return true;
    };
    if (sync_ && !synced(file_)) return fail(errno);
    // A close that was interrupted has closed (Linux) or cannot be repeated safely (elsewhere).
    if (::close(std::exchange(file_, -1)) != 0 && errno != EINTR) return fail(errno);
    if (temporary_.empty()) return {};
    if (::renameat(directory_, temporary_.data(), directory_, target_.data()) != 0) return fail(errno);
    temporary_.shrink(0);
    if (sync_ && !synced(directory_)) return fail(errno);
    return {};
}

inline void atomic_file::discard() noexcept {
    if (file_ >= 0) ::close(std::exchange(file_, -1));
    if (!temporary_.empty()) ::unlinkat(directory_, temporary_.data(), 0);
    temporary_.shrink(0);
    if (directory_ >= 0) ::close(std::exchange(directory_, -1));
}

}  // namespace file
NIBBLE_BASELINE_END

#endif
