// Text as windows of tokens, and llama.cpp evaluating them. Only for models whose tokens are <unk>, <s>, </s> and the 256 bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "llama.hpp"

namespace llama {

constexpr std::int32_t window_size = 256;

using window = std::vector<std::int32_t>;

/// <s> and 255 bytes each. @param most how many; 0: all of the text
inline std::vector<window> windows_of(const std::string& path, std::size_t most) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<unsigned char> text{std::istreambuf_iterator<char>(file), {}};
    std::vector<window> windows;
    for (std::size_t at = 0; at + window_size - 1 <= text.size() && (most == 0 || windows.size() < most); at += window_size - 1) {
        window w = {1};
        for (std::size_t i = at; i < at + window_size - 1; ++i) w.push_back(text[i] + 3);
        windows.push_back(std::move(w));
    }
    return windows;
}

/// A parameter struct of llama.h that is handed on as it came: more bytes than it has, which a struct on the stack does not mind.
struct parameters {
    alignas(16) std::uint32_t words[256];

    /// Sets cb_eval and its data, which lie in front of the types of the cache (F16, F16). @return false if they are not found
    template <class Callback>
    bool set_callback(Callback* function, void* data) {
        for (std::size_t i = 12; i < 40; i += 2) {
            if (words[i] != 0 || words[i + 1] != 0 || words[i + 2] != 0 || words[i + 3] != 0 || words[i + 4] != 1 || words[i + 5] != 1)
                continue;
            std::memcpy(&words[i], &function, sizeof function);
            std::memcpy(&words[i + 2], &data, sizeof data);
            return true;
        }
        return false;
    }
};

/// A model that is loaded and ready.
class session {
public:
    /// @param change called with the context's parameters; false: give up
    template <class Change>
    session(const library& from, const char* path, Change&& change) : library_(from) {
        model_ = library_.get<void* (*)(const char*, parameters)>("llama_model_load_from_file")(
            path, library_.get<parameters (*)()>("llama_model_default_params")());
        if (model_ == nullptr) return;
        auto p = library_.get<parameters (*)()>("llama_context_default_params")();
        // n_ctx, n_batch, n_ubatch, sequences: the version is pinned, and this notices if it moved on.
        const bool known = p.words[0] == 512 && p.words[1] == 2048 && p.words[2] == 512 && p.words[3] == 1;
        if (!known || !change(p)) {
            std::fprintf(stderr, "llama_context_params has another layout in this llama.cpp\n");
            std::exit(not_usable);
        }
        p.words[0] = window_size;
        context_ = library_.get<void* (*)(void*, parameters)>("llama_init_from_model")(model_, p);
        if (context_ == nullptr) return;
        // More threads than free cores wait for each other in busy loops.
        library_.get<void (*)(void*, std::int32_t, std::int32_t)>("llama_set_n_threads")(context_, 1, 1);
        batch_ = library_.get<batch (*)(std::int32_t, std::int32_t, std::int32_t)>("llama_batch_init")(window_size, 0, 1);
    }
    session(const session&) = delete;
    session& operator=(const session&) = delete;
    ~session() {
        if (context_ != nullptr) {
            library_.get<void (*)(batch)>("llama_batch_free")(batch_);
            library_.get<void (*)(void*)>("llama_free")(context_);
        }
        if (model_ != nullptr) library_.get<void (*)(void*)>("llama_model_free")(model_);
    }
    explicit operator bool() const { return context_ != nullptr; }

    /// Evaluates a window from an empty context.
    bool evaluate(const window& w) {
        library_.get<void (*)(void*, bool)>("llama_memory_clear")(library_.get<void* (*)(void*)>("llama_get_memory")(context_), true);
        batch_.count = window_size;
        for (std::int32_t i = 0; i < window_size; ++i) {
            batch_.tokens[i] = w[static_cast<std::size_t>(i)];
            batch_.positions[i] = i;
            batch_.sequence_counts[i] = 1;
            batch_.sequences[i][0] = 0;
            batch_.wanted[i] = 1;
        }
        return library_.get<std::int32_t (*)(void*, batch)>("llama_decode")(context_, batch_) == 0;
    }
    /// What follows token i of the last window, as logits.
    const float* logits(std::int32_t i) const {
        return library_.get<const float* (*)(void*, std::int32_t)>("llama_get_logits_ith")(context_, i);
    }

private:
    struct batch {
        std::int32_t count;
        std::int32_t* tokens;
        float* embeddings;
        std::int32_t* positions;
        std::int32_t* sequence_counts;
        std::int32_t** sequences;
        std::int8_t* wanted;
    };

    const library& library_;
    void* model_ = nullptr;
    void* context_ = nullptr;
    batch batch_{};
};

}  // namespace llama
