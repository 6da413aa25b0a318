// The engine's handler for every host signal: faults of guest code become exits of the executor, faults
// in guarded copies become short counts, signals from outside are queued for the guest kernel.
#pragma once

namespace orrery::machine {

/// For LiveHost::install_signal_handlers. Runs on the signal stack with every signal blocked.
void handle_host_signal(int number, void* siginfo, void* context);

}  // namespace orrery::machine
