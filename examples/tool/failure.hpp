// How the tool ends. Every failure is one of these, thrown once and reported in one place.
#pragma once

#include <nibble/base/result.hpp>
#include <string>
#include <string_view>

namespace tool {

/// Exit codes, documented in docs/tool.md.
enum exit_code : int {
    done = 0,
    failed = 1,         ///< anything that has no code of its own: no such file, out of memory
    usage = 2,          ///< the command line is wrong
    bad_input = 3,      ///< corrupt or unsupported input
    cannot_write = 4,   ///< the output could not be written
    gate_missed = 5,    ///< a quality gate was missed
    interrupted = 128,  ///< plus the number of the signal
};

struct failure {
    int code;
    std::string message;
};

/// The exit code for an error of the library.
inline int exit_code_of(nibble::errc code) {
    switch (code) {
        case nibble::errc::ok: return done;
        case nibble::errc::invalid_argument:
        case nibble::errc::size_mismatch:
        case nibble::errc::shape_mismatch:
        case nibble::errc::overlap:
        case nibble::errc::out_of_memory:
        case nibble::errc::not_found:
        case nibble::errc::io_error: return failed;
        case nibble::errc::cannot_write: return cannot_write;
        default: return bad_input;
    }
}

/// Throws unless the call succeeded. @param about what the message starts with: a path or the name of a tensor, escaped
inline void check(const nibble::status& s, std::string_view about) {
    if (s) return;
    throw failure{exit_code_of(s.error()), std::string(about).append(": ").append(s.message())};
}
template <class T>
T check(nibble::result<T> r, std::string_view about) {
    check(r.status(), about);
    return std::move(*r);
}

}  // namespace tool
