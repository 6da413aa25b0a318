#include "translate/tainted_targets.h"

#include <gtest/gtest.h>

namespace orrery::translate {
namespace {

constexpr u64 kMiss = 0x1470'0000'0000, kHost = kMiss + 0x40;
constexpr u64 kPlace = 0x7f12'3456'789a;

/// What emitted code does.
u64 host_of(const TaintedTargets& targets, u64 target, CodeKind kind, Variant variant = Variant::fast) {
  const TaintedTarget& entry = targets.first(kind, variant)[target & 0xffff];
  return entry.negated_pc + target == 0 ? entry.host : kMiss;
}

TEST(TaintedTargets, AreFoundInCodeOfTheirKindAlone) {
  TaintedTargets targets;
  targets.clear(kMiss);
  targets.set(kPlace, kFirstTainted + 3, Variant::fast, kHost);
  EXPECT_EQ(host_of(targets, kPlace, kFirstTainted + 3), kHost);
  for (CodeKind kind = kFirstTainted; kind < kFirstTainted + 8; ++kind)
    for (u64 target = kPlace - 40; target < kPlace + 40; ++target)
      for (const Variant variant : {Variant::fast, Variant::exact}) {
        const bool is_set = target == kPlace && kind == kFirstTainted + 3 && variant == Variant::fast;
        EXPECT_EQ(host_of(targets, target, kind, variant), is_set ? kHost : kMiss) << kind << ' ' << target;
      }
  EXPECT_EQ(host_of(targets, kPlace ^ u64{1} << 63, kFirstTainted + 3), kMiss);
}

TEST(TaintedTargets, TheLastKindHasAnEntryForEveryTarget) {
  TaintedTargets targets;
  targets.clear(kMiss);
  constexpr CodeKind kLast = kFirstTainted + TaintedTargets::kKindsMost - 1;
  targets.set(kPlace | 0xffff, kLast, Variant::exact, kHost);
  EXPECT_EQ(host_of(targets, kPlace | 0xffff, kLast, Variant::exact), kHost);
}

TEST(TaintedTargets, NoTargetFindsCodeInAnEmptyOne) {
  TaintedTargets targets;
  targets.clear(kMiss);
  for (const u64 target : {u64{0}, kPlace, ~u64{0}})
    EXPECT_EQ(host_of(targets, target, kFirstTainted), kMiss);
}

TEST(TaintedTargets, CodeThatIsDroppedTakesAwayItsOwnEntry) {
  TaintedTargets targets;
  targets.clear(kMiss);
  targets.set(kPlace, kFirstTainted, Variant::fast, kHost);
  targets.remove(kPlace, kFirstTainted, Variant::fast, kHost + 1);
  EXPECT_EQ(host_of(targets, kPlace, kFirstTainted), kHost) << "others have taken its place";
  targets.remove(kPlace, kFirstTainted, Variant::fast, kHost);
  EXPECT_EQ(host_of(targets, kPlace, kFirstTainted), kMiss);
  targets.set(kPlace, kFirstTainted, Variant::fast, kHost);
  targets.clear(kMiss);
  EXPECT_EQ(host_of(targets, kPlace, kFirstTainted), kMiss);
}

}  // namespace
}  // namespace orrery::translate
