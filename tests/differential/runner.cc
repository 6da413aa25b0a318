// While guest code runs the segment bases are the guest's, so nothing in the handlers may use
// thread-local storage: no errno, no stack protector, no libc calls but memcpy.
#include "runner.h"

#include <immintrin.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "base/check.h"
#include "memory/guarded_copy.h"
#include "translate/slots.h"

extern "C" {
extern orrery::u8 guest_vectors[], host_vectors[];
extern orrery::u64 guest_fs_base, guest_gs_base;
}

namespace orrery::differential {
namespace {

enum class Running { nothing, native_start, native, stepper, translator };

/// What the signal handlers need; a handler has no other way to reach it.
struct Current {
  Running running = Running::nothing;
  ProcessorState* state = nullptr;
  cpu::Fault fault;
  step::Stepper* stepper = nullptr;
  translate::Translator* translator = nullptr;
  greg_t host_gregs[NGREG];
  VectorImage host_vectors;
  u64 host_fs_base = 0, host_gs_base = 0;
  u64 image_bytes = 0;  ///< a signal frame of this host has so many
};
Current current;

constexpr int kOrder[cpu::kGprCount] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                        REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                        REG_R12, REG_R13, REG_R14, REG_R15};

constexpr u64 kSoftwareBytes = 464, kSoftwareEnd = 512, kHeader = 512;

/// The frame's image keeps what the kernel wrote about its size and components.
void load_image(ucontext_t* context, const VectorImage& image) {
  u8* frame = reinterpret_cast<u8*>(context->uc_mcontext.fpregs);
  std::memcpy(frame, image.bytes.data(), kSoftwareBytes);
  std::memcpy(frame + kSoftwareEnd, image.bytes.data() + kSoftwareEnd, current.image_bytes - kSoftwareEnd);
}

void save_image(const ucontext_t* context, VectorImage& image) {
  std::memcpy(image.bytes.data(), context->uc_mcontext.fpregs, current.image_bytes);
}

cpu::Fault fault_of(int number, const siginfo_t* info, const ucontext_t* context) {
  const auto* gregs = context->uc_mcontext.gregs;
  return {number, info->si_code, reinterpret_cast<u64>(info->si_addr), static_cast<u64>(gregs[REG_ERR]),
          static_cast<u64>(gregs[REG_TRAPNO])};
}

void start_native(ucontext_t* context) {
  std::memcpy(current.host_gregs, context->uc_mcontext.gregs, sizeof current.host_gregs);
  save_image(context, current.host_vectors);
  const cpu::Registers& regs = current.state->regs;
  auto* gregs = context->uc_mcontext.gregs;
  for (int i = 0; i < cpu::kGprCount; ++i) gregs[kOrder[i]] = static_cast<greg_t>(regs.gpr[i]);
  gregs[REG_RIP] = static_cast<greg_t>(regs.rip);
  gregs[REG_EFL] = static_cast<greg_t>(regs.rflags);
  load_image(context, current.state->vectors);
  current.running = Running::native;
  current.host_fs_base = _readfsbase_u64();
  current.host_gs_base = _readgsbase_u64();
  _writefsbase_u64(regs.fs_base);
  _writegsbase_u64(regs.gs_base);
}

void finish_native(int number, const siginfo_t* info, ucontext_t* context) {
  cpu::Registers& regs = current.state->regs;
  regs.fs_base = _readfsbase_u64();
  regs.gs_base = _readgsbase_u64();
  _writefsbase_u64(current.host_fs_base);
  _writegsbase_u64(current.host_gs_base);
  auto* gregs = context->uc_mcontext.gregs;
  for (int i = 0; i < cpu::kGprCount; ++i) regs.gpr[i] = static_cast<u64>(gregs[kOrder[i]]);
  regs.rip = static_cast<u64>(gregs[REG_RIP]);
  regs.rflags = static_cast<u64>(gregs[REG_EFL]);
  save_image(context, current.state->vectors);
  current.fault = fault_of(number, info, context);
  std::memcpy(gregs, current.host_gregs, sizeof current.host_gregs);
  load_image(context, current.host_vectors);
  current.running = Running::nothing;
}

template <class Frame>
Frame host_frame(const ucontext_t* context) {
  Frame frame;
  for (int i = 0; i < cpu::kGprCount; ++i)
    frame.gpr[i] = static_cast<u64>(context->uc_mcontext.gregs[kOrder[i]]);
  frame.rip = static_cast<u64>(context->uc_mcontext.gregs[REG_RIP]);
  frame.rflags = static_cast<u64>(context->uc_mcontext.gregs[REG_EFL]);
  return frame;
}

/// A fault of the test's or the engine's own code.
[[noreturn]] void unexpected(int number, const siginfo_t* info, const ucontext_t* context) {
  if (current.host_fs_base != 0) _writefsbase_u64(current.host_fs_base);
  char line[128];
  const int size =
      std::snprintf(line, sizeof line, "signal %d, pc %llx, address %p, while running %d\n", number,
                    context->uc_mcontext.gregs[REG_RIP], info->si_addr, static_cast<int>(current.running));
  if (write(2, line, static_cast<size_t>(size)) != size) _exit(3);
  _exit(2);
}

bool recover_stepper(int number, const siginfo_t* info, ucontext_t* context) {
  auto frame = host_frame<step::Stepper::HostFrame>(context);
  if (!current.stepper->owns_host_pc(frame.rip)) return false;
  current.stepper->recover(frame, fault_of(number, info, context));
  context->uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(frame.rip);
  return true;
}

bool recover_translator(int number, const siginfo_t* info, ucontext_t* context) {
  using translate::Translator;
  switch (current.translator->lift_fault(host_frame<Translator::HostFrame>(context))) {
    case Translator::FaultKind::guest:
      translate::slots().fault = fault_of(number, info, context);
      context->uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(Translator::resume_after_fault());
      context->uc_mcontext.gregs[REG_EFL] = 0x202;
      return true;
    case Translator::FaultKind::missing_entry:
      context->uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(Translator::resume_miss());
      return true;
    case Translator::FaultKind::not_ours:
      return false;
  }
  return false;
}

void handle(int number, siginfo_t* info, void* data) {
  auto* context = static_cast<ucontext_t*>(data);
  if (const u64 resume = memory::guarded_copy_resume(static_cast<u64>(context->uc_mcontext.gregs[REG_RIP]))) {
    context->uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(resume);
    return;
  }
  switch (current.running) {
    case Running::native_start:
      return start_native(context);
    case Running::native:
      return finish_native(number, info, context);
    case Running::stepper:
      if (recover_stepper(number, info, context)) return;
      break;
    case Running::translator:
      if (recover_translator(number, info, context)) return;
      break;
    case Running::nothing:
      break;
  }
  unexpected(number, info, context);
}

/// A case may have loaded segment registers; the next begins with what Linux gives a process. Loading fs and
/// gs clears their bases on Intel, so those are put back.
void reset_segments() {
  const u64 fs_base = _readfsbase_u64(), gs_base = _readgsbase_u64();
  __asm__ volatile(
      "mov %0, %%ds\n\tmov %0, %%es\n\tmov %0, %%fs\n\tmov %0, %%gs\n\twrfsbase %1\n\twrgsbase %2"
      :
      : "r"(0), "r"(fs_base), "r"(gs_base));
}

/// What the processor stores and an executor leaves to the machine: int3 is reported behind itself, and any
/// fault that is not a trap sets the resume flag (SDM vol. 3, 17.3.1.1).
void deliver(cpu::Registers& regs, const cpu::Exit& exit) {
  constexpr u64 kResumeFlag = 1 << 16;
  if (exit.fault.signal == SIGTRAP)
    regs.rip += exit.instruction_bytes;
  else
    regs.rflags |= kResumeFlag;
}

template <class Executor>
ExecutorRun run_executor(Executor& executor, Running running, const ProcessorState& start,
                         const cpu::RunLimits& limits) {
  cpu::CpuState cpu;
  cpu.regs = start.regs;
  std::memcpy(guest_vectors, start.vectors.bytes.data(), kImageBytes);
  guest_fs_base = start.regs.fs_base;
  guest_gs_base = start.regs.gs_base;
  reset_segments();
  current.running = running;
  const cpu::Exit exit = executor.run(cpu, limits);
  current.running = Running::nothing;
  ExecutorRun result;
  result.kind = exit.kind;
  result.ticks = cpu.ticks;
  result.outcome.fault = exit.fault;
  result.outcome.state.regs = cpu.regs;
  result.outcome.state.regs.fs_base = guest_fs_base;
  result.outcome.state.regs.gs_base = guest_gs_base;
  if (exit.kind == cpu::ExitKind::fault) deliver(result.outcome.state.regs, exit);
  std::memcpy(result.outcome.state.vectors.bytes.data(), guest_vectors, kImageBytes);
  make_canonical(result.outcome.state.vectors);
  return result;
}

}  // namespace

