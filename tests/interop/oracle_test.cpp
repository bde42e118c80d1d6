// Every format of the list against ggml itself: the same bytes and the same floats, on rows of many kinds, with and without importance, at
// every level. The formats are taken from the list, and their numbers tell ggml which one is meant.
//
// Exceptions: the sums of an all-zero q8_k block, which ggml does not write; rows whose scale fp16 cannot hold, which nibble refuses where
// ggml writes an infinity; iq2_xxs, iq2_xs and iq1_s without importance, which ggml refuses. Conversions of infinities to integers (scales
// below 2^-128) are undefined in C, but nibble writes what ggml's x86 builds do, so they are compared.
#include <dlfcn.h>

#include <cstring>

#include "interop/random_rows.hpp"
#include "support/formats.hpp"
#include "support/test.hpp"

namespace {

const std::string library = NIBBLE_TESTS_DIR "/interop/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64/libggml-base.so";

/// ggml's reference code.
class ggml {
public:
    /// What ggml knows of a type; the order of its own struct.
    struct traits {
        const char* name;
        std::int64_t block_size, interleaved;
        std::size_t block_bytes;
        bool is_quantized;
        void (*to_float)(const void*, float*, std::int64_t);
        void (*from_float)(const float*, void*, std::int64_t);
    };

    ggml() : handle_(dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL)) {}
    explicit operator bool() const { return handle_ != nullptr; }

    const traits& of(std::uint32_t type) const { return *get<const traits* (*)(int)>("ggml_get_type_traits")(static_cast<int>(type)); }
    bool needs_importance(std::uint32_t type) const { return get<bool (*)(int)>("ggml_quantize_requires_imatrix")(static_cast<int>(type)); }

    /// @return false if ggml has no quantizer of this type
    bool quantize(std::uint32_t type, const float* x, std::size_t rows, std::size_t cols, const float* importance, std::byte* out) const {
        // The formats of activations are not what files are made of; their quantizers have names of their own.
        const std::string own = std::string("quantize_row_") + of(type).name + "_ref";
        if (const auto row = get<void (*)(const float*, void*, std::int64_t)>(own.c_str()); row != nullptr && is_activation(type)) {
            for (std::size_t r = 0; r < rows; ++r) {
                row(x + r * cols, out + r * cols / static_cast<std::size_t>(of(type).block_size) * of(type).block_bytes,
                    static_cast<std::int64_t>(cols));
            }
            return true;
        }
        if (is_activation(type)) return false;
        get<void (*)(int)>("ggml_quantize_init")(static_cast<int>(type));
        using chunk = std::size_t (*)(int, const float*, void*, std::int64_t, std::int64_t, std::int64_t, const float*);
        get<chunk>("ggml_quantize_chunk")(static_cast<int>(type), x, out, 0, static_cast<std::int64_t>(rows), static_cast<std::int64_t>(cols),
                                          importance);
        return true;
    }

private:
    static bool is_activation(std::uint32_t type) { return type == 9 || type == 15; }  // Q8_1, Q8_K: ggml_quantize_chunk refuses them
    template <class Function>
    Function get(const char* name) const {
        return reinterpret_cast<Function>(dlsym(handle_, name));
    }
    void* handle_;
};

/// Bytes that ggml leaves undefined, made equal in both.
template <class F>
void forget_undefined(const float*, typename F::block&, typename F::block&) {}
template <>
void forget_undefined<nibble::q8_k>(const float*, nibble::q8_k::block& ours, nibble::q8_k::block& theirs) {
    // The sums of a block of zeros are not written.
    if (theirs.scale.get() == 0.0f) std::memcpy(theirs.sums, ours.sums, sizeof theirs.sums);
}

struct tally {
    std::size_t compared = 0, refused = 0, different = 0;
    std::string first;
};

template <class F>
class comparison {
public:
    comparison(const ggml& reference, std::size_t cols) : ggml_(reference), cols_(cols), bytes_(nibble::row_bytes<F>(cols)) {}

    /// Both quantizers, then both decoders on the bytes.
    void run(const std::vector<float>& x, std::size_t kind, const std::vector<float>* importance, tally& found) {
        const std::size_t rows = x.size() / cols_;
        std::vector<std::byte> theirs(rows * bytes_, std::byte{0xCC});
        if (!ggml_.quantize(F::gguf_type, x.data(), rows, cols_, importance != nullptr ? importance->data() : nullptr, theirs.data())) return;
        nibble::quantize_options options;
        if (importance != nullptr) options.importance = *importance;
        found.compared += rows;
        support::for_each_level([&](nibble::isa level) {
            std::vector<std::byte> ours(rows * bytes_, std::byte{0x33});
            const auto done = nibble::quantize<F>(x, ours, {rows, cols_}, options);
            if (!done && done.error() == nibble::errc::out_of_range && has_infinite_scale(theirs)) {
                found.refused += level == nibble::isa::reference;
                return;
            }
            if (!done) return note(found, kind, level, "error " + std::string(done.message()));
            std::vector<std::byte> expected = theirs;
            for (std::size_t b = 0; b < ours.size() / sizeof(typename F::block); ++b) {
                auto& mine = *reinterpret_cast<typename F::block*>(ours.data() + b * sizeof(typename F::block));
                auto& its = *reinterpret_cast<typename F::block*>(expected.data() + b * sizeof(typename F::block));
                forget_undefined<F>(x.data() + b * F::block_size, mine, its);
                if (std::memcmp(&mine, &its, sizeof mine) == 0) continue;
                note(found, kind, level, "block " + std::to_string(b) + difference(mine, its) + values(x.data() + b * F::block_size));
            }
        });
        decode(theirs, rows, kind, found);
    }

