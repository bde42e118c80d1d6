// Machine output: one JSON object on standard output.
#pragma once

#include <nibble/algo/distortion.hpp>
#include <nibble/version.hpp>
#include <nlohmann/json.hpp>
#include <string>

namespace tool {

using json = nlohmann::ordered_json;

/// The head that all outputs share. `schema` changes when a field changes its meaning or disappears.
inline json json_head(const char* command) {
    return {{"schema", 1}, {"tool", "nibble"}, {"version", NIBBLE_VERSION_STRING}, {"command", command}};
}

/// Bytes of a file that are not UTF-8 become U+FFFD.
inline std::string json_text(const json& value) { return value.dump(1, ' ', false, json::error_handler_t::replace) + '\n'; }

/// JSON has no infinity: `sqnr_db` is null for a lossless tensor.
inline json json_of(const nibble::distortion_report& r) {
    return {{"rmse", r.rmse}, {"sqnr_db", r.sqnr_db}, {"cosine", r.cosine}, {"max_abs", r.max_abs}};
}

}  // namespace tool
