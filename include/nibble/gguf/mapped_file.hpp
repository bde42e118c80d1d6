// A whole GGUF file as bytes: mapped_file under the name that readers of GGUF files look for.
#pragma once

#include "nibble/file/mapped_file.hpp"

NIBBLE_BASELINE_BEGIN
namespace gguf {

using file::mapped_file;

}  // namespace gguf
NIBBLE_BASELINE_END
