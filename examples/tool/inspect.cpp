// nibble inspect: what a file says about itself.
#include <algorithm>
#include <map>

#include "commands.hpp"
#include "failure.hpp"
#include "json.hpp"
#include "model.hpp"
#include "text.hpp"

namespace tool {

namespace {

using nibble::gguf::value_type;
using nibble::gguf::value_view;

std::string value_text(const value_view& value, std::size_t most, std::size_t longest) {
    if (value.is_array()) {
        std::string text = std::string(name_of(value.element_type())) + '[' + std::to_string(value.size()) + "] = [";
        std::size_t i = 0;
        for (const value_view element : value) {
            if (i == most) {
                text += ", ...";
                break;
            }
            text += (i++ == 0 ? "" : ", ") + value_text(element, most, longest);
        }
        return text + ']';
    }
    if (const auto s = value.as_string()) return '"' + escape(s->substr(0, longest)) + (s->size() > longest ? "\"..." : "\"");
    if (const auto b = value.as_bool()) return *b ? "true" : "false";
    if (const auto i = value.as_i64()) return std::to_string(*i);
    if (const auto u = value.as_u64()) return std::to_string(*u);
    const auto f = value.as_f64();
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%.9g", f.value_or(0));
    return buffer;
}

json value_json(const value_view& value, std::size_t most) {
    if (value.is_array()) {
        json elements = json::array();
        for (const value_view element : value) {
            if (elements.size() == most) break;
            elements.push_back(value_json(element, most));
        }
        return elements;
    }
    if (const auto s = value.as_string()) return std::string(*s);
    if (const auto b = value.as_bool()) return *b;
    if (const auto i = value.as_i64()) return *i;
    if (const auto u = value.as_u64()) return *u;
    return value.as_f64().value_or(0);
}

struct type_sum {
    std::uint64_t tensors = 0, elements = 0, bytes = 0;
};

std::map<std::string, type_sum> sums_by_type(const model& m) {
    std::map<std::string, type_sum> sums;
    for (const auto& t : m.tensors) {
        auto& sum = sums[type_text(t.type)];
        ++sum.tensors;
        sum.elements += t.elements();
        sum.bytes += t.data.size();
    }
    return sums;
}

std::string as_json(const model& m, bool full) {
    const std::size_t most = full ? static_cast<std::size_t>(-1) : 16;
    json out = json_head("inspect");
    out["file"] = m.path;
    out["file_bytes"] = m.file.bytes().size();
    out["format"] = "gguf";
    out["gguf_version"] = m.gguf->version();
    out["alignment"] = m.gguf->alignment();
    out["elements"] = m.elements();
    out["tensor_bytes"] = m.tensor_bytes();
    out["bits_per_weight"] = bits_per_weight(m.tensor_bytes(), m.elements());
    json metadata = json::array();
    for (const auto& e : m.gguf->metadata()) {
        json entry = {{"key", std::string(e.key)}, {"type", std::string(name_of(e.value.type()))}};
        if (e.value.is_array()) {
            entry["element_type"] = std::string(name_of(e.value.element_type()));
            entry["count"] = e.value.size();
        }
        entry["value"] = value_json(e.value, most);
        metadata.push_back(std::move(entry));
    }
    out["metadata"] = std::move(metadata);
    json tensors = json::array();
    for (const auto& t : m.tensors) {
        tensors.push_back({{"name", std::string(t.name)},
                           {"type", type_text(t.type)},
                           {"type_number", t.type},
                           {"shape", std::vector<std::uint64_t>(t.shape.begin(), t.shape.begin() + t.dims)},
                           {"offset", t.offset},
                           {"bytes", t.data.size()}});
    }
    out["tensors"] = std::move(tensors);
    return json_text(out);
}

std::string as_text(const model& m, bool full) {
    const std::size_t all = static_cast<std::size_t>(-1);
    std::string out = "GGUF version " + std::to_string(m.gguf->version()) + ", " + std::to_string(m.tensors.size()) + " tensors, " +
                      std::to_string(m.elements()) + " weights, " + human_bytes(m.file.bytes().size()) + ", " +
                      fixed(bits_per_weight(m.tensor_bytes(), m.elements()), 3) + " bits per weight\n\n";
    for (const auto& e : m.gguf->metadata()) out += escape(e.key) + " = " + value_text(e.value, full ? all : 6, full ? all : 100) + '\n';

    std::vector<std::vector<std::string>> rows = {{"type", "tensors", "weights", "bytes", "bits per weight"}};
    for (const auto& [type, sum] : sums_by_type(m)) {
        rows.push_back({type, std::to_string(sum.tensors), std::to_string(sum.elements), std::to_string(sum.bytes),
                        fixed(bits_per_weight(sum.bytes, sum.elements), 3)});
    }
    out += '\n' + table(rows, "lrrrr");

    rows = {{"tensor", "type", "shape", "bytes"}};
    for (const auto& t : m.tensors) rows.push_back({escape(t.name), type_text(t.type), shape_text(t), std::to_string(t.data.size())});
    return out + '\n' + table(rows, "lllr");
}

/// Oddities that the reader let pass.
void print_notes(const model& m) {
    const auto& notes = m.gguf->notes();
    const auto note = [](bool there, const char* text) {
        if (there) std::fprintf(stderr, "nibble: note: %s\n", text);
    };
    note(notes.odd_keys != 0, "keys with unusual characters");
    note(notes.invalid_utf8 != 0, "text that is not UTF-8");
    note(notes.odd_bools != 0, "bools that are neither 0 nor 1");
    note(notes.gap_bytes != 0, "gaps between tensors");
    note(notes.trailing_bytes != 0, "bytes after the last tensor");
    note(notes.out_of_order, "tensor data in another order than the list of tensors");
}

}  // namespace

int inspect(const inspect_arguments& arguments) {
    const model m = open_model(arguments.file);
    print(arguments.json ? as_json(m, arguments.full) : as_text(m, arguments.full));
    print_notes(m);
    return done;
}

}  // namespace tool
