// Errors of the operating system as sentences that say what to do. Literals, because a status owns no text.
#pragma once

#include <cerrno>
#include <cstdint>
#include <string_view>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"

/// Files through POSIX calls; elsewhere (or with NIBBLE_NO_POSIX_FILES) through <cstdio>, with fewer promises.
#if !defined(NIBBLE_NO_POSIX_FILES) && (defined(__unix__) || defined(__APPLE__))
#define NIBBLE_POSIX_FILES 1
#else
#define NIBBLE_POSIX_FILES 0
#endif

NIBBLE_BASELINE_BEGIN
namespace file {

/// The status for a failed call. @param code errc::io_error or errc::cannot_write @param number errno @param where bytes done before
inline status system_error(errc code, int number, std::uint64_t where = 0) noexcept {
    const auto because = [&](std::string_view text) noexcept { return status(code, text, where); };
    const bool writing = code == errc::cannot_write;
    switch (number) {
        case ENOENT: return because(writing ? "no such directory: create it first" : "no such file: check the path");
        case ENOTDIR: return because("a part of the path is a file, not a directory: check the path");
        case EISDIR: return because("the path is a directory: name a file");
        case EACCES:
        case EPERM:
            return because(writing ? "permission denied: choose a directory that you may write to"
                                   : "permission denied: you may not read the file");
        case ENAMETOOLONG: return because("the path is too long: choose a shorter one");
        case EMFILE:
        case ENFILE: return because("too many open files: close some, or raise the limit (ulimit -n)");
        case ENOMEM: return because("the system has no memory for this: close other programs");
        case EIO: return because("the device reports an input/output error: check the disk");
        case EBUSY: return because("the file is in use: try again later");
        case EOVERFLOW: return because("the file is too large for this program");
#if defined(ELOOP)
        case ELOOP: return because("too many symbolic links in the path: name the file itself");
#endif
        case ENOSPC: return because("no space left on the device: free some, or choose another directory");
#if defined(EDQUOT)
        case EDQUOT: return because("the disk quota is used up: free some space, or choose another directory");
#endif
        case EFBIG: return because("the file is larger than the file system or the limit of the process allows (ulimit -f)");
        case EROFS: return because("the file system is read-only: choose another directory");
        case EPIPE: return because("the program that reads the output has ended");
        case ENXIO:
        case ENODEV: return because("the path is a device or pipe that cannot be used as a file");
        default: return {code, describe(code), where};
    }
}

}  // namespace file
NIBBLE_BASELINE_END
