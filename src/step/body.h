// Builds what runs on the scratch page for one guest instruction (see stepper.cc).
#pragma once

#include <span>

#include "base/types.h"
#include "cpu/registers.h"
#include "step/frame.h"
#include "x86/decode.h"

namespace orrery::step {

/// The scratch area: a page of code, then a page with the Frame. Readable, writable and executable.
inline constexpr u64 kScratchBytes = 2 * kPageBytes;

/// Writes machine code at the body's place. It ends where the template puts the registers away.
class Body {
 public:
  explicit Body(u8* scratch) : scratch_(scratch), at_(scratch + ORRERY_STEP_BODY) {}

  /// The guest's instruction at `pc` itself. A rip-relative operand goes through a borrowed register.
  void copy(const x86::Decoded& decoded, std::span<const u8> bytes, u64 pc);
  /// Loads the target of an indirect jump or call into Frame::value.
  void load_target(const x86::Decoded& decoded, std::span<const u8> bytes, u64 pc);
  /// Loads the return address at rsp into Frame::value; rsp stays.
  void load_return_address();
  /// Pushes Frame::value.
  void push_value();
  void finish();

  /// Whether, and from where to where in the scratch area, a register is borrowed.
  bool borrows() const { return borrowed_; }
  cpu::Gpr borrowed() const { return register_; }

 private:
  void bytes(std::span<const u8> from);
  void word32(u32 value);
  void frame_access(u8 opcode, u8 reg, u64 frame_offset);  ///< REX.W opcode reg, [rip + frame field]
  void borrow(const x86::Decoded& decoded, u64 pc);
  void give_back();
  void rewritten(const x86::Decoded& decoded, std::span<const u8> bytes);

  u8* scratch_;
  u8* at_;
  bool borrowed_ = false;
  cpu::Gpr register_ = cpu::Gpr::rsi;
};

}  // namespace orrery::step
