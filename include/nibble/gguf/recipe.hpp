// Which type each tensor of a model gets when a whole file is quantized "to Q4_K_M": the mixing of tensor types that llama.cpp does.
// The rules are tables in recipe_rules.hpp; this file is the function that reads them.
//
//     nibble::gguf::recipe mixture(*nibble::gguf::find_file_type("Q4_K_M"), nibble::gguf::facts_of(model));
//     for (const auto& t : model.tensors()) mixture.announce(t.name);
//     for (std::size_t i : order) auto choice = mixture.choose(model.tensors()[i]);   // order: see recipe_order
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/format/list.hpp"
#include "nibble/gguf/reader.hpp"
#include "nibble/gguf/recipe_rules.hpp"
#include "nibble/gguf/tensor_info.hpp"

NIBBLE_BASELINE_BEGIN
namespace gguf {

/// Equal but for the case of ASCII letters.
NIBBLE_INLINE constexpr bool same_name(std::string_view a, std::string_view b) noexcept {
    constexpr auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
}

namespace detail {
/// The formats of nibble as tensor types: those that ggml does not name are found here.
inline constexpr tensor_type listed_types[] = {
#define NIBBLE_X(format) {format::name, format::gguf_type, static_cast<std::uint32_t>(format::block_size), {}},
    NIBBLE_FORMATS(NIBBLE_X)
#undef NIBBLE_X
};
}  // namespace detail

/// A tensor type by ggml's name in any case; nullptr if there is none.
NIBBLE_INLINE constexpr const tensor_type* find_tensor_type(std::string_view name) noexcept {
    for (const tensor_type& t : tensor_types) {
        if (same_name(t.name, name)) return &t;
    }
    for (const tensor_type& t : detail::listed_types) {
        if (same_name(t.name, name)) return &t;
    }
    return nullptr;
}
/// A tensor type by its number; nullptr for a number that has none.
NIBBLE_INLINE constexpr const tensor_type* find_tensor_type(std::uint32_t number) noexcept {
    for (const tensor_type& t : tensor_types) {
        if (t.number == number) return &t;
    }
    for (const tensor_type& t : detail::listed_types) {
        if (t.number == number) return &t;
    }
    return nullptr;
}
/// ggml's name of a tensor type; "?" if it has none.
NIBBLE_INLINE constexpr std::string_view type_name(std::uint32_t number) noexcept {
    const tensor_type* t = find_tensor_type(number);
    return t == nullptr ? std::string_view("?") : t->name;
}
/// Floats of 32 or 16 bits, as opposed to types that quantize.
NIBBLE_INLINE constexpr bool is_float_type(const tensor_type& t) noexcept { return t.weights && t.block_size == 1; }

/// A file type by name or alias in any case ("iq3_m"), or by its number in decimal ("27"); nullptr if there is none.
NIBBLE_INLINE constexpr const file_type* find_file_type(std::string_view text) noexcept {
    for (const file_type& t : file_types) {
        if (same_name(t.name, text) || (!t.alias.empty() && same_name(t.alias, text))) return &t;
    }
    std::uint32_t number = 0;
    for (const char c : text) {
        if (c < '0' || c > '9' || number > 1000) return nullptr;
        number = 10 * number + static_cast<std::uint32_t>(c - '0');
    }
    for (const file_type& t : file_types) {
        if (!text.empty() && t.number == number) return &t;
    }
    return nullptr;
}

/// What the rules want to know of a model.
struct model_facts {
    std::string_view architecture{};  ///< `general.architecture`, e.g. "llama"
    std::uint64_t layers = 0;         ///< blocks of the model
    std::uint64_t heads = 0;          ///< of the first layer
    std::uint64_t heads_kv = 0;       ///< heads of keys and values, of the first layer
    std::uint64_t experts = 0;        ///< 0 in a model without
};

/// The facts from a file's metadata; what is missing there stays 0. Views into the file.
inline model_facts facts_of(const reader& file) noexcept {
    model_facts facts;
    if (const value_view* v = file.find("general.architecture")) facts.architecture = v->as_string().value_or(std::string_view());
    const auto number = [&](std::string_view suffix) noexcept -> std::uint64_t {
        for (const metadata_entry& e : file.metadata()) {
            // The key is "<architecture>.<suffix>".
            const std::size_t at = facts.architecture.size();
            if (e.key.size() != at + 1 + suffix.size() || !e.key.starts_with(facts.architecture) || e.key[at] != '.') continue;
            if (!e.key.ends_with(suffix)) continue;
            const value_view first = e.value.is_array() ? e.value.at(0).value_or(value_view()) : e.value;
            return first.as_u64().value_or(0);
        }
        return 0;
    };
    facts.layers = number("block_count");
    facts.heads = number("attention.head_count");
    facts.heads_kv = number("attention.head_count_kv");
    if (facts.heads_kv == 0) facts.heads_kv = facts.heads;
    facts.experts = number("expert_count");
    return facts;
}

/// The number in "blk.<number>..." or -1.
NIBBLE_INLINE constexpr std::int64_t layer_of(std::string_view name) noexcept {
    if (!name.starts_with("blk.")) return -1;
    std::int64_t layer = -1;
    for (const char c : name.substr(4)) {
        if (c < '0' || c > '9' || layer > 1'000'000) break;
        layer = (layer < 0 ? 0 : 10 * layer) + (c - '0');
    }
    return layer;
}

/// Fills `order` with the positions of the tensors in the order in which llama.cpp chooses types and writes them: what is in no block,
/// then block after block, each sorted by name. @param order as long as `tensors`
inline void recipe_order(std::span<const tensor_info> tensors, std::span<std::size_t> order) noexcept {
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const std::int64_t x = layer_of(tensors[a].name), y = layer_of(tensors[b].name);
        return x != y ? x < y : tensors[a].name < tensors[b].name;
    });
}

