// nibble compare: how far the tensors of one file are from those of another.
#include <algorithm>
#include <nibble/algo/distortion.hpp>
#include <nibble/algo/thread_pool.hpp>

#include "commands.hpp"
#include "failure.hpp"
#include "gate.hpp"
#include "interrupt.hpp"
#include "json.hpp"
#include "model.hpp"
#include "progress.hpp"
#include "rows.hpp"
#include "text.hpp"

namespace tool {

namespace {

struct pair_result {
    const tensor_info* a = nullptr;
    const tensor_info* b = nullptr;
    bool measured = false;  ///< false: no floats; then only `same` says something
    bool same = false;      ///< equal type and bytes
    nibble::distortion_report report;
};

struct comparison {
    std::vector<pair_result> pairs;
    std::vector<std::string> only_a, only_b;  ///< names
    nibble::distortion_report total;
    std::uint64_t elements = 0, a_bytes = 0, b_bytes = 0;  ///< of the pairs
};

nibble::distortion_sums measure(const tensor_info& a, const tensor_info& b, scratch& memory_a, scratch& memory_b, nibble::executor threads) {
    nibble::distortion_sums sums;
    const std::size_t b_row = row_bytes(b.type, static_cast<std::size_t>(b.cols()));
    std::size_t b_at = 0;
    for_each_chunk(a, [&](const chunk& c) {
        check_interrupt();
        chunk d = c;
        d.packed = b.data.subspan(b_at, c.shape.rows * b_row);
        b_at += d.packed.size();
        sums.add(floats_of(c, a.type, memory_a, threads, escape(a.name)), floats_of(d, b.type, memory_b, threads, escape(b.name)));
    });
    return sums;
}

comparison compare_models(const model& a, const model& b, nibble::executor threads, bool quiet) {
    comparison all;
    nibble::distortion_sums total;
    scratch memory_a, memory_b;
    progress bar(a.tensor_bytes(), quiet);
    for (const tensor_info& t : a.tensors) {
        check_interrupt();
        const tensor_info* other = b.find(t.name);
        if (other == nullptr) {
            all.only_a.emplace_back(t.name);
            continue;
        }
        if (t.shape != other->shape) {
            throw failure{bad_input, escape(t.name) + ": has the shape " + shape_text(t) + " in one file and " + shape_text(*other) + " in the other"};
        }
        pair_result p;
        p.a = &t;
        p.b = other;
        p.same = t.type == other->type && std::ranges::equal(t.data, other->data);
        p.measured = can_decode(t.type) && can_decode(other->type);
        if (p.measured) {
            const auto sums = measure(t, *other, memory_a, memory_b, threads);
            p.report = sums.report();
            total.add(sums);
        }
        all.elements += t.elements();
        all.a_bytes += t.data.size();
        all.b_bytes += other->data.size();
        all.pairs.push_back(p);
        bar.advance(t.data.size(), escape(t.name));
    }
    for (const tensor_info& t : b.tensors) {
        if (a.find(t.name) == nullptr) all.only_b.emplace_back(t.name);
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
                      {"shape", std::vector<std::uint64_t>(p.a->shape.begin(), p.a->shape.begin() + std::max(p.a->dims, 1u))},
                      {"a_type", type_text(p.a->type)},
                      {"b_type", type_text(p.b->type)},
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
        std::vector<std::string> row = {escape(p.a->name), shape_text(*p.a), type_text(p.a->type), type_text(p.b->type)};
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
    const model a = open_model(arguments.a), b = open_model(arguments.b);
    nibble::thread_pool pool(arguments.threads);
    const comparison all = compare_models(a, b, pool, arguments.quiet);
    if (all.pairs.empty()) throw failure{bad_input, "the files have no tensor in common"};
    print(arguments.json ? as_json(arguments, all) : as_text(all));
    for (const auto& name : all.only_a) std::fprintf(stderr, "nibble: note: only in the first file: %s\n", escape(name).c_str());
    for (const auto& name : all.only_b) std::fprintf(stderr, "nibble: note: only in the second file: %s\n", escape(name).c_str());
    check_gate(arguments.gate, all.total);
    if (arguments.gate.set() && !all.only_a.empty()) throw failure{gate_missed, "tensors of the first file are missing in the second"};
    return done;
}

}  // namespace tool
