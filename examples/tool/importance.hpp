// The importance file that --imatrix names, filtered as the user asked.
#pragma once

#include <nibble/gguf/imatrix.hpp>
#include <nibble/gguf/mapped_file.hpp>
#include <nibble/gguf/writer.hpp>
#include <span>
#include <string>
#include <vector>

#include "plan.hpp"

namespace tool {

class importance_source {
public:
    /// @param include, exclude parts of tensor names; at most one of both lists may be given. Throws failure.
    importance_source(const std::string& path, const std::vector<std::string>& include, const std::vector<std::string>& exclude);

    /// Nothing is left after filtering.
    bool empty() const { return count_ == 0; }
    /// True for the metadata keys that describe() sets.
    bool sets(std::string_view key) const;
    /// Adds the metadata that llama.cpp writes about the file.
    void describe(nibble::gguf::writer& out, const std::string& about) const;
    /// Throws failure if an entry does not fit its tensor.
    void check_sizes(const std::vector<planned_tensor>& plan) const;
    /// One weight for each column of each matrix; empty if there are none. Valid until the next call.
    std::span<const float> weights_of(const tensor_info& t) const;

private:
    bool is_used(std::string_view name) const;

    std::string path_;
    std::vector<std::string> include_, exclude_;
    nibble::gguf::mapped_file file_;
    nibble::gguf::imatrix entries_;
    std::size_t count_ = 0;
    mutable std::vector<float> weights_;
};

}  // namespace tool
