// Runs one operation's benchmarks at one level: NIBBLE_ISA, or the best that this machine has.
//   --quick  rough figures in seconds    --dram  products with weights that no cache holds    --benchmark_filter=REGEX and so on
#include <sched.h>

#include <cstdio>
#include <cstring>
#include <fstream>

#include "suite.hpp"
#include "table.hpp"

namespace {

/// Builds of ggml that are a fair peer of a level, best first. zen4 is sapphirerapids without AMX; ggml refuses to load what the
/// machine lacks.
std::vector<std::string> peers_of(std::string_view level) {
    if (level == "avx2") return {"haswell"};
    if (level == "avxvnni") return {"alderlake"};
    if (level == "avx512") return {"sapphirerapids", "zen4", "icelake"};
    if (level == "amx") return {"sapphirerapids"};
    return {};
}

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
    }
    return "unknown";
}

/// Other work on the machine must not run in between: being nice to it is not enough where the scheduler groups processes by session.
/// Only root may; for everybody else nothing changes.
void run_before_others() {
    sched_param parameters{};
    parameters.sched_priority = 1;
    (void)sched_setscheduler(0, SCHED_RR, &parameters);
}

bool take_flag(int& count, char** arguments, const char* flag) {
    for (int i = 1; i < count; ++i) {
        if (std::strcmp(arguments[i], flag) != 0) continue;
        std::copy(arguments + i + 1, arguments + count + 1, arguments + i);
        --count;
        return true;
    }
    return false;
}

}  // namespace

int main(int count, char** arguments) {
    auto& run = suite::settings::of_run();
    run.quick = take_flag(count, arguments, "--quick");
    run.dram = take_flag(count, arguments, "--dram");
    const std::string level(nibble::name_of(nibble::active_isa()));
    if (const char* wanted = std::getenv("NIBBLE_ISA"); wanted != nullptr && level != wanted) {
        std::printf("SKIP: this machine has no %s\n", wanted);
        return 77;
    }
    std::string peer = "none";
    for (const auto& cpu : peers_of(level)) {
        run.ggml = peer::ggml(cpu);
        if (!run.ggml) continue;
        peer = cpu;
        break;
    }
    if (peer == "none") std::fprintf(stderr, "no ggml for level %s in %s: no ratios\n", level.c_str(), peer::directory().c_str());

    // Bodies repeat what they measure; once through them is enough. Given first, so that the user's flags win.
    std::vector<char*> flags(arguments, arguments + count);
    char once[] = "--benchmark_min_time=0";
    flags.insert(flags.begin() + 1, once);
    count = static_cast<int>(flags.size());
    benchmark::Initialize(&count, flags.data());
    if (benchmark::ReportUnrecognizedArguments(count, flags.data())) return 2;
    benchmark::AddCustomContext("level", level);
    benchmark::AddCustomContext("peer", peer);
    benchmark::AddCustomContext("cpu", cpu_model());
    benchmark::AddCustomContext("compiler", NIBBLE_BENCHMARK_COMPILER);
    benchmark::AddCustomContext("weights", run.dram ? "dram" : "4096 x 4096");
    for (const auto add : suite::registration::all()) add();
    run_before_others();
    std::printf("level %s, ggml %s\n", level.c_str(), peer.c_str());
    suite::table lines;
    benchmark::RunSpecifiedBenchmarks(&lines);
    benchmark::Shutdown();
}
