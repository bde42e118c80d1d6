// What llama.cpp (mid-2026) chooses for each tensor of a model, as tables. recipe.hpp reads them; nothing here is code.
//
// A file type such as "Q4_K_M" is a default tensor type and the rules that name it. All names are those of llama.cpp and ggml, as
// text, so that the tables also hold types that a build of nibble does not know. Other engines mix differently under the same names.
#pragma once

#include <cstdint>
#include <string_view>

#include "nibble/base/config.hpp"

NIBBLE_NAMESPACE_BEGIN
namespace gguf {

/// A tensor type that files may hold, by the name that ggml gives it.
struct tensor_type {
    std::string_view name;
    std::uint32_t number;       ///< GGUF type number
    std::uint32_t block_size;   ///< a row must be a multiple of this
    std::string_view fallback;  ///< what a tensor whose rows do not fit gets instead; empty: there is nothing
    bool weights = true;        ///< false: holds activations or is carried only, never chosen for weights
};
inline constexpr tensor_type tensor_types[] = {
    {"F32", 0, 1, ""},
    {"F16", 1, 1, ""},
    {"BF16", 30, 1, ""},
    {"Q4_0", 2, 32, "F16"},
    {"Q4_1", 3, 32, "F16"},
    {"Q5_0", 6, 32, "F16"},
    {"Q5_1", 7, 32, "F16"},
    {"Q8_0", 8, 32, "F16"},
    {"Q8_1", 9, 32, "", false},
    {"Q2_K", 10, 256, "Q4_0"},
    {"Q3_K", 11, 256, "Q4_0"},
    {"Q4_K", 12, 256, "Q5_0"},
    {"Q5_K", 13, 256, "Q5_1"},
    {"Q6_K", 14, 256, "Q8_0"},
    {"Q8_K", 15, 256, "", false},
    {"IQ2_XXS", 16, 256, "IQ4_NL"},
    {"IQ2_XS", 17, 256, "IQ4_NL"},
    {"IQ3_XXS", 18, 256, "IQ4_NL"},
    {"IQ1_S", 19, 256, "IQ4_NL"},
    {"IQ4_NL", 20, 32, "F16"},
    {"IQ3_S", 21, 256, "IQ4_NL"},
    {"IQ2_S", 22, 256, "IQ4_NL"},
    {"IQ4_XS", 23, 256, "IQ4_NL"},
    {"I8", 24, 1, "", false},
    {"I16", 25, 1, "", false},
    {"I32", 26, 1, "", false},
    {"I64", 27, 1, "", false},
    {"F64", 28, 1, "", false},
    {"IQ1_M", 29, 256, "IQ4_NL"},
    {"TQ1_0", 34, 256, "Q4_0"},
    {"TQ2_0", 35, 256, "Q4_0"},
    {"MXFP4", 39, 32, "F16"},
    {"NVFP4", 40, 64, ""},
    {"Q1_0", 41, 128, ""},
    {"Q2_0", 42, 64, "Q4_0"},
};
/// What a row gets that does not even fit its fallback.
inline constexpr std::string_view last_fallback = "F16";

/// A name for a whole file. Its number is the value of `general.file_type`.
struct file_type {
    std::string_view name;
    std::uint32_t number;
    std::string_view type;        ///< tensors that no rule mentions
    std::string_view alias = {};  ///< a second name that users know
};
inline constexpr file_type file_types[] = {
    {"F32", 0, "F32"},
    {"F16", 1, "F16"},
    {"BF16", 32, "BF16"},
    {"Q4_0", 2, "Q4_0"},
    {"Q4_1", 3, "Q4_1"},
    {"Q5_0", 8, "Q5_0"},
    {"Q5_1", 9, "Q5_1"},
    {"Q8_0", 7, "Q8_0"},
    {"Q2_K", 10, "Q2_K"},
    {"Q2_K_S", 21, "Q2_K"},
    {"Q3_K_S", 11, "Q3_K"},
    {"Q3_K_M", 12, "Q3_K", "Q3_K"},
    {"Q3_K_L", 13, "Q3_K"},
    {"Q4_K_S", 14, "Q4_K"},
    {"Q4_K_M", 15, "Q4_K", "Q4_K"},
    {"Q5_K_S", 16, "Q5_K"},
    {"Q5_K_M", 17, "Q5_K", "Q5_K"},
    {"Q6_K", 18, "Q6_K"},
    {"IQ1_S", 24, "IQ1_S"},
    {"IQ1_M", 31, "IQ1_M"},
    {"IQ2_XXS", 19, "IQ2_XXS"},
    {"IQ2_XS", 20, "IQ2_XS"},
    {"IQ2_S", 28, "IQ2_XS"},
    {"IQ2_M", 29, "IQ2_S"},
    {"IQ3_XXS", 23, "IQ3_XXS"},
    {"IQ3_XS", 22, "IQ3_S"},
    {"IQ3_S", 26, "IQ3_S"},
    {"IQ3_M", 27, "IQ3_S"},
    {"IQ4_NL", 25, "IQ4_NL"},
    {"IQ4_XS", 30, "IQ4_XS"},
    {"TQ1_0", 36, "TQ1_0"},
    {"TQ2_0", 37, "TQ2_0"},
    {"MXFP4_MOE", 38, "MXFP4"},
    {"NVFP4", 39, "NVFP4"},
    {"Q1_0", 40, "Q1_0"},
    {"Q2_0", 41, "Q2_0"},
};

/// How a tensor's name tells its kind. The first line that applies counts; a tensor without one is of kind "other".
struct name_pattern {
    std::string_view text;
    bool whole;  ///< the whole name, not a part of it
    std::string_view kind;
};
inline constexpr name_pattern kind_patterns[] = {
    {"output.weight", true, "output"},
    {"token_embd.weight", true, "embedding"},  // is of kind "output" in a model that has no output.weight
    {"per_layer_token_embd.weight", true, "embedding"},
    {"attn_qkv.weight", false, "attn_v"},  // contains v, which is the sensitive part
    {"attn_kv_b.weight", false, "attn_v"},
    {"attn_v.weight", false, "attn_v"},
    {"attn_k.weight", false, "attn_k"},
    {"attn_q.weight", false, "attn_q"},
    {"attn_output.weight", false, "attn_output"},
    {"ffn_up", false, "ffn_up"},
    {"ffn_gate", false, "ffn_gate"},
    {"ffn_down", false, "ffn_down"},
};

/// Matrices that stay as they are: small, or sensitive, or not weights. So do tensors with one dimension and names that do not end in
/// "weight".
inline constexpr name_pattern kept_patterns[] = {
    {"_norm.weight", false, "norm"},
    {"ffn_gate_inp.weight", false, "expert gate"},
    {"ffn_gate_tid2eid.weight", false, "expert routing"},
    {"altup", false, "small"},
    {"laurel", false, "small"},
    {"per_layer_model_proj", false, "small"},
    {"position_embd.weight", true, "position"},
    {"token_types.weight", true, "token type"},
    {"ssm_conv1d", false, "convolution"},
    {"shortconv.conv.weight", false, "convolution"},
    {"indexer.k_proj.weight", false, "indexer"},
    {"indexer.q_proj.weight", false, "indexer"},
    {"time_mix_first.weight", false, "time mix"},
    {"time_mix_w0.weight", false, "time mix"},
    {"time_mix_w1.weight", false, "time mix"},
    {"time_mix_w2.weight", false, "time mix"},
    {"time_mix_v0.weight", false, "time mix"},
    {"time_mix_v1.weight", false, "time mix"},
    {"time_mix_v2.weight", false, "time mix"},
    {"time_mix_a0.weight", false, "time mix"},
    {"time_mix_a1.weight", false, "time mix"},
    {"time_mix_a2.weight", false, "time mix"},
    {"time_mix_g1.weight", false, "time mix"},
    {"time_mix_g2.weight", false, "time mix"},
    {"time_mix_decay_w1.weight", false, "time mix"},
    {"time_mix_decay_w2.weight", false, "time mix"},
    {"time_mix_lerp_fused.weight", false, "time mix"},
    {"attn_rel_b.weight", false, "position"},
    {".position_embd", false, "position"},
    {"sam.pos_embd", false, "vision"},
    {"sam.neck.", false, "vision"},
    {"sam.net_", false, "vision"},
    {".rel_pos", false, "vision"},
    {".patch_embd", false, "vision"},
    {".patch_merger", false, "vision"},
    {"a.rvq.codebook", false, "audio"},
    {"mm.a.code_embd", false, "audio"},
};

/// Models that count as "70B" in the rules, where eight query heads share each v.
struct large_model {
    std::string_view architecture;
    std::uint64_t layers;
    bool shared_heads;  ///< only if there are fewer key-value heads than heads
};
inline constexpr large_model large_models[] = {
    {"llama", 80, true},
    {"deci", 80, false},
    {"qwen2", 80, false},
};

/// One line of the mixture. Lines are tried from the top; the first that applies decides, unless it says to go on.
struct recipe_rule {
    std::string_view kinds;       ///< kinds of tensors; empty: any
    std::string_view file_types;  ///< empty: any
    std::string_view conditions;  ///< all must hold; the words are those of rule_conditions
    std::string_view type;        ///< empty: keep what was chosen so far
    bool go_on = false;           ///< continue below with this type
};

/// What the words in a rule mean. i is the tensor's number among those of its kind that were chosen so far, or the number in "blk.i."
/// for the feed-forward tensors of a model with experts. n is the number of layers (of tensors, for attn_v). Divisions are integer.
inline constexpr std::string_view rule_conditions =
    "falcon "       // the architecture
    "not_falcon "   //
    "not_bailing "  // the architecture is not bailingmoe3
    "gqa_4 "        // at least four heads share keys and values
    "less_than_gqa_4 "
    "experts_4 "  // at least four experts
    "experts_8 "  // exactly eight experts
    "experts_not_8 "
    "importance "  // an importance file is used
    "no_importance "
    "odd_row "    // the row is not a multiple of the default type's block
    "stacked "    // three-dimensional: the matrices of all experts
    "default_8 "  // the default type is Q8_0
    "low_bits "   // Q3_K or Q4_K was chosen so far
    "model_70b "
    "first_2 "         // i < 2
    "first_4 "         // i < 4
    "first_eighth "    // i < n / 8
    "counted_eighth "  // the same, and i is never taken from the name
    "first_16th "      // i < n / 16
    "middle "          // n / 8 <= i < 7 * n / 8
    "more "            // i < n / 8, or i >= 7 * n / 8, or every third between them
    ;

inline constexpr std::string_view very_low_types = "IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ2_M";

inline constexpr recipe_rule recipe_rules[] = {
    // The matrix that makes the words: always good.
    {"output", "MXFP4_MOE", "", "Q8_0"},
    {"output", "", "falcon", "Q8_0"},
    {"output", "", "odd_row", "Q8_0"},
    {"output", "IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ2_M IQ3_XXS", "", "Q5_K"},
    {"output", "", "default_8", ""},
    {"output", "", "", "Q6_K"},

    // Experts small, the rest good.
    {"ffn_up ffn_gate ffn_down", "MXFP4_MOE", "stacked", "MXFP4"},
    {"", "MXFP4_MOE", "stacked not_bailing", "MXFP4"},
    {"", "MXFP4_MOE", "", "Q8_0"},

    {"embedding", "IQ1_S IQ1_M IQ2_XXS IQ2_XS", "", "Q2_K"},
    {"embedding", "IQ2_S IQ2_M IQ3_XXS", "", "IQ3_S"},
    {"embedding", "TQ1_0 TQ2_0 Q2_0", "", "Q4_K"},
    {"embedding", "", "", ""},

    // Below three bits few tensors carry the model.
    {"attn_v", very_low_types, "gqa_4", "Q4_K"},
    {"attn_v", very_low_types, "experts_4", "Q4_K"},
    {"attn_v", "IQ2_S IQ2_M", "", "IQ3_S"},
    {"attn_v", very_low_types, "", "Q2_K"},
    {"attn_k", very_low_types, "experts_8", "Q4_K"},
    {"ffn_down", "IQ2_S IQ2_M", "counted_eighth", "IQ3_S"},
    {"ffn_down", very_low_types, "counted_eighth", "Q2_K"},
    {"attn_output", very_low_types, "experts_8", "Q5_K"},
    {"attn_output", "IQ1_S IQ1_M", "", "IQ2_XXS"},
    {"attn_output", "IQ2_S IQ2_M", "", "IQ3_S"},
    {"", very_low_types, "", ""},

    // Attention values: the last two lines work on what the lines before chose.
    {"attn_v", "Q2_K Q2_K_S IQ3_XXS IQ3_XS IQ3_S", "gqa_4", "Q4_K", true},
    {"attn_v", "IQ4_NL IQ4_XS", "gqa_4", "Q5_K", true},
    {"attn_v", "Q2_K", "less_than_gqa_4", "Q3_K", true},
    {"attn_v", "IQ3_XXS", "less_than_gqa_4 no_importance", "IQ3_S", true},
    {"attn_v", "IQ3_M", "", "Q4_K", true},
    {"attn_v", "Q3_K_M", "", "Q4_K", true},
    {"attn_v", "Q3_K_M", "first_2", "Q5_K", true},
    {"attn_v", "Q3_K_L", "", "Q5_K", true},
    {"attn_v", "Q4_K_M Q5_K_M", "more", "Q6_K", true},
    {"attn_v", "Q4_K_S", "first_4", "Q5_K", true},
    {"attn_v", "", "model_70b low_bits", "Q5_K", true},
    {"attn_v", "", "experts_8", "Q8_0"},

    {"attn_k", "", "experts_8", "Q8_0"},
    {"attn_k attn_q", "IQ3_XS", "", "IQ3_XXS"},
    {"attn_k attn_q", "IQ3_XXS", "", "IQ2_S"},

    {"ffn_down", "Q2_K", "", "Q3_K"},
    {"ffn_down", "Q2_K_S", "first_eighth", "Q4_K"},
    {"ffn_down", "IQ3_XXS", "no_importance first_eighth", "Q4_K"},
    {"ffn_down", "IQ3_XXS", "no_importance", "Q3_K"},
    {"ffn_down", "Q3_K_M", "first_16th", "Q5_K"},
    {"ffn_down", "Q3_K_M", "not_falcon", "Q4_K"},
    {"ffn_down", "Q3_K_M", "more", "Q4_K"},
    {"ffn_down", "IQ3_M", "first_eighth", "Q4_K"},
    {"ffn_down", "IQ3_M", "experts_8 more", "Q4_K"},
    {"ffn_down", "Q3_K_L", "falcon", "Q4_K"},
    {"ffn_down", "Q3_K_L", "", "Q5_K"},
    {"ffn_down", "Q4_K_M", "falcon first_16th", "Q6_K"},
    {"ffn_down", "Q4_K_M", "falcon more", "Q5_K"},
    {"ffn_down", "Q4_K_M", "not_falcon more", "Q6_K"},
    {"ffn_down", "IQ4_NL IQ4_XS", "no_importance first_eighth", "Q5_K"},
    {"ffn_down", "Q5_K_M", "more", "Q6_K"},
    {"ffn_down", "Q4_K_S", "not_falcon first_eighth", "Q5_K"},
    {"ffn_down", "Q4_0", "importance first_eighth", "Q4_1"},
    {"ffn_down", "Q5_0", "importance first_eighth", "Q5_1"},

    {"attn_output", "Q3_K_L", "falcon", "Q4_K"},
    {"attn_output", "", "falcon", ""},
    {"attn_output", "Q2_K IQ3_XS IQ3_XXS Q3_K_S Q3_K_M IQ4_NL Q4_K_S Q4_K_M IQ3_S IQ3_M IQ4_XS", "experts_8", "Q5_K"},
    {"attn_output", "Q2_K", "experts_not_8", "Q3_K"},
    {"attn_output", "IQ3_XXS", "experts_not_8", "IQ3_S"},
    {"attn_output", "Q3_K_M IQ3_M", "experts_not_8", "Q4_K"},
    {"attn_output", "Q3_K_L", "experts_not_8", "Q5_K"},

    {"ffn_gate ffn_up", "IQ3_XS", "middle", "IQ3_XXS"},
};

/// Types whose tensors are poor without importance; llama.cpp refuses to make them. The output and the embedding are exempt.
struct importance_need {
    std::string_view type;
    std::string_view file_types;  ///< empty: in any file
};
inline constexpr importance_need importance_needs[] = {
    {"IQ1_S", ""}, {"IQ1_M", ""}, {"IQ2_XXS", ""}, {"IQ2_XS", ""}, {"IQ2_S", ""}, {"IQ3_XXS", ""}, {"Q2_K", "Q2_K_S"},
};

}  // namespace gguf
NIBBLE_NAMESPACE_END
