#include "source.hpp"

#include <array>
#include <cstring>
#include <filesystem>
#include <nibble/safetensors/floats.hpp>
#include <utility>

#include "convert.hpp"
#include "failure.hpp"
#include "text.hpp"

namespace tool {

namespace {

using nibble::safetensors::dtype;

/// Names of Llama-type models: Hugging Face's and GGUF's, without and within a layer.
constexpr std::pair<std::string_view, std::string_view> outer_names[] = {
    {"model.embed_tokens.weight", "token_embd.weight"}, {"model.norm.weight", "output_norm.weight"}, {"lm_head.weight", "output.weight"}};
constexpr std::pair<std::string_view, std::string_view> layer_names[] = {
    {"input_layernorm", "attn_norm"},    {"post_attention_layernorm", "ffn_norm"},
    {"self_attn.q_proj", "attn_q"},      {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},      {"self_attn.o_proj", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm"}, {"self_attn.k_norm", "attn_k_norm"},
    {"mlp.gate_proj", "ffn_gate"},       {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"}};

/// The architectures of llama.cpp whose position encoding turns neighbouring elements of a head; Hugging Face's turns the two halves, so
/// conversion reorders the rows of q and k. Others (Qwen, Phi, Gemma, ...) keep the halves.
constexpr std::string_view interleaving[] = {"llama", "mistral3", "arcee", "granite", "smollm3"};

constexpr std::string_view layer_prefix = "model.layers.";

std::string gguf_name(std::string_view name) {
    for (const auto& [theirs, ours] : outer_names) {
        if (name == theirs) return std::string(ours);
    }
    if (!name.starts_with(layer_prefix)) return std::string(name);
    const std::string_view rest = name.substr(layer_prefix.size());
    const std::size_t point = rest.find('.'), last = rest.rfind('.');
    if (point == last) return std::string(name);
    const std::string_view number = rest.substr(0, point), part = rest.substr(point + 1, last - point - 1);
    for (const auto& [theirs, ours] : layer_names) {
        if (part == theirs) return "blk." + std::string(number) + '.' + std::string(ours) + std::string(rest.substr(last));
    }
    return std::string(name);
}

std::optional<std::uint32_t> gguf_type_of(dtype type) {
    switch (type) {
        case dtype::f32: return 0;
        case dtype::f16: return 1;
        case dtype::bf16: return 30;
        default: return std::nullopt;
    }
}

source_tensor from_gguf(const tensor_info& t) {
    source_tensor s;
    s.name = t.name;
    s.key = std::string(t.name);
    s.type = type_text(t.type);
    s.shape.assign(t.shape.begin(), t.shape.begin() + std::max(t.dims, 1u));
    s.offset = t.offset;
    s.data = t.data;
    s.gguf_type = t.type;
    return s;
}

source_tensor from_safetensors(const nibble::safetensors::tensor_info& t) {
    source_tensor s;
    s.name = t.name;
    s.key = std::string(t.name);
    s.type = std::string(name_of(t.type));
    s.shape.assign(t.shape.rbegin(), t.shape.rend());
    if (s.shape.empty()) s.shape.push_back(1);
    s.offset = t.offset;
    s.data = t.data;
    s.gguf_type = gguf_type_of(t.type);
    s.dtype = t.type;
    return s;
}

/// The file that a folder of Hugging Face's form consists of, or is led by.
std::string file_in(const std::string& path) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) return path;
    for (const char* name : {"model.safetensors.index.json", "model.safetensors"}) {
        const auto file = std::filesystem::path(path) / name;
        if (std::filesystem::exists(file, ignored)) return file.string();
    }
    throw failure{failed, escape(path) + ": a folder without model.safetensors and model.safetensors.index.json: name the file"};
}

bool looks_like_safetensors(std::span<const std::byte> bytes) {
    const auto starts = [&](std::size_t at) { return bytes.size() > at && bytes[at] == std::byte{'{'}; };
    return starts(0) || starts(8);
}

}  // namespace

std::uint64_t source_tensor::elements() const {
    std::uint64_t product = 1;
    for (const auto n : shape) {
        if (n == 0) return 0;  // the product of the others may overflow
    }
    for (const auto n : shape) product *= n;
    return product;
}

bool source_tensor::has_floats() const { return dtype ? nibble::safetensors::has_floats(*dtype) : can_decode(*gguf_type); }

std::uint64_t source::elements() const {
    std::uint64_t sum = 0;
    for (const auto& t : tensors) sum += t.elements();
    return sum;
}

std::uint64_t source::tensor_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& t : tensors) sum += t.data.size();
    return sum;
}

