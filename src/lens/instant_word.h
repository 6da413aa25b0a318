// How people name an instant of a run: the words behind `--at`.
#pragma once

#include <string>

#include "base/failure_hosted.h"
#include "base/types.h"

namespace orrery::lens {

inline constexpr const char* kInstantWords =
    "An event's number, EVENT+TICKS[+INSTRUCTIONS] behind it, a time (1.5s, 20ms, 300us, 7ns), a percentage, "
    "start, main, end, crash, or FUNCTION[:n] for its nth call";

struct InstantWord {
  enum class Kind : u8 { event, place, time, percent, start, main, end, crash, call };

  Kind kind = Kind::start;
  u64 number = 0;                   ///< of the event; ns since the recording began; n of the nth call, from 1
  u64 ticks = 0, instructions = 0;  ///< of a place: so many ticks behind the event, and then instructions
  double percent = 0;               ///< 0 to 100, of the process's life
  std::string function{};           ///< as in source, or mangled

  bool operator==(const InstantWord&) const = default;
};

/// A function that is called like one of the other words is named with its n: `end:1`.
Fallible<InstantWord> parse_instant(const std::string& word);

}  // namespace orrery::lens
