// A whole file as bytes, without copying it where the system can.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <utility>

#include "nibble/base/aligned_buffer.hpp"
#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/system_error.hpp"

#if NIBBLE_POSIX_FILES
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

NIBBLE_BASELINE_BEGIN
namespace file {

/// Whether the last part of a path may be a symbolic link.
enum class links : std::uint8_t {
    follow,
    refuse,  ///< errc::io_error; where the system has no POSIX files, links are followed all the same
};

/// A read-only file in memory. Move-only; the bytes stay where they are when it is moved.
///
/// The pages of open() come from the file when they are touched. If another program truncates the file meanwhile, touching them ends
/// this program with SIGBUS. Where that may happen, use load(), which copies the file and reports such a change as an error.
class mapped_file {
public:
    NIBBLE_INLINE mapped_file() noexcept = default;
    /// Leaves `other` without bytes.
    NIBBLE_INLINE mapped_file(mapped_file&& other) noexcept
        : copy_(std::move(other.copy_)), bytes_(std::exchange(other.bytes_, {})), mapped_(std::exchange(other.mapped_, false)) {}
    /// Lets go of the file that this one had, and leaves `other` without bytes.
    NIBBLE_INLINE mapped_file& operator=(mapped_file&& other) noexcept {
        mapped_file taken(std::move(other));
        std::swap(copy_, taken.copy_);
        std::swap(bytes_, taken.bytes_);
        std::swap(mapped_, taken.mapped_);
        return *this;
    }
    NIBBLE_INLINE ~mapped_file() { unmap(); }

    /// Maps a regular file.
    /// @return errc::io_error with the cause (also for directories, pipes and devices), errc::truncated for an empty file,
    ///         errc::not_found if there is none
    static result<mapped_file> open(const char* path, links allowed = links::follow) noexcept { return open(path, allowed, true); }

    /// Reads a regular file into memory of its own. The same errors, and errc::out_of_memory.
    static result<mapped_file> load(const char* path, links allowed = links::follow) noexcept { return open(path, allowed, false); }

    /// The content, aligned to at least 64 bytes.
    NIBBLE_INLINE std::span<const std::byte> bytes() const noexcept { return bytes_; }

private:
    static status failure(int number) noexcept {
        const status s = system_error(errc::io_error, number);
        return number == ENOENT ? status(errc::not_found, s.message()) : s;
    }
    static status shrunk(std::uint64_t where) noexcept {
        return {errc::io_error, "the file became shorter while it was read: another program changes it", where};
    }

#if NIBBLE_POSIX_FILES
    /// Closes a descriptor at the end of a scope.
    struct descriptor {
        int number;
        NIBBLE_INLINE explicit descriptor(int n) noexcept : number(n) {}
        descriptor(const descriptor&) = delete;
        descriptor& operator=(const descriptor&) = delete;
        NIBBLE_INLINE ~descriptor() { ::close(number); }
    };

    static result<mapped_file> open(const char* path, links allowed, bool map) noexcept {
        if (path == nullptr) return status(errc::invalid_argument, "the path is a null pointer");
        // Non-blocking: opening a pipe that nobody writes to would wait for ever.
        const int number = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (allowed == links::refuse ? O_NOFOLLOW : 0));
        if (number < 0 && allowed == links::refuse && (errno == ELOOP || errno == EMLINK)) {
            return status(errc::io_error, "the file is a symbolic link, which was not asked for: name the file itself, or allow links");
        }
        if (number < 0) return failure(errno);
        const descriptor file(number);
        struct ::stat about {};
        if (::fstat(file.number, &about) != 0) return failure(errno);
        if (S_ISDIR(about.st_mode)) return failure(EISDIR);
        if (!S_ISREG(about.st_mode)) {
            return status(errc::io_error, "a pipe, socket or device is not seekable: save its content to a file first");
        }
        if (about.st_size <= 0) return status(errc::truncated, "the file is empty (or lives in /proc): save its content to a file first");
        const auto size = static_cast<std::uint64_t>(about.st_size);
        if (size > static_cast<std::size_t>(-1) / 2) return failure(EOVERFLOW);

        mapped_file opened;
        if (!map) {
            if (const status s = opened.copy(file.number, static_cast<std::size_t>(size)); !s) return s;
            return result<mapped_file>(std::move(opened));
        }
        void* start = ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_PRIVATE, file.number, 0);
        if (start == MAP_FAILED) return failure(errno);
        opened.bytes_ = {static_cast<const std::byte*>(start), static_cast<std::size_t>(size)};
        opened.mapped_ = true;
        return result<mapped_file>(std::move(opened));
    }

    status copy(int file, std::size_t size) noexcept {
        auto memory = aligned_buffer::make(size);
        if (!memory) return memory.status();
        constexpr std::size_t largest_piece = std::size_t{1} << 30;  // some systems refuse more in one call
        for (std::size_t done = 0; done < size;) {
            const std::size_t piece = size - done < largest_piece ? size - done : largest_piece;
            const ssize_t got = ::pread(file, memory->data() + done, piece, static_cast<::off_t>(done));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return failure(errno);
            if (got == 0) return shrunk(done);
            done += static_cast<std::size_t>(got);
        }
        copy_ = std::move(*memory);
        bytes_ = copy_.bytes();
        return {};
    }

    void unmap() noexcept {
        if (mapped_) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
    }
#else
    static result<mapped_file> open(const char* path, links, bool) noexcept {
        if (path == nullptr) return status(errc::invalid_argument, "the path is a null pointer");
        std::FILE* file = std::fopen(path, "rb");
        if (file == nullptr) return failure(errno);
        mapped_file opened;
        const status s = opened.copy(file);
        std::fclose(file);
        if (!s) return s;
        return result<mapped_file>(std::move(opened));
    }

    /// In two passes, because only 64-bit seeks find the end of a large file, and no portable call has them.
    status copy(std::FILE* file) noexcept {
        std::byte piece[4096];
        std::size_t size = 0;
        for (std::size_t got = 0; (got = std::fread(piece, 1, sizeof(piece), file)) != 0;) size += got;
        if (std::ferror(file) != 0) return failure(errno);
        if (size == 0) return {errc::truncated, "the file is empty: fetch or write it again"};
        std::rewind(file);
        auto memory = aligned_buffer::make(size);
        if (!memory) return memory.status();
        const std::size_t got = std::fread(memory->data(), 1, size, file);
        if (got != size) return shrunk(got);
        copy_ = std::move(*memory);
        bytes_ = copy_.bytes();
        return {};
    }

    NIBBLE_INLINE void unmap() noexcept {}
#endif

    aligned_buffer copy_;
    std::span<const std::byte> bytes_{};
    bool mapped_ = false;
};

}  // namespace file
NIBBLE_BASELINE_END
