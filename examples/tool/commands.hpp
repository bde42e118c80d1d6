// The commands of the tool and their arguments.
#pragma once

#include <string>
#include <vector>

namespace tool {

struct quality_gate {
    double min_sqnr = -1;  ///< decibels; negative: no gate
    double max_rmse = -1;  ///< negative: no gate
    bool set() const { return min_sqnr >= 0 || max_rmse >= 0; }
};

struct quantize_arguments {
    std::string in, out, type;
    std::vector<std::string> tensor_types;  ///< PATTERN=TYPE
    std::string output_tensor_type, token_embedding_type;
    std::string imatrix;
    std::vector<std::string> include_weights, exclude_weights;
    std::string search = "reference";
    bool pure = false, leave_output_tensor = false, allow_requantize = false;
    bool dry_run = false, no_clobber = false, measure = false, clamp = false;
    unsigned threads = 0;  ///< 0: as many as the machine has
    quality_gate gate;
    bool json = false, quiet = false, verbose = false;
};
struct inspect_arguments {
    std::string file;
    bool full = false, follow_links = false;
    bool json = false;
};
struct compare_arguments {
    std::string a, b;
    unsigned threads = 0;
    quality_gate gate;
    bool follow_links = false, json = false, quiet = false;
};

/// Each returns an exit code or throws failure.
int quantize(const quantize_arguments& arguments);
int inspect(const inspect_arguments& arguments);
int compare(const compare_arguments& arguments);

}  // namespace tool
