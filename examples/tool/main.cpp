// nibble: the command-line tool. Reads the command line, calls a command, reports how it ended.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <new>
#include <nibble/version.hpp>

#include "commands.hpp"
#include "failure.hpp"
#include "interrupt.hpp"
#include "text.hpp"

namespace {

void add_gate(CLI::App& command, tool::quality_gate& gate) {
    command.add_option("--min-sqnr", gate.min_sqnr, "End with code 5 if the SQNR of all tensors together is below so many dB")
        ->check(CLI::NonNegativeNumber);
    command.add_option("--max-rmse", gate.max_rmse, "End with code 5 if their root mean square error is above this")
        ->check(CLI::NonNegativeNumber);
}

void add_threads(CLI::App& command, unsigned& threads) {
    command.add_option("--threads,-t", threads, "Threads; 0 (the default): as many as the machine has")->check(CLI::Range(0u, 1024u));
}

void add_follow_links(CLI::App& command, bool& follow) {
    command.add_flag("--follow-links", follow, "Parts of a safetensors model may be symbolic links, as in Hugging Face's cache");
}

void add_list(CLI::App& command, const char* name, std::vector<std::string>& values, const char* help, const char* word) {
    command.add_option(name, values, help)->type_name(word)->allow_extra_args(false);
}

void add_quantize(CLI::App& app, tool::quantize_arguments& a) {
    auto& c = *app.add_subcommand("quantize", "Write IN to OUT with smaller tensors; OUT appears whole or not at all");
    c.add_option("IN", a.in, "GGUF file to read")->required();
    c.add_option("OUT", a.out, "GGUF file to write; an existing one is replaced")->required();
    c.add_option("TYPE", a.type, "File type as llama.cpp spells it, in any case (Q4_K_M), or its number (15)")->required();
    c.add_flag("--pure", a.pure, "The same tensor type for all matrices instead of llama.cpp's mixture");
    add_list(c, "--tensor-type", a.tensor_types,
             "Tensor type for names in which the regular expression is found; repeatable, first match wins", "PATTERN=TYPE");
    c.add_option("--output-tensor-type", a.output_tensor_type, "Tensor type for output.weight")->type_name("TYPE");
    c.add_option("--token-embedding-type", a.token_embedding_type, "Tensor type for token_embd.weight")->type_name("TYPE");
    c.add_flag("--leave-output-tensor", a.leave_output_tensor, "Keep output.weight as it is");
    c.add_flag("--allow-requantize", a.allow_requantize, "Accept tensors that are quantized already; costs quality");
    c.add_option("--imatrix", a.imatrix, "Importance file, .dat or .gguf, as llama-imatrix writes it")->type_name("FILE");
    add_list(c, "--include-weights", a.include_weights, "Use importance only for tensors with this in their name; repeatable", "TEXT");
    add_list(c, "--exclude-weights", a.exclude_weights, "Use no importance for tensors with this in their name; repeatable", "TEXT");
    c.get_option("--include-weights")->needs("--imatrix")->excludes("--exclude-weights");
    c.get_option("--exclude-weights")->needs("--imatrix");
    c.add_option("--search", a.search, "How scales are chosen: reference (llama.cpp's bytes) or best (less error, slower)")
        ->check(CLI::IsMember({"reference", "best"}));
    c.add_flag("--clamp", a.clamp, "Quantize NaN as 0 and infinity as the largest value instead of refusing them");
    c.add_flag("--dry-run", a.dry_run, "Show what would be done, write nothing");
    c.add_flag("--no-clobber", a.no_clobber, "Refuse to replace an existing OUT");
    c.add_flag("--measure", a.measure, "Decode what was quantized and report its error");
    add_gate(c, a.gate);
    add_threads(c, a.threads);
    c.add_flag("--json", a.json, "Report as JSON on standard output");
    c.add_flag("--quiet,-q", a.quiet, "No progress and no summary");
    c.add_flag("--verbose,-v", a.verbose, "Report every tensor");
}

void add_inspect(CLI::App& app, tool::inspect_arguments& a) {
    auto& c = *app.add_subcommand("inspect", "Show metadata and tensors of a file");
    c.add_option("FILE", a.file, "GGUF file, safetensors file, index of safetensors files, or a folder with one of them")->required();
    c.add_flag("--full", a.full, "Long texts and arrays in full");
    add_follow_links(c, a.follow_links);
    c.add_flag("--json", a.json, "JSON on standard output");
}

void add_compare(CLI::App& app, tool::compare_arguments& a) {
    auto& c = *app.add_subcommand("compare", "Measure how far the tensors of B are from those of A");
    c.add_option("A", a.a, "The original: GGUF, or safetensors as for inspect")->required();
    c.add_option("B", a.b, "What is compared with it; tensors of Llama-type models are found under either kind of file's names")
        ->required();
    add_follow_links(c, a.follow_links);
    add_gate(c, a.gate);
    add_threads(c, a.threads);
    c.add_flag("--json", a.json, "JSON on standard output");
    c.add_flag("--quiet,-q", a.quiet, "No progress");
}

int run(int argc, char** argv) {
    CLI::App app("Quantize GGUF models, look into GGUF and safetensors files, compare them.", "nibble");
    app.set_version_flag("--version", std::string("nibble ") + NIBBLE_VERSION_STRING);
    app.require_subcommand(1);
    app.footer(
        "Exit codes: 0 done, 1 failed, 2 usage, 3 corrupt or unsupported input, 4 cannot write,\n"
        "5 quality gate missed, 128 + n ended by signal n. `nibble COMMAND --help` shows the options of a command.");
    tool::quantize_arguments quantize;
    tool::inspect_arguments inspect;
    tool::compare_arguments compare;
    add_quantize(app, quantize);
    add_inspect(app, inspect);
    add_compare(app, compare);
    const auto is_named = [&](const CLI::App* command) { return command->get_name() == argv[1]; };
    if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(is_named).empty()) {
        throw tool::failure{tool::usage, "unknown command \"" + tool::escape(argv[1]) + "\"; known are quantize, inspect and compare"};
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& asked) {  // --help, --version
        app.exit(asked);
        tool::print("");
        return tool::done;
    } catch (const CLI::ParseError& wrong) {
        throw tool::failure{tool::usage, tool::escape(wrong.what()) + " (nibble --help shows how it is used)"};
    }
    if (app.got_subcommand("quantize")) return tool::quantize(quantize);
    if (app.got_subcommand("inspect")) return tool::inspect(inspect);
    return tool::compare(compare);
}

}  // namespace

int main(int argc, char** argv) {
    tool::install_signal_handlers();
    int code = tool::failed;
    std::string message;
    try {
        return run(argc, argv);
    } catch (const tool::failure& f) {
        code = f.code;
        message = f.message;
    } catch (const std::bad_alloc&) {
        message = "out of memory";
    } catch (const std::exception& e) {
        message = e.what();
    }
    std::fprintf(stderr, "nibble: %s\n", message.c_str());
    return code;
}
