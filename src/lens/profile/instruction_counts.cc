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
              std::vector<CountedInstruction>& counts) {
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
  i64 rest = 0;                      // of instructions that cannot be read
  InstructionCount* last = nullptr;  // of what was decoded last
  for (const StretchCount& stretch : stretches) {
    for (; done < stretch.instructions; ++done) {
      const x86::Decoded decoded = x86::decode({bytes + at, have - at});
      if (decoded.length == 0) break;
      last = &counts.emplace_back(CountedInstruction{.pc = pc + at}).count;
      last->executions = executions;
      if (is_conditional(decoded)) last->branches = executions;
      at += decoded.length;
    }
    if (done < stretch.instructions)
      rest += stretch.count * (stretch.instructions - done);
    else if (stretch.kind == StretchKind::taken)
      last->taken += stretch.count;
    executions -= stretch.count;
  }
  if (rest != 0) counts.push_back({.pc = pc, .count = {.executions = rest}});
}

/// Sorts, and adds up what is told of one instruction.
void merge(std::vector<CountedInstruction>& counts) {
  std::sort(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.pc < b.pc; });
  std::size_t kept = 0;
  for (std::size_t at = 0; at < counts.size(); ++at) {
    if (kept != 0 && counts[kept - 1].pc == counts[at].pc)
      counts[kept - 1].count.add(counts[at].count);
    else
      counts[kept++] = counts[at];
  }
  counts.resize(kept);
}

}  // namespace

std::vector<CountedInstruction> instruction_counts(elf::StoppedMachine& machine,
                                                   std::span<const StretchCount> counted) {
  std::vector<CountedInstruction> counts;
  std::vector<StretchCount> sorted;
  for (const StretchCount& stretch : counted) {
    if (stretch.kind == StretchKind::elements)
      counts.push_back({.pc = stretch.pc, .count = {.elements = stretch.count}});
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
  merge(counts);
  return counts;
}

}  // namespace orrery::lens::profile
