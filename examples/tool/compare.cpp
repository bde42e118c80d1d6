// nibble compare: how far the tensors of one file are from those of another.
#include <algorithm>
#include <nibble/algo/distortion.hpp>
#include <nibble/algo/thread_pool.hpp>
#include <unordered_map>

#include "commands.hpp"
#include "failure.hpp"
#include "gate.hpp"
#include "interrupt.hpp"
#include "json.hpp"
#include "progress.hpp"
#include "rows.hpp"
#include "source.hpp"
#include "text.hpp"

namespace tool {

namespace {

struct pair_result {
    const source_tensor* a = nullptr;
    const source_tensor* b = nullptr;
    bool measured = false;  ///< false: no floats, or no elements; then only `same` says something
    bool same = false;      ///< equal type and bytes, in the same order
    nibble::distortion_report report;
};

struct comparison {
    std::vector<pair_result> pairs;
    std::vector<std::string> only_a, only_b;  ///< names
    nibble::distortion_report total;
    std::uint64_t elements = 0, a_bytes = 0, b_bytes = 0;  ///< of the pairs
};

/// Memory that all tensors share.
struct workspace {
    scratch values_a, values_b, rows_a, rows_b;
};

nibble::distortion_sums measure(const source_tensor& a, const source_tensor& b, workspace& memory, nibble::executor threads) {
    nibble::distortion_sums sums;
    // A tensor whose elements are reordered one by one is read so on both sides.
    nibble::shape matrix = matrix_of(a);
    if (matrix_of(b).cols < matrix.cols) matrix = matrix_of(b);
    if (matrix.elements() == 0) return sums;
    const std::size_t step = std::max<std::size_t>(16, (std::size_t{1} << 21) / matrix.cols);
    for (std::size_t row = 0; row < matrix.rows; row += step) {
        check_interrupt();
        const std::size_t here = std::min(step, matrix.rows - row);
        sums.add(floats_of(a, matrix, row, here, memory.values_a, memory.rows_a, threads),
                 floats_of(b, matrix, row, here, memory.values_b, memory.rows_b, threads));
    }
    return sums;
}

comparison compare_sources(const source& a, const source& b, nibble::executor threads, bool quiet) {
    std::unordered_map<std::string_view, const source_tensor*> in_a, in_b;
    for (const auto& t : a.tensors) in_a.emplace(t.key, &t);
    for (const auto& t : b.tensors) in_b.emplace(t.key, &t);
    comparison all;
    nibble::distortion_sums total;
    workspace memory;
    progress bar(a.tensor_bytes(), quiet);
    for (const source_tensor& t : a.tensors) {
        check_interrupt();
        const auto found = in_b.find(t.key);
        if (found == in_b.end()) {
            all.only_a.emplace_back(t.name);
            continue;
        }
        const source_tensor& other = *found->second;
        if (t.shape != other.shape) {
            throw failure{bad_input, escape(t.name) + ": has the shape " + shape_text(t.shape) + " in one file and " +
                                         shape_text(other.shape) + " in the other"};
        }
        pair_result p;
        p.a = &t;
        p.b = &other;
        p.same = t.type == other.type && t.rotated_heads == other.rotated_heads && std::ranges::equal(t.data, other.data);
        p.measured = t.has_floats() && other.has_floats() && t.elements() != 0;
        if (p.measured) {
            const auto sums = measure(t, other, memory, threads);
            p.report = sums.report();
            total.add(sums);
        }
        all.elements += t.elements();
        all.a_bytes += t.data.size();
        all.b_bytes += other.data.size();
        all.pairs.push_back(p);
        bar.advance(t.data.size(), escape(t.name));
    }
    for (const source_tensor& t : b.tensors) {
        if (!in_a.contains(t.key)) all.only_b.emplace_back(t.name);
    }
    all.total = total.report();
    return all;
}

std::string as_json(const compare_arguments& arguments, const comparison& all) {
    json out = json_head("compare");
    out["a"] = arguments.a;
    out["b"] = arguments.b;
    out["elements"] = all.elements;
    out["a_bytes"] = all.a_bytes;
    out["b_bytes"] = all.b_bytes;
    out["a_bits_per_weight"] = bits_per_weight(all.a_bytes, all.elements);
    out["b_bits_per_weight"] = bits_per_weight(all.b_bytes, all.elements);
    out["total"] = json_of(all.total);
    out["only_a"] = all.only_a;
    out["only_b"] = all.only_b;
    json tensors = json::array();
    for (const auto& p : all.pairs) {
        json entry = {{"name", std::string(p.a->name)},
                      {"b_name", std::string(p.b->name)},
                      {"shape", p.a->shape},
                      {"a_type", p.a->type},
                      {"b_type", p.b->type},
                      {"same_bytes", p.same}};
        if (p.measured) entry.update(json_of(p.report));
        tensors.push_back(std::move(entry));
    }
    out["tensors"] = std::move(tensors);
    return json_text(out);
}

std::string as_text(const comparison& all) {
    const auto cells = [](const nibble::distortion_report& r) {
        return std::vector<std::string>{short_number(r.rmse), fixed(r.sqnr_db, 2), fixed(r.cosine, 7), short_number(r.max_abs)};
    };
    std::vector<std::vector<std::string>> rows = {{"tensor", "shape", "a", "b", "rmse", "SQNR dB", "cosine", "max error"}};
    for (const auto& p : all.pairs) {
        std::vector<std::string> row = {escape(p.a->name), shape_text(p.a->shape), p.a->type, p.b->type};
        if (p.measured) {
            for (auto& cell : cells(p.report)) row.push_back(std::move(cell));
        } else {
            row.insert(row.end(), {p.same ? "same" : "differs", "", "", ""});
        }
        rows.push_back(std::move(row));
    }
    std::vector<std::string> last = {"all", std::to_string(all.elements), fixed(bits_per_weight(all.a_bytes, all.elements), 2) + " bpw",
                                     fixed(bits_per_weight(all.b_bytes, all.elements), 2) + " bpw"};
    for (auto& cell : cells(all.total)) last.push_back(std::move(cell));
    rows.push_back(std::move(last));
    return table(rows, "llllrrrr");
}

}  // namespace

int compare(const compare_arguments& arguments) {
    source a = open_source(arguments.a, arguments.follow_links), b = open_source(arguments.b, arguments.follow_links);
    if (a.safetensors && b.gguf) match_names(a, b);
    if (b.safetensors && a.gguf) match_names(b, a);
    nibble::thread_pool pool(arguments.threads);
    const comparison all = compare_sources(a, b, pool, arguments.quiet);
    if (all.pairs.empty()) throw failure{bad_input, "the files have no tensor in common"};
    print(arguments.json ? as_json(arguments, all) : as_text(all));
    for (const auto& name : all.only_a) std::fprintf(stderr, "nibble: note: only in the first file: %s\n", escape(name).c_str());
    for (const auto& name : all.only_b) std::fprintf(stderr, "nibble: note: only in the second file: %s\n", escape(name).c_str());
    check_gate(arguments.gate, all.total);
    if (arguments.gate.set() && !all.only_a.empty()) throw failure{gate_missed, "tensors of the first file are missing in the second"};
    return done;
}

}  // namespace tool
