#include "lens/profile/instruction_counts.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "x86/decode.h"

namespace orrery::lens::profile {
namespace {

using translate::StretchCount;
using translate::StretchKind;

bool is_conditional(const x86::Decoded& decoded) {
  return decoded.category == x86::Category::jump_if || decoded.category == x86::Category::loop;
}

/// Of stretches with one beginning, the shortest first: decodes the longest, and counts what leads so far.
void add_from(elf::StoppedMachine& machine, std::span<const StretchCount> stretches,
              InstructionCounts& counts) {
  const u64 pc = stretches.front().pc;
  u8 bytes[4096];
  u64 most_bytes = 0;
  i64 executions = 0;
  for (const StretchCount& stretch : stretches) {
    most_bytes = std::max<u64>(most_bytes, stretch.guest_bytes);
    executions += stretch.count;
  }
  const u64 have = machine.read(pc, {bytes, std::min(most_bytes, sizeof bytes)});
  u64 at = 0;
  u32 done = 0;
  InstructionCount* last = nullptr;
  for (const StretchCount& stretch : stretches) {
    for (; done < stretch.instructions; ++done) {
      const x86::Decoded decoded = x86::decode({bytes + at, have - at});
      if (decoded.length == 0) break;
      last = &counts[pc + at];
      last->executions += executions;
      if (is_conditional(decoded)) last->branches += executions;
      at += decoded.length;
    }
    if (done < stretch.instructions)
      counts[pc].executions += stretch.count * (stretch.instructions - done);
    else if (stretch.kind == StretchKind::taken)
      last->taken += stretch.count;
    executions -= stretch.count;
  }
}

}  // namespace

void add_counts(elf::StoppedMachine& machine, std::span<const StretchCount> counted,
                InstructionCounts& counts) {
  std::vector<StretchCount> sorted;
  for (const StretchCount& stretch : counted) {
    if (stretch.kind == StretchKind::elements)
      counts[stretch.pc].elements += stretch.count;
    else
      sorted.push_back(stretch);
  }
  std::sort(sorted.begin(), sorted.end(), [](const StretchCount& a, const StretchCount& b) {
    return std::tie(a.pc, a.instructions) < std::tie(b.pc, b.instructions);
  });
  for (auto from = sorted.begin(); from != sorted.end();) {
    const auto past = std::find_if(from, sorted.end(), [&](const auto& each) { return each.pc != from->pc; });
    add_from(machine, {from, past}, counts);
    from = past;
  }
}

}  // namespace orrery::lens::profile
