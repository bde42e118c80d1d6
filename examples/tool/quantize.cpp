// nibble quantize: a model file in, a smaller model file out, tensor by tensor.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <nibble/algo/distortion.hpp>
#include <nibble/algo/thread_pool.hpp>
#include <nibble/gguf/writer.hpp>
#include <optional>

#include "commands.hpp"
#include "failure.hpp"
#include "gate.hpp"
#include "importance.hpp"
#include "interrupt.hpp"
#include "json.hpp"
#include "model.hpp"
#include "plan.hpp"
#include "progress.hpp"
#include "rows.hpp"
#include "text.hpp"

namespace tool {

namespace {

namespace gguf = nibble::gguf;
using nibble::distortion_sums;

/// GGML_QNT_VERSION: the generation of the block layouts.
constexpr std::uint32_t quantization_version = 2;

struct outcome {
    std::vector<planned_tensor> plan;
    std::vector<nibble::distortion_report> errors;  ///< of each planned tensor, if measured
    nibble::distortion_report total;
    bool measured = false;
    std::uint64_t file_bytes = 0;  ///< of the new file; 0 for a dry run
    double seconds = 0;
};

plan_options options_of(const quantize_arguments& arguments) {
    plan_options options;
    options.type = &parse_file_type(arguments.type);
    options.allow_requantize = arguments.allow_requantize;
    options.recipe.pure = arguments.pure;
    options.recipe.leave_output = arguments.leave_output_tensor;
    if (!arguments.output_tensor_type.empty()) {
        options.recipe.output = &parse_tensor_type(arguments.output_tensor_type, "--output-tensor-type");
    }
    if (!arguments.token_embedding_type.empty()) {
        options.recipe.embedding = &parse_tensor_type(arguments.token_embedding_type, "--token-embedding-type");
    }
    for (const auto& text : arguments.tensor_types) options.overrides.push_back(parse_override(text));
    return options;
}

/// Which keys are not copied: those that are set anew, and those that describe the parts of a model in several files.
bool is_replaced(std::string_view key) {
    return key == "general.quantization_version" || key == "general.file_type" || key == "split.no" || key == "split.count" ||
           key == "split.tensors.count";
}

/// Refuses models that can be read but not written anew.
void check_rewritable(const model& m) {
    if (m.gguf->alignment() < gguf::smallest_alignment) {
        throw failure{bad_input, escape(m.path) + ": its tensors are aligned to " + std::to_string(m.gguf->alignment()) +
                                     " bytes, and files with less than 8 are not written: make it again with general.alignment 32"};
    }
    const auto* parts = m.gguf->find("split.count");
    if (parts != nullptr && parts->as_u64().value_or(0) > 1) {
        throw failure{bad_input, escape(m.path) + ": is one of several parts of a model: merge them first (llama-gguf-split --merge)"};
    }
}

/// Everything before the tensor data: the old metadata, and behind it what llama.cpp adds, in its order.
void write_header(gguf::writer& out, const model& m, const std::vector<planned_tensor>& plan, const plan_options& options,
                  const importance_source* importance, const std::string& about) {
    for (const auto& e : m.gguf->metadata()) {
        if (is_replaced(e.key) || (importance != nullptr && importance->sets(e.key))) continue;
        check(out.set(e.key, e.value), about + ": " + escape(e.key));
    }
    check(out.set("general.quantization_version", quantization_version), about);
    check(out.set("general.file_type", options.type->number), about);
    if (importance != nullptr) importance->describe(out, about);
    for (const auto& p : plan) {
        tensor_info info = p.from;
        info.type = p.choice.type;
        check(out.add_tensor(info), about + ": " + escape(info.name));
    }
    check(out.begin(), about);
}

/// Converts tensors chunk by chunk; holds the memory that they share.
class converter {
public:
    converter(const quantize_arguments& arguments, nibble::executor threads, const importance_source* importance, progress& bar)
        : arguments_(arguments), threads_(threads), importance_(importance), bar_(bar) {
        options_.how = arguments.search == "best" ? nibble::search::best : nibble::search::reference;
        options_.on_nonfinite = arguments.clamp ? nibble::nonfinite::clamp : nibble::nonfinite::error;
        options_.threads = threads;
    }

