// Names and texts of the standard signals, for printing. Real-time signals (32 to 64) have no row: they are
// written SIGRTMIN+n by who prints them, with SIGRTMIN = 32 as the kernel counts.
#pragma once

namespace orrery::abi {

struct SignalName {
  int number;
  const char* name;  ///< "SIGSEGV"
  const char* text;  ///< "Segmentation fault"
};

inline constexpr int kFirstRealTimeSignal = 32;
inline constexpr int kLastSignal = 64;

/// The row of a standard signal, or null.
const SignalName* find_signal(int number);

}  // namespace orrery::abi
