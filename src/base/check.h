// CHECK: for our own bugs only, on in every build. A failed check reports through the handler the
// executable installed (the engine dumps task, instant and guest registers; tools abort).
#pragma once

#include "base/types.h"

namespace orrery {

/// Where and what failed. All strings are literals.
struct CheckFailure {
  const char* file;
  int line;
  const char* expression;
  const char* message;
};

/// Defined once per executable (engine/fatal.cc, base/check_hosted.cc). Never returns.
[[noreturn]] void check_failed(const CheckFailure& failure);

}  // namespace orrery

#define CHECK(condition, message)                                        \
  do {                                                                   \
    if (!(condition)) [[unlikely]]                                       \
      ::orrery::check_failed({__FILE__, __LINE__, #condition, message}); \
  } while (false)
