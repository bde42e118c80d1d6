#include "plan.hpp"

#include "convert.hpp"
#include "failure.hpp"
#include "text.hpp"

namespace tool {

namespace gguf = nibble::gguf;

bool holds_floats(std::uint32_t type) {
    const auto* known = gguf::find_tensor_type(type);
    return known != nullptr && gguf::is_float_type(*known);
}

const gguf::file_type& parse_file_type(const std::string& text) {
    if (const auto* found = gguf::find_file_type(text)) return *found;
    std::string known;
    for (const auto& t : gguf::file_types) known += (known.empty() ? "" : " ") + std::string(t.name);
    throw failure{usage, "unknown type \"" + escape(text) + "\"; known are " + known};
}

const gguf::tensor_type& parse_tensor_type(const std::string& text, const std::string& option) {
    const auto* found = gguf::find_tensor_type(text);
    if (found != nullptr && found->weights) return *found;
    std::string known;
    for (const auto& t : gguf::tensor_types) {
        if (t.weights) known += (known.empty() ? "" : " ") + std::string(t.name);
    }
    throw failure{usage, option + ": unknown tensor type \"" + escape(text) + "\"; known are " + known};
}

std::pair<std::regex, const gguf::tensor_type*> parse_override(const std::string& text) {
    const std::size_t at = text.rfind('=');
    if (at == std::string::npos || at == 0) throw failure{usage, "--tensor-type: write PATTERN=TYPE instead of \"" + escape(text) + '"'};
    const auto& type = parse_tensor_type(text.substr(at + 1), "--tensor-type");
    try {
        return {std::regex(text.substr(0, at), std::regex::ECMAScript | std::regex::icase), &type};
    } catch (const std::regex_error&) {
        throw failure{usage, "--tensor-type: \"" + escape(text.substr(0, at)) + "\" is not a regular expression"};
    }
}

namespace {

/// Refuses what this build or the options cannot do, before any work is done.
void check_conversion(const model& m, const planned_tensor& p, const plan_options& options) {
    const std::string about = escape(m.path) + ": " + escape(p.from.name);
    const std::string from = type_text(p.from.type), to = type_text(p.choice.type);
    if (nibble::traits_of(p.choice.type).block_size == 0) {
        throw failure{bad_input,
                      about + ": " + std::string(options.type->name) + " needs the tensor type " + to + ", which this build does not have"};
    }
    if (!p.converts()) return;
    if (!can_decode(p.from.type)) throw failure{bad_input, about + ": tensors of type " + from + " cannot be quantized"};
    if (!holds_floats(p.from.type) && !options.allow_requantize) {
        throw failure{bad_input, about + ": is " + from +
                                     " already; quantizing it again loses quality: start from F16 or BF16, or say --allow-requantize"};
    }
    const auto block = nibble::traits_of(p.choice.type).block_size;
    if (p.from.cols() % block != 0) {
        throw failure{bad_input, about + ": rows of " + std::to_string(p.from.cols()) + " elements are not whole blocks of " + to + " (" +
                                     std::to_string(block) + ')'};
    }
}

}  // namespace

std::vector<planned_tensor> make_plan(const model& m, const plan_options& options) {
    gguf::recipe mixture(*options.type, gguf::facts_of(*m.gguf), options.recipe);
    for (const auto& t : m.tensors) mixture.announce(t.name);
    std::vector<std::size_t> order(m.tensors.size());
    gguf::recipe_order(m.tensors, order);

    std::vector<planned_tensor> plan;
    plan.reserve(order.size());
    for (const std::size_t i : order) {
        const tensor_info& t = m.tensors[i];
        const gguf::tensor_type* wanted = nullptr;
        for (const auto& [pattern, type] : options.overrides) {
            if (!std::regex_search(t.name.begin(), t.name.end(), pattern)) continue;
            wanted = type;
            break;
        }
        planned_tensor p{t, check(mixture.choose(t, wanted), escape(m.path) + ": " + escape(t.name)), 0};
        check_conversion(m, p, options);
        if (t.cols() != 0) p.bytes = row_bytes(p.choice.type, static_cast<std::size_t>(t.cols())) * (t.elements() / t.cols());
        plan.push_back(p);
    }
    return plan;
}

}  // namespace tool
