// nibble inspect: what a file says about itself.
#include <algorithm>
#include <map>

#include "commands.hpp"
#include "failure.hpp"
#include "json.hpp"
#include "source.hpp"
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

std::map<std::string, type_sum> sums_by_type(const source& s) {
    std::map<std::string, type_sum> sums;
    for (const auto& t : s.tensors) {
        auto& sum = sums[t.type];
        ++sum.tensors;
        sum.elements += t.elements();
        sum.bytes += t.data.size();
    }
    return sums;
}

/// What only GGUF files say.
void add_gguf(json& out, const model& m, std::size_t most) {
    out["format"] = "gguf";
    out["gguf_version"] = m.gguf->version();
    out["alignment"] = m.gguf->alignment();
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
}

/// What only safetensors files say.
void add_safetensors(json& out, const nibble::safetensors::checkpoint& c) {
    out["format"] = "safetensors";
    json files = json::array(), metadata = json::array();
    for (std::size_t i = 0; i < c.shards().size(); ++i) {
        if (!c.file_of(i).empty()) files.push_back(std::string(c.file_of(i)));
        for (const auto& e : c.shards()[i].metadata()) {
            metadata.push_back({{"key", std::string(e.key)}, {"type", "string"}, {"value", std::string(e.value)}});
        }
    }
    out["files"] = std::move(files);
    out["metadata"] = std::move(metadata);
}

std::string as_json(const source& s, bool full) {
    json out = json_head("inspect");
    out["file"] = s.path;
    out["file_bytes"] = s.file_bytes();
    if (s.gguf) add_gguf(out, *s.gguf, full ? static_cast<std::size_t>(-1) : 16);
    else add_safetensors(out, *s.safetensors);
    out["elements"] = s.elements();
    out["tensor_bytes"] = s.tensor_bytes();
    out["bits_per_weight"] = bits_per_weight(s.tensor_bytes(), s.elements());
    json tensors = json::array();
    for (const auto& t : s.tensors) {
        json entry = {{"name", std::string(t.name)}, {"type", t.type}};
        if (!t.dtype) entry["type_number"] = *t.gguf_type;
        entry.update({{"shape", t.shape}, {"offset", t.offset}, {"bytes", t.data.size()}});
        tensors.push_back(std::move(entry));
    }
    out["tensors"] = std::move(tensors);
    return json_text(out);
}

std::string head_text(const source& s, bool full) {
    const std::size_t all = static_cast<std::size_t>(-1);
    std::string out, metadata;
    if (s.gguf) {
        out = "GGUF version " + std::to_string(s.gguf->gguf->version());
        for (const auto& e : s.gguf->gguf->metadata())
            metadata += escape(e.key) + " = " + value_text(e.value, full ? all : 6, full ? all : 100) + '\n';
    } else {
        const auto shards = s.safetensors->shards();
        out = shards.size() == 1 ? "safetensors" : "safetensors, " + std::to_string(shards.size()) + " files";
        for (const auto& shard : shards) {
            for (const auto& e : shard.metadata()) {
                const bool cut = !full && e.value.size() > 100;
                metadata += escape(e.key) + " = \"" + escape(cut ? e.value.substr(0, 100) : e.value) + (cut ? "\"...\n" : "\"\n");
            }
        }
    }
    return out + ", " + std::to_string(s.tensors.size()) + " tensors, " + std::to_string(s.elements()) + " weights, " +
           human_bytes(s.file_bytes()) + ", " + fixed(bits_per_weight(s.tensor_bytes(), s.elements()), 3) + " bits per weight\n\n" +
           metadata;
}

std::string as_text(const source& s, bool full) {
    std::vector<std::vector<std::string>> rows = {{"type", "tensors", "weights", "bytes", "bits per weight"}};
    for (const auto& [type, sum] : sums_by_type(s)) {
        rows.push_back({type, std::to_string(sum.tensors), std::to_string(sum.elements), std::to_string(sum.bytes),
                        fixed(bits_per_weight(sum.bytes, sum.elements), 3)});
    }
    const std::string types = table(rows, "lrrrr");
    rows = {{"tensor", "type", "shape", "bytes"}};
    for (const auto& t : s.tensors) rows.push_back({escape(t.name), t.type, shape_text(t.shape), std::to_string(t.data.size())});
    return head_text(s, full) + '\n' + types + '\n' + table(rows, "lllr");
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
    const source s = open_source(arguments.file, arguments.follow_links);
    print(arguments.json ? as_json(s, arguments.full) : as_text(s, arguments.full));
    if (s.gguf) print_notes(*s.gguf);
    return done;
}

}  // namespace tool