/// Options that change what the rules choose; they have the names of llama-quantize's.
struct recipe_options {
    bool pure = false;                       ///< the default type for every matrix
    bool leave_output = false;               ///< keep output.weight as it is
    bool importance = false;                 ///< an importance file is used, which changes some rules
    const tensor_type* output = nullptr;     ///< for output.weight, and for the embedding where it serves as output
    const tensor_type* embedding = nullptr;  ///< for token_embd.weight
};

/// Why a tensor got its type.
enum class choice_reason : std::uint8_t {
    kept,       ///< not a matrix of weights
    file_type,  ///< the default of the file type
    rule,       ///< a line of recipe_rules
    option,     ///< recipe_options, or the override of that tensor
    fallback,   ///< its rows do not fit the wanted type
};
/// Its name in reports.
NIBBLE_INLINE constexpr std::string_view name_of(choice_reason why) noexcept {
    constexpr std::string_view names[] = {"kept", "file type", "rule", "option", "fallback"};
    return names[static_cast<std::size_t>(why)];
}

/// The type of a tensor in the new file.
struct type_choice {
    std::uint32_t type = 0;                   ///< GGUF number
    std::uint32_t wanted = 0;                 ///< what it would be without the fallback
    choice_reason why = choice_reason::kept;  ///< which rule decided
    bool wants_importance = false;            ///< poor without importance; llama.cpp would refuse
};

/// Chooses types. First announce() every tensor of the model, then choose() for each of them in recipe_order: some rules count.
class recipe {
public:
    /// For one file; refers to `type` and the texts in `facts`.
    recipe(const file_type& type, const model_facts& facts, const recipe_options& options = {}) noexcept
        : file_(type), facts_(facts), options_(options), default_(find_tensor_type(type.type)) {}

    /// Tells of a tensor: some rules depend on how many of a kind there are.
    void announce(std::string_view name) noexcept {
        const std::string_view kind = pattern_kind(name);
        if (kind == "attn_v") ++attn_v_.count;
        if (kind == "output") tied_ = false;
    }