void prepare_process() {
  current.image_bytes = image_bytes();
  constexpr u64 kStackBytes = 1 << 18;
  stack_t stack{};
  stack.ss_sp = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(stack.ss_sp != MAP_FAILED, "a stack for the signal handlers");
  stack.ss_size = kStackBytes;
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}) sigaction(number, &action, nullptr);
  const VectorImage initial = initial_vectors();
  std::memcpy(host_vectors, initial.bytes.data(), kImageBytes);
  std::memset(host_vectors + kHeader, 3, 1);
}

bool processor_suffices() {
  constexpr u64 kHwcap2Fsgsbase = 2;
  return (getauxval(AT_HWCAP2) & kHwcap2Fsgsbase) != 0 && image_components() != 0;
}

Outcome run_native(const ProcessorState& start) {
  Outcome outcome;
  outcome.state = start;
  current.state = &outcome.state;
  reset_segments();
  current.running = Running::native_start;
  __asm__ volatile("int3" : : : "memory");
  outcome.fault = current.fault;
  make_canonical(outcome.state.vectors);
  return outcome;
}

ExecutorRun run_stepper(step::Stepper& stepper, const ProcessorState& start, const cpu::RunLimits& limits) {
  current.stepper = &stepper;
  return run_executor(stepper, Running::stepper, start, limits);
}

ExecutorRun run_translator(translate::Translator& translator, const ProcessorState& start,
                           const cpu::RunLimits& limits) {
  current.translator = &translator;
  return run_executor(translator, Running::translator, start, limits);
}

}  // namespace orrery::differential
