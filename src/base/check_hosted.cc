// The CHECK handler of tools and tests: say it, abort.
#include <cstdio>
#include <cstdlib>

#include "base/check.h"

namespace orrery {

void check_failed(const CheckFailure& failure) {
  std::fprintf(stderr, "orrery: bug: %s:%d: %s (%s)\n", failure.file, failure.line, failure.message,
               failure.expression);
  std::abort();
}

}  // namespace orrery
