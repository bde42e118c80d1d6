// Finds names in constant time. The names stay where they are; the table holds hashes and positions.
//
// A file chooses its names, so the hash must not be predictable: with a fixed one a hostile file could put all its keys into one
// slot, and reading would take quadratic time. Hence SipHash-1-3 (Aumasson and Bernstein, 2012), keyed for each table.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "nibble/base/bits.hpp"
#include "nibble/base/config.hpp"
#include "nibble/file/growing.hpp"

NIBBLE_BASELINE_BEGIN
namespace file {

/// SipHash-1-3 of a text under a 128-bit key.
inline std::uint64_t keyed_hash(std::string_view text, std::uint64_t key0, std::uint64_t key1) noexcept {
    std::uint64_t a = key0 ^ 0x736F6D6570736575u, b = key1 ^ 0x646F72616E646F6Du;
    std::uint64_t c = key0 ^ 0x6C7967656E657261u, d = key1 ^ 0x7465646279746573u;
    const auto round = [&]() noexcept {
        a += b, b = std::rotl(b, 13) ^ a, a = std::rotl(a, 32);
        c += d, d = std::rotl(d, 16) ^ c;
        a += d, d = std::rotl(d, 21) ^ a;
        c += b, b = std::rotl(b, 17) ^ c, c = std::rotl(c, 32);
    };
    stored<std::uint64_t> word{};
    const auto absorb = [&]() noexcept {
        d ^= word.get();
        round();
        a ^= word.get();
    };
    std::size_t i = 0;
    for (; text.size() - i >= sizeof(word); i += sizeof(word)) {
        std::memcpy(word.bytes, text.data() + i, sizeof(word));
        absorb();
    }
    word.set(static_cast<std::uint64_t>(text.size()) << 56);
    for (std::size_t j = 0; i < text.size(); ++i, ++j) word.bytes[j] = static_cast<std::uint8_t>(text[i]);
    absorb();
    c ^= 0xFF;
    round(), round(), round();
    return a ^ b ^ c ^ d;
}

/// Positions by name: open addressing, at most half full.
class name_table {
public:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    /// Room for `count` names in all. @return false if memory ran out
    bool reserve(std::size_t count) noexcept {
        if (count > none / 4) return false;
        if (slots_.size() >= 2 * count && !slots_.empty()) return true;
        growing<slot> larger;
        if (!larger.assign(std::bit_ceil(2 * count + 2), slot{})) return false;
        if (slots_.empty()) {
            // The addresses that the system gave to heap and stack are random, and the file cannot know them.
            key0_ = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(larger.data())) * 0x9E3779B97F4A7C15u;
            key1_ = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&larger)) * 0xD6E8FEB86659FD93u;
        }
        for (const slot& s : slots_.view()) {
            if (s.position == none) continue;
            std::size_t at = s.hash & (larger.size() - 1);
            while (larger[at].position != none) at = (at + 1) & (larger.size() - 1);
            larger[at] = s;
        }
        slots_ = static_cast<growing<slot>&&>(larger);
        return true;
    }

    /// Where `name` stands, or `none`. @param name_at the name at a position: std::string_view(std::size_t)
    template <class NameAt>
    std::size_t find(std::string_view name, const NameAt& name_at) const noexcept {
        return slots_.empty() ? none : slots_[slot_of(name, hash(name), name_at)].position;
    }

    /// Enters a name that is not in the table; reserve() must have made room.
    template <class NameAt>
    void insert(std::string_view name, std::size_t position, const NameAt& name_at) noexcept {
        const std::uint64_t h = hash(name);
        slots_[slot_of(name, h, name_at)] = {h, position};
    }

private:
    struct slot {
        std::uint64_t hash = 0;
        std::size_t position = none;
    };

    NIBBLE_INLINE std::uint64_t hash(std::string_view name) const noexcept { return keyed_hash(name, key0_, key1_); }

    /// The slot that holds the name, or the free one where it belongs.
    template <class NameAt>
    std::size_t slot_of(std::string_view name, std::uint64_t h, const NameAt& name_at) const noexcept {
        std::size_t at = h & (slots_.size() - 1);
        while (slots_[at].position != none && (slots_[at].hash != h || name_at(slots_[at].position) != name))
            at = (at + 1) & (slots_.size() - 1);
        return at;
    }

    growing<slot> slots_;
    std::uint64_t key0_ = 0;
    std::uint64_t key1_ = 0;
};

}  // namespace file
NIBBLE_BASELINE_END
