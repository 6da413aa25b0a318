#include "lens/profile/instruction_counts.h"

#include "x86/decode.h"

namespace orrery::lens::profile {

void add_counts(elf::StoppedMachine& machine, std::span<const translate::StretchCount> counted,
                InstructionCounts& counts) {
  u8 bytes[4096];
  for (const translate::StretchCount& stretch : counted) {
    if (stretch.kind == translate::StretchKind::elements) {
      counts[stretch.pc].elements += stretch.count;
      continue;
    }
    const u64 have = machine.read(stretch.pc, {bytes, std::min<u64>(stretch.guest_bytes, sizeof bytes)});
    u64 at = 0;
    u32 left = stretch.instructions;
    InstructionCount* last = nullptr;
    for (; left != 0; --left) {
      const u8 length = x86::decode({bytes + at, have - at}).length;
      if (length == 0) break;
      last = &counts[stretch.pc + at];
      last->executions += stretch.count;
      at += length;
    }
    if (left != 0) counts[stretch.pc].executions += stretch.count * left;
    if (stretch.kind != translate::StretchKind::conditional || last == nullptr || left != 0) continue;
    last->branches += stretch.count;
    last->taken += stretch.taken;
  }
}

}  // namespace orrery::lens::profile
