// Recipes: the tables hold together, names are found, and known models get what llama.cpp gives them. tests/interop/recipes_test.cpp
// compares every file type with llama.cpp itself, where it is installed.
#include <algorithm>
#include <array>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "nibble/gguf/recipe.hpp"
#include "support/test.hpp"

using namespace nibble::gguf;

namespace {

std::vector<std::string> words_of(std::string_view list) {
    std::istringstream words{std::string(list)};
    std::vector<std::string> all;
    for (std::string word; words >> word;) all.push_back(word);
    return all;
}

tensor_info matrix(std::string_view name, std::uint64_t cols = 4096, std::uint64_t rows = 4096, std::uint64_t experts = 1) {
    tensor_info t;
    t.name = name;
    t.type = 1;
    t.dims = experts > 1 ? 3 : 2;
    t.shape = {cols, rows, experts, 1};
    return t;
}

/// A model of Llama's kind.
struct llama {
    model_facts facts{"llama", 32, 32, 8, 0};
    std::uint64_t cols = 4096, hidden = 14336;
    bool has_output = true;
    std::vector<std::string> names;
    std::vector<tensor_info> tensors;

    void build() {
        names = {"token_embd.weight", "output_norm.weight"};
        if (has_output) names.push_back("output.weight");
        for (std::uint64_t i = 0; i < facts.layers; ++i) {
            for (const char* name : {"attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"}) {
                names.push_back("blk." + std::to_string(i) + '.' + name + ".weight");
            }
        }
        tensors.clear();
        for (const auto& name : names) {
            tensors.push_back(matrix(name, name.find("ffn_down") != std::string::npos ? hidden : cols));
            if (name.find("norm") != std::string::npos) {
                tensors.back().dims = 1;
                tensors.back().shape = {cols, 1, 1, 1};
            }
        }
    }
    /// How often each type occurs.
    std::map<std::string, int> counts(std::string_view type, const recipe_options& options = {}) {
        build();
        recipe mixture(*find_file_type(type), facts, options);
        for (const auto& t : tensors) mixture.announce(t.name);
        std::vector<std::size_t> order(tensors.size());
        recipe_order(tensors, order);
        std::map<std::string, int> found;
        for (const std::size_t i : order) {
            const auto choice = mixture.choose(tensors[i]);
            REQUIRE(choice);
            if (choice->why != choice_reason::kept) ++found[std::string(type_name(choice->type))];
        }
        return found;
    }
};

using counts = std::map<std::string, int>;

}  // namespace

TEST_CASE("the tables name only what exists") {
    const auto is_file_type = [](const std::string& name) {
        return std::any_of(std::begin(file_types), std::end(file_types), [&](const file_type& t) { return t.name == name; });
    };
    const auto is_tensor_type = [](std::string_view name) {
        return find_tensor_type(name) != nullptr && find_tensor_type(name)->name == name;
    };
    std::vector<std::string> kinds = {"other"};
    for (const auto& p : kind_patterns) kinds.emplace_back(p.kind);
    const auto conditions = words_of(rule_conditions);
    for (const auto& rule : recipe_rules) {
        for (const auto& kind : words_of(rule.kinds)) CHECK(std::count(kinds.begin(), kinds.end(), kind) > 0);
        for (const auto& type : words_of(rule.file_types)) CHECK(is_file_type(type));
        for (const auto& word : words_of(rule.conditions)) CHECK(std::count(conditions.begin(), conditions.end(), word) == 1);
        if (!rule.type.empty()) CHECK(is_tensor_type(rule.type));
    }
    for (const auto& need : importance_needs) {
        CHECK(is_tensor_type(need.type));
        for (const auto& type : words_of(need.file_types)) CHECK(is_file_type(type));
    }
    for (const auto& t : file_types) CHECK(is_tensor_type(t.type));
    for (const auto& t : tensor_types) {
        if (!t.fallback.empty()) CHECK(is_tensor_type(t.fallback));
        CHECK(t.block_size != 0);
        // Sizes that both know agree.
        const auto traits = nibble::traits_of(t.number);
        if (traits.block_size != 0) CHECK(traits.block_size == t.block_size);
    }
    CHECK(is_tensor_type(last_fallback));
}

TEST_CASE("names and numbers occur once") {
    for (const auto& a : file_types) {
        CHECK(std::count_if(std::begin(file_types), std::end(file_types), [&](const file_type& b) { return a.number == b.number; }) == 1);
        CHECK(find_file_type(a.name) == &a);
        CHECK(find_file_type(std::to_string(a.number)) == &a);
    }
    for (const auto& a : tensor_types) {
        CHECK(find_tensor_type(a.name) == &a);
        CHECK(find_tensor_type(a.number) == &a);
    }
    CHECK(find_file_type("q4_k_m") == find_file_type("15"));
    CHECK(find_file_type("Q4_K") == find_file_type("Q4_K_M"));
    for (const char* wrong : {"", "Q4", "Q4_K_", "-1", "015x", "99999999999999999999", "4294967311", " Q4_0"})
        CHECK(find_file_type(wrong) == nullptr);
    for (const char* wrong : {"", "Q4_K_M", "q9"}) CHECK(find_tensor_type(wrong) == nullptr);
    CHECK(type_name(12) == "Q4_K");
    CHECK(type_name(4) == "?");
}

TEST_CASE("every format of nibble is a tensor type") {
#define NIBBLE_X(format) CHECK(find_tensor_type(nibble::format::name)->number == nibble::format::gguf_type);
    NIBBLE_FORMATS(NIBBLE_X)
#undef NIBBLE_X
}

