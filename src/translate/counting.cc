// The Translator's part in counting instructions (counts.h) and executions (stretches.h).
#include <utility>

#include "memory/guarded_copy.h"
#include "translate/translator.h"
#include "x86/decode.h"

namespace orrery::translate {

void Translator::count_instructions(bool wanted) {
  if (wanted != counts_) flush();
  if (wanted) fill_sums();
  counts_ = wanted;
  slots().instructions = seen_instructions_ = 0;
}

/// Of a stretch that was left in its midst: what was done of it, and of a repeated instruction.
void Translator::count_cut_off(ExitCode code) {
  const u64 pc = slots().regs.rip, from = slots().uncounted_from;
  if (slots().uncounted != 0) {
    const u32 row = stretches_.find_or_add(
        {from, static_cast<u16>(pc - from), static_cast<u16>(slots().uncounted), StretchKind::whole});
    ++counter(row);
  }
  if (code != ExitCode::fault) return;
  u8 bytes[15];
  const u64 have = memory::guarded_copy(bytes, reinterpret_cast<const u8*>(pc), sizeof bytes);
  const x86::Decoded decoded = x86::decode({bytes, have});
  if (std::exchange(slots().counted_ahead, 0) != 0) take_back_transfer(pc, decoded.length);
  if (!x86::is_repeated_string(decoded)) return;
  const u32 row = stretches_.find_or_add({pc, decoded.length, 0, StretchKind::elements});
  counter(row) += static_cast<i64>(slots().elements_from - slots().regs[Gpr::rcx]);
}

/// It was counted, and did not come about.
void Translator::take_back_transfer(u64 pc, u8 bytes) {
  --slots().ticks;
  if (counts_) --slots().instructions;
  if (notes_profile()) --counter(stretches_.find_or_add({pc, bytes, 1}));
}

void Translator::clear_stretches() {
  flush();
  stretches_.clear();
}

u64 Translator::instructions() const { return slots().instructions; }

void Translator::take_back_instruction(cpu::CpuState& cpu) {
  if (notes_accesses()) put_record(AccessHeader::take_back(false).word, {});
  if (!counts_) return;
  if (notes_profile()) --counter(stretches_.find_or_add({cpu.regs.rip, 1, 1}));
  --slots().instructions;
  --seen_instructions_;
  --cpu.instructions;
}

}  // namespace orrery::translate