    /// Writes the data of one tensor. @return its error, if that is measured and the tensor has floats
    std::optional<distortion_sums> run(const planned_tensor& p, bool measured, gguf::writer& out, const std::string& path) {
        const std::string name = escape(p.from.name);
        std::optional<distortion_sums> sums;
        if (measured && can_decode(p.from.type)) sums.emplace();
        const auto weights = importance_ != nullptr && p.converts() ? importance_->weights_of(p.from) : std::span<const float>();
        for_each_chunk(p.from, [&](const chunk& c) {
            check_interrupt();
            if (p.converts()) {
                convert(c, p, weights, sums, out, path, name);
            } else {
                copy(c, p, sums, out, path, name);
            }
            bar_.advance(c.packed.size(), name);
        });
        check(out.end_tensor(), path);
        return sums;
    }

private:
    /// Bytes stay as they are, but NaN is no more welcome than in tensors that are converted. Who clamps has floats encoded again, without loss.
    void copy(const chunk& c, const planned_tensor& p, std::optional<distortion_sums>& sums, gguf::writer& out, const std::string& path,
              const std::string& name) {
        if (can_decode(p.from.type)) {
            const auto sound = validate(p.from.type, c.packed, c.shape, threads_);
            if (!sound && arguments_.clamp && holds_floats(p.from.type)) return convert(c, p, {}, sums, out, path, name);
            if (!sound) throw refused(sound, c, p, name);
        }
        check(out.write(c.packed), path);
        if (!sums) return;
        const auto values = floats_of(c, p.from.type, source_, threads_, name);
        sums->add(values, values);
    }

    void convert(const chunk& c, const planned_tensor& p, std::span<const float> weights, std::optional<distortion_sums>& sums,
                 gguf::writer& out, const std::string& path, const std::string& name) {
        const auto values = floats_of(c, p.from.type, source_, threads_, name);
        const auto packed = packed_.bytes(row_bytes(p.choice.type, c.shape.cols) * c.shape.rows);
        options_.importance = weights.empty() ? weights : weights.subspan(c.matrix * c.shape.cols, c.shape.cols);
        if (const auto s = encode(p.choice.type, values, c.shape, packed, options_); !s) throw refused(s, c, p, name);
        check(out.write(packed), path);
        if (!sums) return;
        const auto decoded = decoded_.floats(values.size());
        check(decode(p.choice.type, packed, c.shape, decoded, threads_), name);
        sums->add(values, decoded);
    }

    /// Which value cannot be quantized, and the option that takes it.
    static failure refused(const nibble::status& why, const chunk& c, const planned_tensor& p, const std::string& name) {
        const auto rows_before = static_cast<std::size_t>(c.packed.data() - p.from.data.data()) / row_bytes(p.from.type, c.shape.cols);
        const std::string element = std::to_string(rows_before * c.shape.cols + why.where());
        std::string what(why.message());
        if (why.error() == nibble::errc::nonfinite) what = "element " + element + " is NaN or infinite";
        if (why.error() == nibble::errc::out_of_range) {
            what = "the row of element " + element + " holds a value that is too large for the scales of " + type_text(p.choice.type);
        }
        if (!p.converts() && !holds_floats(p.from.type)) {
            what += ": the model is damaged, fetch or make it again";
        } else if (exit_code_of(why.error()) == bad_input) {
            what += ": mend the model, or say --clamp, which makes NaN 0 and limits the rest";
        }
        return {exit_code_of(why.error()), name + ": " + what};
    }

