// One instruction: fetch from where the guest may execute, decode, and either
//   * do it here, when it transfers control: the condition from the guest's flags, the target from the
//     instruction, the tick counted. Memory it touches (an indirect target, the return address) is
//     still read and written by a native instruction, so that faults are the processor's own;
//   * report it (syscall, gated, trapping, undefined); or
//   * copy it to the scratch page and run it with all guest registers loaded (native.S).
// No state outlives an instruction but the guest's registers, and nothing is cached: what a fresh
// fetch says is what runs, so code that changes itself needs no thought.
#include "step/stepper.h"

#include <signal.h>

#include <cstring>

#include "memory/guarded_copy.h"
#include "x86/exception.h"

extern "C" {
orrery::u64 orrery_step_enter(const void* scratch);
extern const orrery::u8 orrery_step_template[], orrery_step_template_fault[], orrery_step_template_end[];
}

namespace orrery::step {

using cpu::CpuState;
using cpu::Exit;
using cpu::ExitKind;
using cpu::Fault;
using cpu::Gpr;
using x86::Category;
using x86::Decoded;

namespace {

constexpr u64 kCarry = 1 << 0, kParity = 1 << 2, kZero = 1 << 6, kSign = 1 << 7, kTrapFlag = 1 << 8,
              kOverflow = 1 << 11;
/// What the processor stores in the flags image of a fault (not of a trap) and clears after an instruction
/// (SDM vol. 3, 17.3.1.1). Programs see it in signal frames.
constexpr u64 kResumeFlag = 1 << 16;

/// tttn (SDM vol. 2, table B-10).
bool condition_holds(u8 tttn, u64 rflags) {
  const bool less = ((rflags & kSign) != 0) != ((rflags & kOverflow) != 0);
  bool holds = false;
  switch (tttn >> 1) {
    case 0:
      holds = (rflags & kOverflow) != 0;
      break;
    case 1:
      holds = (rflags & kCarry) != 0;
      break;
    case 2:
      holds = (rflags & kZero) != 0;
      break;
    case 3:
      holds = (rflags & (kCarry | kZero)) != 0;
      break;
    case 4:
      holds = (rflags & kSign) != 0;
      break;
    case 5:
      holds = (rflags & kParity) != 0;
      break;
    case 6:
      holds = less;
      break;
    default:
      holds = less || (rflags & kZero) != 0;
      break;
  }
  return holds != ((tttn & 1) != 0);
}

/// loopne, loope, loop (which count rcx down) and jrcxz. With 67 the counter is ecx.
bool loop_taken(const Decoded& decoded, CpuState& cpu) {
  u64& rcx = cpu.regs[Gpr::rcx];
  const u64 mask = decoded.has_67 ? 0xffff'ffff : ~u64{0};
  if (decoded.condition == 3) return (rcx & mask) == 0;
  rcx = (rcx - 1) & mask;
  const bool zero = (cpu.regs.rflags & kZero) != 0;
  return rcx != 0 && (decoded.condition == 2 || zero == (decoded.condition == 1));
}

bool canonical(u64 address) {
  const u64 top = address >> 47;
  return top == 0 || top == 0x1ffff;
}

constexpr Fault kGeneralProtection{SIGSEGV, SI_KERNEL, 0, 0, x86::kVectorGeneralProtection};

/// What the kernel sends for an exception that needs no execution (arch/x86/kernel/traps.c).
Fault fault_of(const Decoded& decoded, u64 pc) {
  const x86::Exception exception = x86::exception_of(decoded);
  switch (exception.vector) {
    case x86::kVectorDebug:
      return {SIGTRAP, TRAP_BRKPT, pc + decoded.length, 0, exception.vector};
    case x86::kVectorBreakpoint:
      return {SIGTRAP, SI_KERNEL, 0, 0, exception.vector};
    case x86::kVectorInvalidOpcode:
      return {SIGILL, ILL_ILLOPN, pc, 0, exception.vector};
    default:
      return {SIGSEGV, SI_KERNEL, 0, exception.error_code, exception.vector};
  }
}

/// What the kernel sends when the byte at `address` cannot be fetched (arch/x86/mm/fault.c).
Fault fetch_fault(const memory::AddressSpace& space, u64 address) {
  constexpr u64 kPresent = 1, kUser = 4, kFetch = 16;
  if (!canonical(address)) return kGeneralProtection;
  const memory::Region* region = space.find(address);
  // Of its own half the kernel tells nothing apart: always "present" (fault.c, sanitize_error_code).
  const bool present = (address >> 63) != 0 || (region != nullptr && region->protection != 0);
  const u64 error = kUser | kFetch | (present ? kPresent : 0);
  return {SIGSEGV, region != nullptr ? SEGV_ACCERR : SEGV_MAPERR, address, error, x86::kVectorPageFault};
}

Exit fault_exit(CpuState& cpu, const Fault& fault, u8 instruction_bytes = 0) {
  if (fault.signal != SIGTRAP && fault.trap_number != x86::kVectorOverflow) cpu.regs.rflags |= kResumeFlag;
  return {.kind = ExitKind::fault, .instruction_bytes = instruction_bytes, .fault = fault};
}

}  // namespace

Stepper::Stepper(memory::AddressSpace& space, u8* scratch, const Options& options)
    : space_(space), scratch_(scratch), options_(options), body_(scratch) {
  std::memcpy(scratch, orrery_step_template,
              static_cast<u64>(orrery_step_template_end - orrery_step_template));
}

Exit Stepper::run(CpuState& cpu, const cpu::RunLimits& limits) {
  for (;;)
    if (std::optional<Exit> exit = step(cpu, limits)) return *exit;
}

bool Stepper::fetch(u64 pc) {
  const u64 bytes = space_.accessible_bytes(pc, sizeof buffer_, memory::Access::execute);
  buffer_bytes_ = static_cast<u32>(memory::guarded_copy(buffer_, reinterpret_cast<const u8*>(pc), bytes));
  return buffer_bytes_ > 0;
}

std::optional<Exit> Stepper::step(CpuState& cpu, const cpu::RunLimits& limits) {
  Instruction instruction{cpu.regs.rip, {}, {}};
  const u64 pc = instruction.pc;
  if (!fetch(pc)) return fault_exit(cpu, fetch_fault(space_, pc));
  instruction.decoded = x86::decode({buffer_, buffer_bytes_});
  Decoded& decoded = instruction.decoded;
  if (decoded.length == 0) return fault_exit(cpu, fetch_fault(space_, pc + buffer_bytes_));
  x86::narrow_bit_scan(options_.features, decoded, {buffer_, decoded.length});
  instruction.bytes = {buffer_, decoded.length};
  if (!x86::offered(options_.features, decoded)) decoded.category = Category::invalid;
  switch (decoded.category) {
    case Category::invalid:
    case Category::trap:
      return fault_exit(cpu, fault_of(decoded, pc), decoded.length);
    case Category::gated:
      return Exit{.kind = ExitKind::gated, .gate = decoded.gate, .instruction_bytes = decoded.length};
    case Category::syscall:
      cpu.regs.rip = instruction.next();
      return Exit{.kind = ExitKind::syscall, .instruction_bytes = decoded.length};
    case Category::far_transfer:
      return Exit{
          .kind = ExitKind::gated, .gate = cpu::Gate::far_transfer, .instruction_bytes = decoded.length};
    case Category::copy:
      if (auto exit = execute_here(cpu, instruction)) return exit;
      cpu.regs.rip = instruction.next();
      return std::nullopt;
    default:
      break;
  }
  // A control transfer. `target_` is set by transfer(); a transfer that is not taken goes to the next pc.
  target_ = instruction.next();
  if (auto exit = transfer(cpu, instruction)) return exit;
  const bool relative = decoded.category <= Category::loop;
  return jump(cpu, target_, !relative || target_ <= pc, limits);
}

std::optional<Exit> Stepper::transfer(CpuState& cpu, const Instruction& instruction) {
  const Decoded& decoded = instruction.decoded;
  switch (decoded.category) {
    case Category::jump:
      target_ = instruction.relative_target();
      break;
    case Category::jump_if:
      if (condition_holds(decoded.condition, cpu.regs.rflags)) target_ = instruction.relative_target();
      break;
    case Category::loop:
      if (loop_taken(decoded, cpu)) target_ = instruction.relative_target();
      break;
    case Category::call:
      target_ = instruction.relative_target();
      break;
    default:
      if (auto exit = load_target(cpu, instruction)) return exit;
      break;
  }
  const bool is_call = decoded.category == Category::call || decoded.category == Category::call_indirect;
  if (is_call)
    if (auto exit = push_return_address(cpu, instruction)) return exit;
  if (!canonical(target_)) {
    // What a call pushed stays in memory (measured; SDM vol. 2 has the check first), the pointer goes back.
    if (is_call) cpu.regs[Gpr::rsp] += 8;
    return fault_exit(cpu, kGeneralProtection, decoded.length);
  }
  if (decoded.category == Category::ret)
    cpu.regs[Gpr::rsp] += 8 + (static_cast<u64>(decoded.immediate) & 0xffff);
  return std::nullopt;
}

std::optional<Exit> Stepper::jump(CpuState& cpu, u64 target, bool ticks, const cpu::RunLimits& limits) {
  cpu.regs.rip = target;
  cpu.regs.rflags &= ~kResumeFlag;
  if (!ticks) return std::nullopt;
  ++cpu.ticks;
  if (cpu.ticks == limits.stop_at_tick) return Exit{.kind = ExitKind::tick_reached};
  if (!stop_requested_) return std::nullopt;
  stop_requested_ = false;
  return Exit{.kind = ExitKind::interrupted};
}

// --- native parts ---

Body& Stepper::begin_body() {
  body_ = Body(scratch_);
  return body_;
}

/// Runs the finished body with the guest's registers. False after a fault; the registers are then as
/// the fault left them.
bool Stepper::execute(CpuState& cpu) {
  body_.finish();
  std::memcpy(frame().gpr, cpu.regs.gpr, sizeof cpu.regs.gpr);
  frame().rflags = cpu.regs.rflags & ~kTrapFlag;
  executing_pc_ = cpu.regs.rip;
  const bool done = orrery_step_enter(scratch_) == 0;
  std::memcpy(cpu.regs.gpr, frame().gpr, sizeof cpu.regs.gpr);
  cpu.regs.rflags = frame().rflags | (cpu.regs.rflags & kTrapFlag);
  return done;
}

std::optional<Exit> Stepper::execute_here(CpuState& cpu, const Instruction& instruction) {
  begin_body().copy(instruction.decoded, instruction.bytes, instruction.pc);
  if (execute(cpu)) return std::nullopt;
  return faulted(cpu, instruction);
}

std::optional<Exit> Stepper::load_target(CpuState& cpu, const Instruction& instruction) {
  if (instruction.decoded.category == Category::ret)
    begin_body().load_return_address();
  else
    begin_body().load_target(instruction.decoded, instruction.bytes, instruction.pc);
  if (!execute(cpu)) return faulted(cpu, instruction);
  target_ = frame().value;
  return std::nullopt;
}

std::optional<Exit> Stepper::push_return_address(CpuState& cpu, const Instruction& instruction) {
  begin_body().push_value();
  frame().value = instruction.next();
  if (execute(cpu)) return std::nullopt;
  return faulted(cpu, instruction);
}

Exit Stepper::faulted(CpuState& cpu, const Instruction& instruction) const {
  cpu.regs.rip = instruction.pc;
  return fault_exit(cpu, fault_, instruction.decoded.length);
}

void Stepper::recover(HostFrame& host, const Fault& fault) {
  constexpr u64 kDivideError = 0, kX87Error = 16, kSimdError = 19;
  std::memcpy(frame().gpr, host.gpr, sizeof host.gpr);
  frame().rflags = host.rflags;
  if (body_.borrows()) frame().gpr[static_cast<int>(body_.borrowed())] = frame().spill;
  fault_ = fault;
  // For these the kernel reports the instruction's address, which is the scratch page's.
  if (fault.trap_number == kDivideError || fault.trap_number == kX87Error ||
      fault.trap_number == kSimdError || fault.trap_number == x86::kVectorInvalidOpcode)
    fault_.address = executing_pc_;
  host.rip =
      reinterpret_cast<u64>(scratch_) + static_cast<u64>(orrery_step_template_fault - orrery_step_template);
}

}  // namespace orrery::step
