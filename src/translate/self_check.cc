// The BlockBuilder's part in code of pages that change often: it compares the guest's bytes with its source
// before it runs.
#include <cstring>

#include "translate/block_builder.h"

namespace orrery::translate {

/// Compares the guest's bytes at `address` with `wanted`, without a flag: their difference goes to jrcxz.
void BlockBuilder::compare_word(u64 address, u32 wanted, u32 bytes, std::vector<u8*>& mismatches) {
  static constexpr u8 kLoadByte[] = {0x0f, 0xb6, 0x09};  // movzx ecx, byte [rcx]
  static constexpr u8 kLoadWord[] = {0x8b, 0x09};        // mov ecx, [rcx]
  emit_.mov_imm64(Gpr::rcx, address);
  if (bytes == 1)
    emit_.bytes(kLoadByte);
  else
    emit_.bytes(kLoadWord);
  static constexpr u8 kSubtract[] = {0x8d, 0x89};  // lea ecx, [rcx + disp32]
  emit_.bytes(kSubtract);
  emit_.word32(u32{0} - wanted);
  u8* const same = emit_.short_branch(0xe3);  // jrcxz
  mismatches.push_back(emit_.jmp_relative());
  emit_.bind8(same);
}

/// Goes on at `body` if the guest's bytes still are the block's source.
void BlockBuilder::check_source(const u8* body) {
  const std::span<const u8> source = built_.source;
  std::vector<u8*> mismatches;
  pc_ = built_.block.pc;
  emit_.store_slot(ORRERY_SLOT_SPILL_RCX, Gpr::rcx);
  mark(Borrowed::rcx);
  u64 at = 0;
  for (; at + 4 <= source.size(); at += 4) {
    u32 word;
    std::memcpy(&word, source.data() + at, 4);
    compare_word(pc_ + at, word, 4, mismatches);
  }
  for (; at < source.size(); ++at) compare_word(pc_ + at, source[at], 1, mismatches);
  emit_.load_slot(Gpr::rcx, ORRERY_SLOT_SPILL_RCX);
  Emitter::bind32(emit_.jmp_relative(), body);
  for (u8* const mismatch : mismatches) Emitter::bind32(mismatch, emit_.at());
  emit_.load_slot(Gpr::rcx, ORRERY_SLOT_SPILL_RCX);
  leave(ExitCode::stale, pc_);
}

}  // namespace orrery::translate