    /// @param chosen_by_user the type that the user wants for this tensor, e.g. by --tensor-type; nullptr: none
    /// @return errc::bad_shape if rows do not fit a type that has no fallback
    result<type_choice> choose(const tensor_info& tensor, const tensor_type* chosen_by_user = nullptr) noexcept {
        if (is_kept(tensor)) return type_choice{tensor.type, tensor.type, choice_reason::kept, false};
        const bool is_embedding = pattern_kind(tensor.name) == "embedding", is_output = pattern_kind(tensor.name) == "output";
        // llama.cpp takes these two at their word, without a fallback.
        if (is_embedding && options_.embedding != nullptr) return fixed(*options_.embedding);
        if (is_output && options_.output != nullptr) return fixed(*options_.output);

        type_choice choice{default_->number, default_->number, choice_reason::file_type, false};
        if (!is_float_type(*default_)) {
            if (chosen_by_user != nullptr) {
                choice.type = chosen_by_user->number;
                choice.why = choice_reason::option;
            } else if (!options_.pure) {
                apply_rules(tensor, choice);
            }
            choice.wanted = choice.type;
            if (const status s = fall_back(tensor, choice); !s) return s;
        }
        choice.wants_importance = !is_embedding && !is_output && needs_importance(choice.type);
        return choice;
    }

private:
    struct counter {
        std::uint64_t next = 0, count = 0;
    };

    static constexpr bool has_word(std::string_view list, std::string_view word) noexcept {
        for (std::size_t at = 0; (at = list.find(word, at)) != std::string_view::npos; ++at) {
            const std::size_t end = at + word.size();
            if ((at == 0 || list[at - 1] == ' ') && (end == list.size() || list[end] == ' ')) return true;
        }
        return false;
    }
    static constexpr bool names(std::string_view list, std::string_view word) noexcept { return list.empty() || has_word(list, word); }

    static constexpr bool fits(const name_pattern& pattern, std::string_view name) noexcept {
        return pattern.whole ? name == pattern.text : name.find(pattern.text) != std::string_view::npos;
    }
    static constexpr std::string_view pattern_kind(std::string_view name) noexcept {
        for (const name_pattern& p : kind_patterns) {
            if (fits(p, name)) return p.kind;
        }
        return "other";
    }
    bool is_kept(const tensor_info& tensor) const noexcept {
        if (tensor.shape[1] == 1 && tensor.shape[2] == 1 && tensor.shape[3] == 1) return true;
        if (!tensor.name.ends_with("weight")) return true;
        if (options_.leave_output && pattern_kind(tensor.name) == "output") return true;
        for (const name_pattern& p : kept_patterns) {
            if (fits(p, tensor.name)) return true;
        }
        return false;
    }
    static type_choice fixed(const tensor_type& type) noexcept { return {type.number, type.number, choice_reason::option, false}; }

    void apply_rules(const tensor_info& tensor, type_choice& choice) noexcept {
        std::string_view kind = pattern_kind(tensor.name);
        if (kind == "embedding" && tied_) kind = "output";
        if (kind == "output" && options_.output != nullptr) {
            choice = fixed(*options_.output);
            return;
        }
        counter& position = counter_of(kind);
        for (const recipe_rule& rule : recipe_rules) {
            if (!names(rule.kinds, kind) || !names(rule.file_types, file_.name)) continue;
            if (!hold(rule.conditions, tensor, position, choice.type)) continue;
            if (!rule.type.empty()) {
                choice.type = find_tensor_type(rule.type)->number;
                choice.why = choice_reason::rule;
            }
            if (!rule.go_on) break;
        }
        ++position.next;
    }
    counter& counter_of(std::string_view kind) noexcept {
        if (kind == "attn_v") return attn_v_;
        counter& c = kind == "ffn_down" ? ffn_down_ : kind == "ffn_gate" ? ffn_gate_ : kind == "ffn_up" ? ffn_up_ : other_;
        c.count = facts_.layers;
        return c;
    }

