// Emits the notes of a block's memory accesses (access_stream.h). Two registers that no instruction of the
// block names hold the place in the stream and an address, from the block's beginning to each way out of it;
// a block ends before it would leave fewer than two. So neither flags nor the guest's other registers are
// touched. A register is noted once: later accesses of the block refer to that word, as long as it is known
// what was added to the register since.
//
// The stream must not end within a block: at its beginning, with nothing executed yet, a store is tried where
// the block's last note may lie. Behind the stream there is a page that cannot be written; the fault leaves
// for the engine as ExitCode::notes_full, and the block begins again later. No other note can fault.
#pragma once

#include <span>
#include <vector>

#include "translate/access_stream.h"
#include "translate/emitter.h"

namespace orrery::translate {

/// What a fault in the block needs to know.
struct BlockNotes {
  u32 first_point = 0;  ///< the block's own row
  Gpr place = Gpr::r14, address = Gpr::r15;
  u32 notes_end = 0;    ///< host offset from its entry where both hold the guest's values again
  bool chosen = false;  ///< begins with an instruction whose registers choose what it accesses
};

/// Bytes behind the stream that cannot be written: at least a block's record.
inline constexpr u64 kNotesGuardBytes = 16 * kPageBytes;

class AccessNoter {
 public:
  /// Looks ahead from `code`, the bytes at `pc`. Returns how many instructions the block may have.
  u32 plan(std::span<const u8> code, u64 pc, u32 instructions_most, std::vector<AccessPoint>& points,
           bool has_fsgsbase);
  const BlockNotes& notes() const { return notes_; }
  bool begins_chosen() const { return notes_.chosen; }
  void set_notes_end(u32 offset) { notes_.notes_end = offset; }

  /// Where the mark of the trial store belongs: before what begin() emits next.
  void borrow(Emitter& emit);
  void try_end(Emitter& emit);
  /// Notes what the instruction is about to access.
  void before(Emitter& emit, const x86::Decoded& decoded, std::span<const u8> bytes, u64 pc);
  /// Notes what a register holds before the instruction at `pc`.
  void value(Emitter& emit, Gpr reg, u64 pc);
  /// What only shows when it is done.
  void after(Emitter& emit);
  void instruction_done(const x86::Decoded& decoded, std::span<const u8> bytes);

  /// How a way out of the block is to be recorded.
  AccessHeader header(u32 guest_bytes, bool with_this, bool tick) const {
    return AccessHeader::block(notes_.first_point, guest_bytes, words_, instructions_ + (with_this ? 1 : 0),
                               tick);
  }
  /// Ends the record and gives both registers back.
  void release(Emitter& emit, AccessHeader header) const;
  void finish();

 private:
  void store(Emitter& emit, u16 word, Gpr reg) const;
  u16 note(Emitter& emit, Gpr reg);
  void note_value(Emitter& emit, Gpr reg, AccessPoint& point);
  u16 note_segment_base(Emitter& emit, u8 segment);
  void lea(Emitter& emit, const x86::AddressForm& form, bool narrow) const;
  void note_operand(Emitter& emit, AccessPoint& point, const x86::AddressForm& form, bool narrow);
  void note_one(Emitter& emit, const x86::MemoryAccess& access, const x86::Decoded& decoded,
                std::span<const u8> bytes, AccessPoint& point);

  BlockNotes notes_;
  std::vector<AccessPoint>* points_ = nullptr;
  bool has_fsgsbase_ = false;
  u16 words_ = 0;
  u32 instructions_ = 0;
  u8* trial_ = nullptr;  ///< displacement of the trial store
  struct End {
    u32 point;
    Gpr reg;
  };
  End ends_[2] = {};  ///< of the present instruction: registers to be noted when it is done
  u32 end_count_ = 0;
  struct Noted {
    u16 word = kNoWord;
    u64 added = 0;  ///< since
  };
  Noted noted_[cpu::kGprCount];  ///< by register
};

}  // namespace orrery::translate