TEST_CASE("layers come from names, and the order of files from layers") {
    CHECK(layer_of("blk.0.attn_q.weight") == 0);
    CHECK(layer_of("blk.123.x") == 123);
    CHECK(layer_of("blk..x") == -1);
    CHECK(layer_of("output.weight") == -1);
    CHECK(layer_of("enc.blk.1.x") == -1);
    const std::array<tensor_info, 5> tensors = {matrix("blk.10.a"), matrix("blk.2.b"), matrix("output.weight"), matrix("blk.2.a"),
                                                matrix("a.weight")};
    std::array<std::size_t, 5> order{};
    recipe_order(tensors, order);
    CHECK(order == std::array<std::size_t, 5>{4, 2, 3, 1, 0});
}

TEST_CASE("a model of 8 billion weights") {
    llama m;
    // Four of the first 32 / 8 layers, the last four, and every third between: 4 + 4 + 8 of each kind.
    CHECK(m.counts("Q4_K_M") == counts{{"Q6_K", 33}, {"Q4_K", 193}});
    CHECK(m.counts("Q4_K_S") == counts{{"Q6_K", 1}, {"Q5_K", 8}, {"Q4_K", 217}});
    CHECK(m.counts("Q5_K_M") == counts{{"Q6_K", 33}, {"Q5_K", 193}});
    CHECK(m.counts("Q6_K") == counts{{"Q6_K", 226}});
    CHECK(m.counts("Q8_0") == counts{{"Q8_0", 226}});
    CHECK(m.counts("F16") == counts{{"F16", 226}});
    CHECK(m.counts("Q2_K") == counts{{"Q6_K", 1}, {"Q4_K", 32}, {"Q3_K", 64}, {"Q2_K", 129}});
    CHECK(m.counts("Q4_0") == counts{{"Q6_K", 1}, {"Q4_0", 225}});
    CHECK(m.counts("Q4_0", {.importance = true}) == counts{{"Q6_K", 1}, {"Q4_1", 4}, {"Q4_0", 221}});
    CHECK(m.counts("MXFP4_MOE") == counts{{"Q8_0", 226}});
}

TEST_CASE("without output.weight the embedding serves as output") {
    llama m;
    m.has_output = false;
    CHECK(m.counts("Q4_0") == counts{{"Q6_K", 1}, {"Q4_0", 224}});
}

TEST_CASE("options") {
    llama m;
    CHECK(m.counts("Q4_K_M", {.pure = true}) == counts{{"Q4_K", 226}});
    CHECK(m.counts("Q4_0", {.leave_output = true}) == counts{{"Q4_0", 225}});
    CHECK(m.counts("Q4_0", {.output = find_tensor_type("q8_0")}) == counts{{"Q8_0", 1}, {"Q4_0", 225}});
    CHECK(m.counts("Q4_0", {.embedding = find_tensor_type("f16")}) == counts{{"F16", 1}, {"Q6_K", 1}, {"Q4_0", 224}});
    recipe mixture(*find_file_type("Q4_0"), m.facts);
    const auto choice = mixture.choose(matrix("blk.0.attn_v.weight"), find_tensor_type("q8_0"));
    REQUIRE(choice);
    CHECK(type_name(choice->type) == "Q8_0");
    CHECK(choice->why == choice_reason::option);
}

TEST_CASE("rows that do not fit fall back") {
    llama m;
    m.cols = 160;
    m.hidden = 160;
    CHECK(m.counts("Q4_K_S") == counts{{"Q8_0", 1}, {"Q5_1", 8}, {"Q5_0", 217}});
    m.cols = 144;
    m.hidden = 144;
    CHECK(m.counts("Q4_K_S") == counts{{"F16", 226}});
    recipe mixture(*find_file_type("Q4_K_M"), m.facts);
    const auto choice = mixture.choose(matrix("blk.0.attn_q.weight", 160));
    REQUIRE(choice);
    CHECK(choice->why == choice_reason::fallback);
    CHECK(type_name(choice->wanted) == "Q4_K");
    const auto none = mixture.choose(matrix("blk.0.attn_q.weight", 160), find_tensor_type("q1_0"));
    CHECK(none.error() == nibble::errc::bad_shape);
}

TEST_CASE("what is kept") {
    recipe mixture(*find_file_type("Q4_K_M"), {});
    for (const char* name :
         {"blk.0.attn_norm.weight", "blk.0.ffn_gate_inp.weight", "blk.0.attn_q.bias", "position_embd.weight", "blk.0.ssm_conv1d.weight"}) {
        const auto choice = mixture.choose(matrix(name));
        REQUIRE(choice);
        CHECK(choice->why == choice_reason::kept);
        CHECK(choice->type == 1);
    }
    auto vector = matrix("blk.0.something.weight");
    vector.shape[1] = 1;
    CHECK(mixture.choose(vector)->why == choice_reason::kept);
}

TEST_CASE("which types want importance") {
    for (const char* type : {"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "Q2_K_S"}) {
        llama m;
        m.build();
        recipe mixture(*find_file_type(type), m.facts);
        for (const auto& t : m.tensors) mixture.announce(t.name);
        bool wants = false;
        for (const auto& t : m.tensors) wants = mixture.choose(t)->wants_importance || wants;
        INFO(type);
        CHECK(wants);
    }
    recipe mixture(*find_file_type("Q2_K"), {});
    CHECK_FALSE(mixture.choose(matrix("blk.0.ffn_up.weight"))->wants_importance);
    recipe low(*find_file_type("IQ2_XXS"), {});
    low.announce("output.weight");
    CHECK_FALSE(low.choose(matrix("output.weight"))->wants_importance);
}