    bool hold(std::string_view conditions, const tensor_info& tensor, const counter& position, std::uint32_t so_far) const noexcept {
        while (!conditions.empty()) {
            const std::size_t end = (std::min)(conditions.find(' '), conditions.size());
            if (!holds(conditions.substr(0, end), tensor, position, so_far)) return false;
            conditions.remove_prefix((std::min)(end + 1, conditions.size()));
        }
        return true;
    }
    /// One word of rule_conditions.
    bool holds(std::string_view word, const tensor_info& tensor, const counter& position, std::uint32_t so_far) const noexcept {
        const std::uint64_t n = position.count, sharing = facts_.heads_kv == 0 ? 0 : facts_.heads / facts_.heads_kv;
        std::uint64_t i = position.next;
        if (word == "counted_eighth") return i < n / 8;
        // Files do not keep the tensors of experts in order, so the name tells the layer.
        if (facts_.experts > 1 && pattern_kind(tensor.name).starts_with("ffn_") && layer_of(tensor.name) >= 0) {
            i = static_cast<std::uint64_t>(layer_of(tensor.name));
        }
        if (word == "falcon") return facts_.architecture == "falcon";
        if (word == "not_falcon") return facts_.architecture != "falcon";
        if (word == "not_bailing") return facts_.architecture != "bailingmoe3";
        if (word == "gqa_4") return sharing >= 4;
        if (word == "less_than_gqa_4") return sharing < 4;
        if (word == "experts_4") return facts_.experts >= 4;
        if (word == "experts_8") return facts_.experts == 8;
        if (word == "experts_not_8") return facts_.experts != 8;
        if (word == "importance") return options_.importance;
        if (word == "no_importance") return !options_.importance;
        if (word == "odd_row") return tensor.cols() % default_->block_size != 0;
        if (word == "stacked") return tensor.shape[2] > 1;
        if (word == "default_8") return default_->name == "Q8_0";
        if (word == "low_bits") return type_name(so_far) == "Q3_K" || type_name(so_far) == "Q4_K";
        if (word == "model_70b") return is_large();
        if (word == "first_2") return i < 2;
        if (word == "first_4") return i < 4;
        if (word == "first_eighth") return i < n / 8;
        if (word == "first_16th") return i < n / 16;
        if (word == "middle") return i >= n / 8 && i < 7 * n / 8;
        if (word == "more") return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
        return false;
    }
    bool is_large() const noexcept {
        for (const large_model& m : large_models) {
            if (m.architecture == facts_.architecture && m.layers == facts_.layers && (!m.shared_heads || facts_.heads != facts_.heads_kv))
                return true;
        }
        return false;
    }

    static status fall_back(const tensor_info& tensor, type_choice& choice) noexcept {
        const tensor_type* type = find_tensor_type(choice.type);
        if (tensor.cols() % type->block_size == 0) return {};
        if (type->fallback.empty())
            return {errc::bad_shape, "the rows of a tensor are not whole blocks of the chosen type, which has no fallback"};
        const tensor_type* other = find_tensor_type(type->fallback);
        if (tensor.cols() % other->block_size != 0) other = find_tensor_type(last_fallback);
        choice.type = other->number;
        choice.why = choice_reason::fallback;
        return {};
    }
    bool needs_importance(std::uint32_t type) const noexcept {
        for (const importance_need& need : importance_needs) {
            if (type_name(type) == need.type && names(need.file_types, file_.name)) return true;
        }
        return false;
    }

    const file_type& file_;
    model_facts facts_;
    recipe_options options_;
    const tensor_type* default_;
    counter attn_v_, ffn_down_, ffn_gate_, ffn_up_, other_;
    bool tied_ = true;
};

}  // namespace gguf
NIBBLE_BASELINE_END