    const quantize_arguments& arguments_;
    nibble::executor threads_;
    const importance_source* importance_;
    progress& bar_;
    nibble::quantize_options options_;
    scratch source_, packed_, decoded_;
};

void convert_model(const quantize_arguments& arguments, const model& m, const plan_options& options, const importance_source* importance,
                   outcome& result) {
    const std::string path = escape(arguments.out);
    if (struct stat about; arguments.no_clobber && lstat(arguments.out.c_str(), &about) == 0) {
        throw failure{cannot_write, path + ": exists already, and --no-clobber is set"};
    }
    std::vector<const char*> inputs = {m.path.c_str()};
    if (!arguments.imatrix.empty()) inputs.push_back(arguments.imatrix.c_str());
    auto out = check(gguf::writer::create(arguments.out.c_str(), {.inputs = inputs}), path);
    write_header(out, m, result.plan, options, importance, path);

    nibble::thread_pool pool(arguments.threads);
    progress bar(m.tensor_bytes(), arguments.quiet);
    converter convert(arguments, pool, importance, bar);
    distortion_sums total;
    for (const auto& p : result.plan) {
        const auto sums = convert.run(p, result.measured, out, path);
        if (sums) total.add(*sums);
        result.errors.push_back(sums ? sums->report() : nibble::distortion_report{});
    }
    result.total = total.report();
    check_gate(arguments.gate, result.total);  // a file that misses a gate never appears
    check_interrupt();
    check(out.finish(), path);
    if (struct stat about; stat(arguments.out.c_str(), &about) == 0) result.file_bytes = static_cast<std::uint64_t>(about.st_size);
}

// --- reports --------------------------------------------------------------------------------------------------------------

std::uint64_t new_bytes(const outcome& o) {
    std::uint64_t sum = 0;
    for (const auto& p : o.plan) sum += p.bytes;
    return sum;
}

std::string as_json(const quantize_arguments& arguments, const plan_options& options, const model& m, const outcome& o) {
    json out = json_head("quantize");
    out["in"] = arguments.in;
    out["out"] = arguments.out;
    out["type"] = std::string(options.type->name);
    out["file_type"] = options.type->number;
    out["search"] = arguments.search;
    out["dry_run"] = arguments.dry_run;
    out["elements"] = m.elements();
    out["bytes_before"] = m.tensor_bytes();
    out["bytes_after"] = new_bytes(o);
    out["bits_per_weight"] = bits_per_weight(new_bytes(o), m.elements());
    if (!arguments.dry_run) out["file_bytes"] = o.file_bytes;
    out["seconds"] = o.seconds;
    if (o.measured) out["total"] = json_of(o.total);
    json tensors = json::array();
    for (std::size_t i = 0; i < o.plan.size(); ++i) {
        const auto& p = o.plan[i];
        json entry = {{"name", std::string(p.from.name)},
                      {"shape", std::vector<std::uint64_t>(p.from.shape.begin(), p.from.shape.begin() + std::max(p.from.dims, 1u))},
                      {"from", type_text(p.from.type)},
                      {"to", type_text(p.choice.type)},
                      {"reason", std::string(name_of(p.choice.why))},
                      {"bytes_before", p.from.data.size()},
                      {"bytes_after", p.bytes},
                      {"bits_per_weight", bits_per_weight(p.bytes, p.from.elements())}};
        if (p.choice.why == gguf::choice_reason::fallback) entry["wanted"] = type_text(p.choice.wanted);
        if (o.measured) entry.update(json_of(o.errors[i]));
        tensors.push_back(std::move(entry));
    }
    out["tensors"] = std::move(tensors);
    return json_text(out);
}

std::string plan_text(const outcome& o) {
    std::vector<std::vector<std::string>> rows = {{"tensor", "shape", "from", "to", "because", "bytes before", "after", "SQNR dB"}};
    for (std::size_t i = 0; i < o.plan.size(); ++i) {
        const auto& p = o.plan[i];
        std::string why(name_of(p.choice.why));
        if (p.choice.why == gguf::choice_reason::fallback) why += " for " + type_text(p.choice.wanted);
        rows.push_back({escape(p.from.name), shape_text(p.from), type_text(p.from.type), type_text(p.choice.type), why,
                        std::to_string(p.from.data.size()), std::to_string(p.bytes), o.measured ? fixed(o.errors[i].sqnr_db, 2) : ""});
    }
    return table(rows, "lllllrrr") + '\n';
}

std::string summary_text(const quantize_arguments& arguments, const plan_options& options, const model& m, const outcome& o) {
    std::string text = (arguments.dry_run ? "would write " : "wrote ") + escape(arguments.out) + ": " + std::string(options.type->name) +
                       ", " + std::to_string(o.plan.size()) + " tensors, " + human_bytes(m.tensor_bytes()) + " -> " +
                       human_bytes(new_bytes(o)) + ", " + fixed(bits_per_weight(m.tensor_bytes(), m.elements()), 2) + " -> " +
                       fixed(bits_per_weight(new_bytes(o), m.elements()), 2) + " bits per weight";
    if (o.measured) text += ", SQNR " + fixed(o.total.sqnr_db, 2) + " dB";
    if (!arguments.dry_run) text += ", " + fixed(o.seconds, 1) + " s";
    return text + '\n';
}

void warn(const outcome& o, bool importance) {
    std::size_t fallbacks = 0, poor = 0;
    for (const auto& p : o.plan) {
        fallbacks += p.choice.why == gguf::choice_reason::fallback;
        poor += p.choice.wants_importance && p.converts();
    }
    if (fallbacks != 0) {
        std::fprintf(stderr, "nibble: note: the rows of %zu of %zu tensors do not fit the wanted type; they got another one\n", fallbacks,
                     o.plan.size());
    }
    if (poor != 0 && !importance) {
        std::fprintf(stderr, "nibble: note: %zu of %zu tensors get a type that is poor without --imatrix\n", poor, o.plan.size());
    }
}

}  // namespace

int quantize(const quantize_arguments& arguments) {
    const auto start = std::chrono::steady_clock::now();
    plan_options options = options_of(arguments);
    const model m = open_model(arguments.in);
    check_rewritable(m);
    std::optional<importance_source> importance;
    if (!arguments.imatrix.empty()) {
        importance.emplace(arguments.imatrix, arguments.include_weights, arguments.exclude_weights);
        if (importance->empty()) importance.reset();
    }
    options.recipe.importance = importance.has_value();

    outcome result;
    result.plan = make_plan(m, options);
    result.measured = !arguments.dry_run && (arguments.measure || arguments.gate.set());
    if (importance) importance->check_sizes(result.plan);
    if (!arguments.quiet) warn(result, importance.has_value());
    if (!arguments.dry_run) convert_model(arguments, m, options, importance ? &*importance : nullptr, result);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

    if (arguments.json) {
        print(as_json(arguments, options, m, result));
    } else if (!arguments.quiet || arguments.dry_run) {
        print((arguments.dry_run || arguments.verbose ? plan_text(result) : std::string()) + summary_text(arguments, options, m, result));
    }
    return done;
}

}  // namespace tool
