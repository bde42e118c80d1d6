// safetensors files made by hand, independent of nibble's writer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/bytes.hpp"

namespace safetensors_test {

using support::as_span;
using support::bytes;
using support::chars;
using support::exact_copy;

/// Length, header, data.
inline bytes file(std::string_view header, std::string_view data = {}) {
    return support::number(std::uint64_t{header.size()}).append(header).append(data);
}
inline bytes file(std::string_view header, std::size_t data) { return file(header, std::string(data, 'x')); }

/// `"name":{...}` with dtype, shape and offsets as they are written.
inline bytes tensor(std::string_view name, std::string_view type, std::string_view shape, std::string_view offsets) {
    return bytes("\"")
               .append(name)
               .append("\":{\"dtype\":\"")
               .append(type)
               .append("\",\"shape\":")
               .append(shape)
               .append(",\"data_offsets\":")
               .append(offsets) +
           "}";
}

/// Two texts and three tensors of 24, 6 and 8 bytes.
inline bytes valid() {
    bytes data;
    for (int i = 0; i < 38; ++i) data += static_cast<char>(i + 1);
    return file("{\"__metadata__\":{\"format\":\"pt\",\"caf\\u00e9\":\"\"}," + tensor("first", "F32", "[2,3]", "[0,24]") + "," +
                    tensor("second", "BF16", "[3]", "[24,30]") + "," + tensor("third", "I64", "[]", "[30,38]") + "}  ",
                data);
}

}  // namespace safetensors_test
