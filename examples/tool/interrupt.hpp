// Signals: an interrupted tool leaves nothing behind.
#pragma once

namespace tool {

/// SIGINT, SIGTERM and SIGHUP are remembered (a second one ends the program at once); SIGXFSZ and SIGPIPE become errors of the write.
/// SIGBUS, an input that became shorter, ends the program with one line and code 1.
void install_signal_handlers();

/// Throws failure{128 + signal} if one came. Call it between pieces of work, where unwinding removes the temporary file.
void check_interrupt();

}  // namespace tool
