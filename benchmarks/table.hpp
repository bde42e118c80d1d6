// The lines that a benchmark prints: our figure, the peer's and the ratio side by side, then whatever else was measured.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdio>
#include <string>

namespace suite {

class table : public benchmark::BenchmarkReporter {
public:
    bool ReportContext(const Context&) override {
        std::printf("%-44s %10s %10s %7s\n", "", "ours", "ggml", "ratio");
        return true;
    }
    void ReportRuns(const std::vector<Run>& runs) override {
        for (const auto& run : runs) {
            std::printf("%-44s", run.run_name.function_name.c_str());
            const char* columns[] = {"ours", "ggml", "ratio"};
            for (const char* column : columns) print(run.counters, column);
            for (const auto& [name, counter] : run.counters) {
                if (name == columns[0] || name == columns[1] || name == columns[2]) continue;
                std::printf("  %s %.4g", name.c_str(), static_cast<double>(counter));
            }
            std::printf("%s%s\n", run.report_label.empty() ? "" : "  ", run.report_label.c_str());
            std::fflush(stdout);
        }
    }

private:
    static void print(const benchmark::UserCounters& counters, const char* name) {
        const int width = name[0] == 'r' ? 7 : 10;
        const auto found = counters.find(name);
        if (found == counters.end()) std::printf(" %*s", width, "-");
        else std::printf(" %*.*f", width, found->second < 1 ? 4 : 2, static_cast<double>(found->second));
    }
};

}  // namespace suite
