// Executions counted by a replay, and the calls of a profile, against the kernel's single steps through the
// same program run natively.
#include <array>
#include <cstring>
#include <map>

#include "lens/profile/call_costs.h"
#include "lens/profile/instruction_counts.h"
#include "recorded_session.h"
#include "stepped.h"
#include "x86/decode.h"

namespace orrery::testing {
namespace {

using lens::profile::CallCosts;
using lens::profile::InstructionCount;
using machine::StopReason;
using translate::ProfileNote;

using Counts = std::map<u64, InstructionCount>;

x86::Decoded decoded_at(const Stepped& native, u64 pc) {
  std::array<u8, 16> bytes{};
  for (u64 at = 0; at < 16; at += 8) {
    const u64 word = native.word(pc + at);
    std::memcpy(bytes.data() + at, &word, 8);
  }
  return x86::decode(bytes);
}

/// Memory that is mapped elsewhere each time is compared by the place in its page.
u64 comparable(u64 pc) { return pc > 0x1'0000'0000 ? pc % kPageBytes : pc; }

/// What was executed natively from `begin` to `end`, from the registers before each step.
class NativeCounts {
 public:
  NativeCounts(const std::string& program, const std::string& argument, u64 begin, u64 end)
      : native_(ORRERY_PROGRAMS "/" + program, argument) {
    native_.run_to(begin);
    native_.steps_to(end, [&](const user_regs_struct& regs) { step(regs); });
    user_regs_struct last{};
    last.rip = end;
    step(last);
  }
  Counts counts;

 private:
  static constexpr u64 kZeroFlag = 0x40;

  void step(const user_regs_struct& now) {
    if (before_.rip != 0) done(before_, now);
    before_ = now;
  }

  void done(const user_regs_struct& regs, const user_regs_struct& now) {
    const auto [known, added] = decoded_.try_emplace(regs.rip);
    if (added) known->second = decoded_at(native_, regs.rip);
    const x86::Decoded& decoded = known->second;
    InstructionCount& count = counts[comparable(regs.rip)];
    // A repeated instruction that faults half-way may never be.
    const bool repeated = x86::is_repeated_string(decoded);
    const bool completed = repeated ? now.rip == regs.rip + decoded.length : now.rip != regs.rip;
    if (completed) ++count.executions;
    if (decoded.category == x86::Category::jump_if || decoded.category == x86::Category::loop) {
      ++count.branches;
      count.taken += now.rip != regs.rip + decoded.length ? 1 : 0;
    }
    if (!repeated || regs.rcx == 0) return;
    ++count.elements;
    const bool is_zero = (now.eflags & kZeroFlag) != 0;
    if (completed && x86::is_compare_string(decoded) && is_zero == decoded.has_f2) --count.elements;
  }

  Stepped native_;
  user_regs_struct before_{};
  std::map<u64, x86::Decoded> decoded_;
};

class Profile : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(Profile, CountsWhatTheProgramExecutesNatively) {
  const auto& [work, options] = GetParam();
  const std::string program = std::string(work) == "faults" ? "static_accessing" : "static_counted";
  const Recorded recorded(program + " " + work, options);
  ASSERT_EQ(recorded.status(), 0);
  const u64 begin = recorded.address("begin"), end = recorded.address("end");
  const Counts native = NativeCounts(program, work, begin, end).counts;

  Session session(recorded);
  ASSERT_TRUE(static_cast<bool>(session->note_profile([](std::span<const ProfileNote>) {})));
  ASSERT_TRUE(static_cast<bool>(session->set_breakpoints(std::vector{begin, end})));
  ASSERT_EQ(session.run().pc, begin);
  ASSERT_TRUE(static_cast<bool>(session->take_counts()));
  const u64 before = session->stop().instructions;
  ASSERT_EQ(session.run().pc, end);
  const u64 executed = session->stop().instructions - before;
  auto counted = session->take_counts();
  ASSERT_TRUE(static_cast<bool>(counted));
  i64 sum = 0;
  Counts counts;
  for (const auto& [pc, count] : lens::profile::instruction_counts(*session.operator->(), counted.value())) {
    sum += count.executions;
    counts[comparable(pc)].add(count);
  }
  EXPECT_EQ(sum, static_cast<i64>(executed));
  for (const auto& [pc, wanted] : native) {
    const InstructionCount got = counts[pc];
    SCOPED_TRACE(::testing::Message() << "pc 0x" << std::hex << pc);
    EXPECT_EQ(got.executions, wanted.executions);
    EXPECT_EQ(got.branches, wanted.branches);
    EXPECT_EQ(got.taken, wanted.taken);
    EXPECT_EQ(got.elements, wanted.elements);
  }
  for (const auto& [pc, got] : counts)
    EXPECT_TRUE(native.contains(pc) || got.executions == 0) << std::hex << pc;
  EXPECT_GT(native.size(), 5u);
  session.run();
  EXPECT_TRUE(session.ends_equal());
}

INSTANTIATE_TEST_SUITE_P(Works, Profile,
                         ::testing::Combine(::testing::Values("loops", "calls", "strings", "system_calls",
                                                              "signals", "patches", "stack", "faults"),
                                            ::testing::Values("", "--cpu host")),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) +
                                  (*std::get<1>(info.param) != '\0' ? "InMemory" : "");
                         });

}  // namespace
}  // namespace orrery::testing
