// Quality gates: the error of the whole file against limits that the user set.
#pragma once

#include <nibble/algo/distortion.hpp>
#include <string>

#include "commands.hpp"
#include "failure.hpp"
#include "text.hpp"

namespace tool {

/// Throws failure{gate_missed} if a limit is exceeded; a NaN exceeds every limit.
inline void check_gate(const quality_gate& gate, const nibble::distortion_report& total) {
    if (gate.min_sqnr >= 0 && !(total.sqnr_db >= gate.min_sqnr)) {
        throw failure{gate_missed,
                      "quality gate missed: " + fixed(total.sqnr_db, 3) + " dB SQNR, wanted at least " + fixed(gate.min_sqnr, 3)};
    }
    if (gate.max_rmse >= 0 && !(total.rmse <= gate.max_rmse)) {
        throw failure{gate_missed,
                      "quality gate missed: rmse " + short_number(total.rmse) + ", wanted at most " + short_number(gate.max_rmse)};
    }
}

}  // namespace tool
