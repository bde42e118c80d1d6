// Iterates over the list of formats and over the levels that run here.
#pragma once

#include <nibble/nibble.hpp>
#include <vector>

#if defined(NIBBLE_TEST_COMPILED)
#include "support/compiled.hpp"
#endif

namespace support {

/// Calls fn(F{}) for each format of the list.
template <class Fn, class... F>
void for_each_format(nibble::format_list<F...>, Fn&& fn) {
    (fn(F{}), ...);
}
template <class Fn>
void for_each_format(Fn&& fn) {
    for_each_format(nibble::all_formats{}, fn);
}

/// The levels that this machine and NIBBLE_ISA allow.
inline std::vector<nibble::isa> levels() {
    std::vector<nibble::isa> found;
    const nibble::isa limit = nibble::active_isa();
    for (std::size_t i = 0; i < nibble::isa_count; ++i) {
        const auto level = static_cast<nibble::isa>(i);
        if (nibble::is_supported(level) && nibble::internal::allowed_under(level, limit)) found.push_back(level);
    }
    return found;
}

/// Calls fn(level) at each of them.
template <class Fn>
void for_each_level(Fn&& fn) {
    for (const nibble::isa level : levels()) {
        const nibble::scoped_isa limit(level);
        fn(level);
    }
}

}  // namespace support