    /// Both decoders on any bytes.
    void decode(const std::vector<std::byte>& packed, std::size_t rows, std::size_t kind, tally& found) {
        const auto to_float = ggml_.of(F::gguf_type).to_float;
        std::vector<float> expected(rows * cols_);
        if (to_float != nullptr) {
            for (std::size_t r = 0; r < rows; ++r)
                to_float(packed.data() + r * bytes_, expected.data() + r * cols_, static_cast<std::int64_t>(cols_));
        } else if (ggml_.of(F::gguf_type).is_quantized || F::block_size != 1) {
            return;  // an activation format: ggml multiplies with it but never decodes it
        } else {
            std::memcpy(expected.data(), packed.data(), packed.size());  // f32
        }
        support::for_each_level([&](nibble::isa level) {
            std::vector<float> decoded(rows * cols_);
            if (!nibble::dequantize<F>(std::span<const std::byte>(packed), decoded, {rows, cols_}))
                return note(found, kind, level, "does not decode");
            for (std::size_t i = 0; i < decoded.size(); ++i) {
                if (std::memcmp(&decoded[i], &expected[i], sizeof(float)) == 0) continue;
                if (std::isnan(decoded[i]) && std::isnan(expected[i])) continue;
                return note(found, kind, level,
                            "element " + std::to_string(i) + ": " + std::to_string(decoded[i]) + ", not " + std::to_string(expected[i]));
            }
        });
    }

private:
    bool has_infinite_scale(const std::vector<std::byte>& packed) const {
        if constexpr (nibble::checks_scales<F>) {
            for (std::size_t at = 0; at < packed.size(); at += sizeof(typename F::block)) {
                if (!F::finite(*reinterpret_cast<const typename F::block*>(packed.data() + at))) return true;
            }
        }
        return false;
    }
    static std::string difference(const typename F::block& a, const typename F::block& b) {
        const auto* x = reinterpret_cast<const unsigned char*>(&a);
        const auto* y = reinterpret_cast<const unsigned char*>(&b);
        std::size_t at = 0, count = 0;
        for (std::size_t i = sizeof a; i-- > 0;) {
            if (x[i] == y[i]) continue;
            at = i;
            ++count;
        }
        return ", byte " + std::to_string(at) + ": " + std::to_string(x[at]) + ", not " + std::to_string(y[at]) + ", " + std::to_string(count) +
               " differ";
    }
    static std::string values(const float* x) {
        std::string text = "; values";
        char one[32];
        for (std::size_t i = 0; i < std::min<std::size_t>(F::block_size, 8); ++i) {
            std::snprintf(one, sizeof one, " %a", static_cast<double>(x[i]));
            text += one;
        }
        return text;
    }
    static void note(tally& found, std::size_t kind, nibble::isa level, const std::string& what) {
        if (found.different++ < 5) {
            found.first += "\n" + (kind < support::row_kind_count ? std::string(support::row_kinds[kind]) : "any bytes") + " at " +
                           std::string(nibble::name_of(level)) + ": " + what;
        }
    }

    const ggml& ggml_;
    std::size_t cols_, bytes_;
};

/// At least 10,000 rows of a format.
template <class F>
tally compare(const ggml& reference, bool weighted) {
    tally found;
    support::numbers random(F::gguf_type * 2 + (weighted ? 1 : 0));
    const auto quantize = [&](std::size_t kind, std::size_t rows, std::size_t cols) {
        std::vector<float> x(rows * cols), importance(cols);
        for (std::size_t r = 0; r < rows; ++r) support::fill_row(kind, random, x.data() + r * cols, cols);
        if (weighted) support::fill_importance(random, importance);
        comparison<F>(reference, cols).run(x, kind, weighted ? &importance : nullptr, found);
    };
    for (std::size_t kind = 0; kind < support::row_kind_count; ++kind) {
        if (support::is_huge(kind)) {
            for (int i = 0; i < 400; ++i) quantize(kind, 1, 256);  // one at a time, because one that fails is the end of a call
        } else {
            for (int i = 0; i < 75; ++i) quantize(kind, 16, 256);
            for (int i = 0; i < 2; ++i) quantize(kind, 5, 1280);
        }
    }
    for (int i = 0; i < 4; ++i) {
        std::vector<std::byte> any(64 * nibble::row_bytes<F>(256));
        for (auto& b : any) b = static_cast<std::byte>(random.bits() >> 32);
        comparison<F>(reference, 256).decode(any, 64, support::row_kind_count, found);
    }
    return found;
}

std::size_t part_of(const char* name, std::size_t otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? static_cast<std::size_t>(std::atoi(text)) : otherwise;
}

}  // namespace

TEST_CASE("bytes and floats are ggml's on random rows") {
    const ggml reference;
    if (!reference) {
        nibble::test::skip("ggml is not installed in tests/interop (see install.sh)");
        return;
    }
    // One of several processes may take every n-th format.
    const std::size_t part = part_of("NIBBLE_TEST_PART", 0), parts = part_of("NIBBLE_TEST_PARTS", 1);
    std::size_t index = 0;
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        if (index++ % parts != part) return;
        REQUIRE(static_cast<std::size_t>(reference.of(F::gguf_type).block_size) == F::block_size);
        REQUIRE(reference.of(F::gguf_type).block_bytes == sizeof(typename F::block));
        for (const bool weighted : {false, true}) {
            if (!weighted && reference.needs_importance(F::gguf_type)) continue;  // ggml would end the program
            const tally found = compare<F>(reference, weighted);
            INFO(F::name << (weighted ? " with importance: " : ": ") << found.different << " differences in " << found.compared << " rows"
                         << found.first);
            CHECK(found.different == 0);
            CHECK(found.compared >= 10000);
            CHECK(found.refused < 400);
        }
    });
}
