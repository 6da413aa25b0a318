// The slow obvious executor: one guest instruction at a time. It is the oracle of translate and is
// never used for speed. Control transfers and ticks are done here in C++; every other instruction is
// executed natively, alone, on a scratch page.
#pragma once

#include <optional>
#include <span>

#include "cpu/exit.h"
#include "memory/address_space.h"
#include "step/body.h"
#include "x86/decode.h"
#include "x86/isa_table.h"

namespace orrery::step {

class Stepper final : public cpu::Executor {
 public:
  struct Options {
    x86::FeatureSet features;  ///< of the guest's CPU profile
  };
  /// `scratch` has kScratchBytes, page aligned, readable, writable and executable; nobody else's.
  Stepper(memory::AddressSpace& space, u8* scratch, const Options& options);

  cpu::Exit run(cpu::CpuState& cpu, const cpu::RunLimits& limits) override;

  /// One instruction; the exit it caused, if any.
  std::optional<cpu::Exit> step(cpu::CpuState& cpu, const cpu::RunLimits& limits);

  /// Asks for an exit `interrupted` at the next tick. Async-signal safe.
  void request_stop() { stop_requested_ = true; }

  // --- for the host's signal handlers ---

  /// Whether a host pc is on the scratch page.
  bool owns_host_pc(u64 host_pc) const { return host_pc - reinterpret_cast<u64>(scratch_) < kPageBytes; }
  /// Host general registers as the signal frame has them, in cpu::Gpr order.
  struct HostFrame {
    u64 gpr[cpu::kGprCount];
    u64 rip, rflags;
  };
  /// A synchronous fault at frame.rip, which is ours: puts the guest's registers away and moves
  /// frame.rip to where the handler must resume; run() then returns `fault`.
  void recover(HostFrame& frame, const cpu::Fault& fault);

 private:
  struct Instruction {
    u64 pc;
    std::span<const u8> bytes;
    x86::Decoded decoded;
    u64 next() const { return pc + decoded.length; }
    u64 relative_target() const { return next() + static_cast<u64>(decoded.immediate); }
  };
  bool fetch(u64 pc);
  Body& begin_body();
  bool execute(cpu::CpuState& cpu);
  std::optional<cpu::Exit> execute_here(cpu::CpuState& cpu, const Instruction& instruction);
  std::optional<cpu::Exit> transfer(cpu::CpuState& cpu, const Instruction& instruction);
  std::optional<cpu::Exit> load_target(cpu::CpuState& cpu, const Instruction& instruction);
  std::optional<cpu::Exit> push_return_address(cpu::CpuState& cpu, const Instruction& instruction);
  std::optional<cpu::Exit> jump(cpu::CpuState& cpu, u64 target, bool ticks, const cpu::RunLimits& limits);
  cpu::Exit faulted(cpu::CpuState& cpu, const Instruction& instruction) const;
  Frame& frame() const { return *reinterpret_cast<Frame*>(scratch_ + ORRERY_STEP_DATA); }

  memory::AddressSpace& space_;
  u8* scratch_;
  Options options_;
  Body body_;
  u8 buffer_[15] = {};
  u32 buffer_bytes_ = 0;
  u64 target_ = 0;
  u64 executing_pc_ = 0;
  cpu::Fault fault_;
  volatile bool stop_requested_ = false;
};

}  // namespace orrery::step
