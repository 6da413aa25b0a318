// A sample of what tests/fuzz/syscall_fuzz.cc does at length.
#include "wild_calls.h"

#include <gtest/gtest.h>

#include "base/prng.h"

namespace orrery::kernel {
namespace {

TEST(WildCalls, NeverReachPastTheGuestsMemory) {
  SplitMix64 random(2024);
  WildCalls calls(1);
  for (int i = 0; i < 100'000; ++i) {
    std::array<u64, 9> choices;
    for (u64& choice : choices) choice = random.next();
    calls.make(choices);
  }
  EXPECT_GT(calls.host_calls(), 30'000u);
}

}  // namespace
}  // namespace orrery::kernel
