// The limits of the core: streaming reads by size of the stretch, in GB a second, and the multiply-accumulate peak of the level.
#include "limits.hpp"

#include "suite.hpp"

namespace {

const suite::registration added([] {
    for (const std::size_t megabytes : {1, 4, 8, 16, 64, 512}) {
        suite::add("limits/read/megabytes:" + std::to_string(megabytes), [megabytes](benchmark::State& state) {
            const std::vector<std::byte> memory(megabytes << 20, std::byte{1});
            const double seconds = suite::race({[&] { limits::read(memory); }})[0];
            suite::report(state, "ours", suite::rate(static_cast<double>(memory.size()), seconds));
            return seconds;
        });
    }
    const auto level = nibble::active_isa();
    const auto peak = limits::multiply_peak(level);
    if (!peak.run) return;
    suite::add("limits/multiply/" + std::string(nibble::name_of(level)), [peak](benchmark::State& state) {
        const double seconds = suite::race({peak.run})[0];
        suite::report(state, "ours", suite::rate(peak.work, seconds));
        return seconds;
    });
});

}  // namespace
