#include "importance.hpp"

#include <algorithm>

#include "failure.hpp"
#include "text.hpp"

namespace tool {

namespace {

// The keys and their order are llama-quantize's.
constexpr std::string_view file_key = "quantize.imatrix.file", dataset_key = "quantize.imatrix.dataset";
constexpr std::string_view entries_key = "quantize.imatrix.entries_count", chunks_key = "quantize.imatrix.chunks_count";

/// llama-quantize keeps 127 bytes of a text; what that leaves of a character goes too.
std::string_view shortened(std::string_view text) {
    text = text.substr(0, 127);
    while (!nibble::gguf::is_utf8(text)) text.remove_suffix(1);
    return text;
}

bool contains(std::string_view name, const std::vector<std::string>& parts) {
    return std::any_of(parts.begin(), parts.end(), [&](const std::string& part) { return name.find(part) != std::string_view::npos; });
}

std::size_t expected_size(const tensor_info& t) { return static_cast<std::size_t>(t.shape[0] * t.shape[2] * t.shape[3]); }

}  // namespace

importance_source::importance_source(const std::string& path, const std::vector<std::string>& include,
                                     const std::vector<std::string>& exclude)
    : path_(path), include_(include), exclude_(exclude) {
    file_ = check(nibble::gguf::mapped_file::open(path.c_str()), escape(path));
    entries_ = check(nibble::gguf::imatrix::read(file_.bytes()), escape(path));
    for (const auto& e : entries_.entries()) count_ += is_used(e.name);
}

bool importance_source::is_used(std::string_view name) const {
    return (include_.empty() || contains(name, include_)) && !contains(name, exclude_);
}

bool importance_source::sets(std::string_view key) const {
    return key == file_key || key == entries_key || (key == dataset_key && !entries_.dataset().empty()) ||
           (key == chunks_key && entries_.chunks() > 0);
}

void importance_source::describe(nibble::gguf::writer& out, const std::string& about) const {
    check(out.set(file_key, shortened(path_)), about);
    if (!entries_.dataset().empty()) check(out.set(dataset_key, shortened(entries_.dataset())), about);
    check(out.set(entries_key, static_cast<std::uint32_t>(count_)), about);
    if (entries_.chunks() > 0) check(out.set(chunks_key, entries_.chunks()), about);
}

void importance_source::check_sizes(const std::vector<planned_tensor>& plan) const {
    for (const auto& p : plan) {
        const auto* e = is_used(p.from.name) ? entries_.find(p.from.name) : nullptr;
        if (e == nullptr || !p.converts() || e->size == expected_size(p.from) || p.from.name == "token_embd.weight") continue;
        throw failure{bad_input, escape(path_) + ": has " + std::to_string(e->size) + " weights for " + escape(p.from.name) +
                                     ", which needs " + std::to_string(expected_size(p.from)) + ": it was made for another model"};
    }
}

std::span<const float> importance_source::weights_of(const tensor_info& t) const {
    const auto* e = is_used(t.name) ? entries_.find(t.name) : nullptr;
    if (e == nullptr || e->size != expected_size(t)) return {};
    weights_.resize(e->size);
    e->weights(weights_);
    return weights_;
}

}  // namespace tool