std::uint64_t source::file_bytes() const { return gguf ? gguf->file.bytes().size() : safetensors->file_bytes(); }

source open_source(const std::string& path, bool follow_links) {
    source s;
    s.path = file_in(path);
    const auto first_look = nibble::file::mapped_file::open(s.path.c_str());
    if (first_look && looks_like_safetensors(first_look->bytes())) {
        auto opened = nibble::safetensors::checkpoint::open(s.path.c_str(), {.follow_links = follow_links});
        if (!opened) {
            const std::string place = opened.where() != 0 ? " (byte " + std::to_string(opened.where()) + ')' : "";
            throw failure{exit_code_of(opened.error()), escape(s.path) + ": " + std::string(opened.message()) + place};
        }
        s.safetensors = std::move(*opened);
        for (const auto& shard : s.safetensors->shards()) {
            for (const auto& t : shard.tensors()) s.tensors.push_back(from_safetensors(t));
        }
        return s;
    }
    s.gguf = open_model(s.path);
    for (const auto& t : s.gguf->tensors) s.tensors.push_back(from_gguf(t));
    return s;
}

void match_names(source& checkpoint, const source& gguf) {
    const auto value = [&](std::string_view key) { return gguf.gguf->gguf->find(key); };
    const auto* found = value("general.architecture");
    const std::string architecture(found != nullptr ? found->as_string().value_or("") : "");
    const auto heads = [&](const char* key) -> std::uint64_t {
        const auto* v = value(architecture + key);
        return v != nullptr ? v->as_u64().value_or(0) : 0;
    };
    const bool interleaves = std::find(std::begin(interleaving), std::end(interleaving), architecture) != std::end(interleaving);
    const std::uint64_t query_heads = heads(".attention.head_count"), key_heads = heads(".attention.head_count_kv");
    for (auto& t : checkpoint.tensors) {
        t.key = gguf_name(t.name);
        if (!interleaves || t.key == t.name) continue;
        if (t.key.find(".attn_q.") != std::string::npos) t.rotated_heads = query_heads;
        if (t.key.find(".attn_k.") != std::string::npos) t.rotated_heads = key_heads != 0 ? key_heads : query_heads;
        const std::uint64_t rows = t.shape.size() == 1 ? t.shape[0] : t.shape[1];
        if (t.rotated_heads != 0 && rows % (2 * t.rotated_heads) != 0) {
            throw failure{bad_input, escape(checkpoint.path) + ": " + escape(t.name) + ": its rows do not divide into the heads of " +
                                         escape(gguf.path)};
        }
    }
}

nibble::shape matrix_of(const source_tensor& t) {
    const std::uint64_t all = t.elements();
    if (all == 0) return {};
    // A bias of q or k is reordered element by element.
    const std::uint64_t cols = t.rotated_heads != 0 && t.shape.size() == 1 ? 1 : t.shape[0];
    return {static_cast<std::size_t>(all / cols), static_cast<std::size_t>(cols)};
}

std::span<const float> floats_of(const source_tensor& t, nibble::shape matrix, std::size_t first, std::size_t count, scratch& values,
                                 scratch& packed, nibble::executor threads) {
    const std::size_t row = t.data.size() / matrix.rows;
    std::span<const std::byte> rows = t.data.subspan(first * row, count * row);
    if (t.rotated_heads != 0) {
        const std::size_t head = matrix.rows / static_cast<std::size_t>(t.rotated_heads);
        const auto collected = packed.bytes(rows.size());
        for (std::size_t r = 0; r < count; ++r) {
            // Element i of half j of a head is at 2 i + j in GGUF files.
            const std::size_t in_head = (first + r) % head, start = first + r - in_head;
            std::memcpy(collected.data() + r * row, t.data.data() + (start + in_head % 2 * (head / 2) + in_head / 2) * row, row);
        }
        rows = collected;
    }
    const bool aligned = reinterpret_cast<std::uintptr_t>(rows.data()) % alignof(float) == 0;
    if (t.gguf_type == 0u && aligned) return {reinterpret_cast<const float*>(rows.data()), count * matrix.cols};
    const auto decoded = values.floats(count * matrix.cols);
    if (t.gguf_type) check(decode(*t.gguf_type, rows, {count, matrix.cols}, decoded, threads), escape(t.name));
    else check(nibble::safetensors::to_floats(*t.dtype, rows, decoded), escape(t.name));
    return decoded;
}

}  // namespace tool
