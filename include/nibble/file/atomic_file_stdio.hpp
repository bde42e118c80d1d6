// atomic_file with <cstdio>, for systems without POSIX. Fewer promises: the same file under two paths is not recognised as the input
// unless the paths are spelled alike, nothing is synced, and where the system cannot rename over an existing file (Windows) the old
// one is removed first. Included by atomic_file.hpp; on POSIX systems it is empty.
#pragma once

#include "nibble/file/atomic_file.hpp"

#if !NIBBLE_POSIX_FILES

NIBBLE_BASELINE_BEGIN
namespace file {

inline status atomic_file::prepare(const char* path, const write_options& options) noexcept {
    const std::string_view place = path;
    for (const char* input : options.inputs) {
        if (input != nullptr && place == input) {
            return {errc::cannot_write, "the output is the input: choose another name, the input would be lost"};
        }
    }
    const std::size_t start = name_start(place);
    if (start == place.size()) return {errc::cannot_write, "the path ends with a slash: name a file"};
    if (!join(target_, {}, place, {})) return no_memory();
    for (int attempt = 0; attempt < attempts; ++attempt) {
        if (!name_temporary(place.substr(0, start), place.substr(start), attempt)) return no_memory();
        file_ = std::fopen(temporary_.data(), "wbx");
        if (file_ != nullptr || errno != EEXIST) break;
    }
    if (file_ == nullptr) {
        const int number = errno;
        temporary_.shrink(0);
        return system_error(errc::cannot_write, number);
    }
    return {};
}

inline status atomic_file::write(std::span<const std::byte> bytes) noexcept {
    if (failed_ || file_ == nullptr) return {errc::cannot_write, "the file is closed, or an earlier write failed", written_};
    const std::size_t done = bytes.empty() ? 0 : std::fwrite(bytes.data(), 1, bytes.size(), file_);
    written_ += done;
    return done == bytes.size() ? status() : fail(errno);
}

inline status atomic_file::commit() noexcept {
    if (failed_ || file_ == nullptr) return {errc::cannot_write, "the file is closed, or an earlier write failed", written_};
    if (std::fclose(std::exchange(file_, nullptr)) != 0) return fail(errno);
    if (std::rename(temporary_.data(), target_.data()) != 0) {
        std::remove(target_.data());
        if (std::rename(temporary_.data(), target_.data()) != 0) return fail(errno);
    }
    temporary_.shrink(0);
    return {};
}

inline void atomic_file::discard() noexcept {
    if (file_ != nullptr) std::fclose(std::exchange(file_, nullptr));
    if (!temporary_.empty()) std::remove(temporary_.data());
    temporary_.shrink(0);
}

}  // namespace file
NIBBLE_BASELINE_END

#endif
