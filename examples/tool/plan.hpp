// What shall become of each tensor of a model.
#pragma once

#include <nibble/gguf/recipe.hpp>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "model.hpp"

namespace tool {

/// What the user asked for.
struct plan_options {
    const nibble::gguf::file_type* type = nullptr;
    nibble::gguf::recipe_options recipe;
    std::vector<std::pair<std::regex, const nibble::gguf::tensor_type*>> overrides;  ///< the first that is found in a name counts
    bool allow_requantize = false;
};

struct planned_tensor {
    tensor_info from;
    nibble::gguf::type_choice choice;
    std::uint64_t bytes = 0;  ///< in the new file

    bool converts() const { return from.type != choice.type; }
};

/// True for types of single floats, of which nothing is lost when they are decoded and encoded again.
bool holds_floats(std::uint32_t type);

/// Types by name; an unknown one is a usage error that lists those that exist.
const nibble::gguf::file_type& parse_file_type(const std::string& text);
const nibble::gguf::tensor_type& parse_tensor_type(const std::string& text, const std::string& option);
/// PATTERN=TYPE.
std::pair<std::regex, const nibble::gguf::tensor_type*> parse_override(const std::string& text);

/// Chooses a type for every tensor, in the order of the new file, and checks that it can be done. Throws failure.
std::vector<planned_tensor> make_plan(const model& m, const plan_options& options);

}  // namespace tool
