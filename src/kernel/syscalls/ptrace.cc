// ptrace(2) between processes of one host process (kernel/tracing.h): attaching, reading registers and
// memory, going on. What would change a tracee, step it or report its system calls is refused, and so is
// everything towards other processes, whose tracer would see the engine.
#include <asm/unistd.h>
#include <elf.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "base/text.h"
#include "kernel/dispatch.h"
#include "kernel/scheduler.h"
#include "kernel/signal.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/tracing.h"

namespace orrery::kernel {
namespace {

constexpr u64 kWordBytes = 8;
constexpr u64 kCodeSegment = 0x33, kStackSegment = 0x2b;  // __USER_CS, __USER_DS
constexpr u32 kOptionsKnown = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;

i64 refuse(Call& call) {
  if (first_report(call.process, __NR_ptrace)) {
    Text words;
    words.add("ptrace request ").decimal(call.args[0]).add(" is refused (a tracer would see the engine)");
    call.process.say(words.add(": the program gets EPERM").view());
  }
  return -EPERM;
}

user_regs_struct registers_of(const Task& task) {
  using cpu::Gpr;
  const cpu::Registers& regs = task.cpu.regs;
  user_regs_struct out{};
  out.r15 = regs[Gpr::r15], out.r14 = regs[Gpr::r14], out.r13 = regs[Gpr::r13], out.r12 = regs[Gpr::r12];
  out.rbp = regs[Gpr::rbp], out.rbx = regs[Gpr::rbx], out.r11 = regs[Gpr::r11], out.r10 = regs[Gpr::r10];
  out.r9 = regs[Gpr::r9], out.r8 = regs[Gpr::r8], out.rax = regs[Gpr::rax], out.rcx = regs[Gpr::rcx];
  out.rdx = regs[Gpr::rdx], out.rsi = regs[Gpr::rsi], out.rdi = regs[Gpr::rdi], out.rsp = regs[Gpr::rsp];
  out.orig_rax = static_cast<u64>(task.call.number);
  out.rip = regs.rip, out.eflags = regs.rflags, out.fs_base = regs.fs_base, out.gs_base = regs.gs_base;
  out.cs = kCodeSegment, out.ss = kStackSegment;
  return out;
}

/// copy_xstate_to_uabi_buf: the standard form; where the processor keeps nothing stands XCR0 and then zeros
/// (arch/x86/include/asm/user.h, USER_XSTATE_XCR0_WORD).
std::vector<u8> extended_state_of(const Task& task) {
  constexpr std::size_t kSoftwareBytesAt = 464;
  const Configuration& configuration = task.process.configuration;
  const std::span<const u8> state = task.process.scheduler.vector_state(task);
  std::vector<u8> bytes(state.begin(),
                        state.begin() + static_cast<std::ptrdiff_t>(configuration.xsave_bytes));
  const std::array<u64, 6> software = {configuration.xcr0};
  std::memcpy(bytes.data() + kSoftwareBytesAt, software.data(), sizeof software);
  return bytes;
}

i64 get_register_set(Call& call, const Task& task) {
  struct Vector {
    u64 base, size_bytes;
  } vector{};
  if (!call.space().read_value(call.args[3], vector)) return -EFAULT;
  std::vector<u8> bytes;
  if (call.args[2] == NT_PRSTATUS) {
    const user_regs_struct regs = registers_of(task);
    const auto* const start = reinterpret_cast<const u8*>(&regs);
    bytes.assign(start, start + sizeof regs);
  } else if (call.args[2] == NT_X86_XSTATE) {
    bytes = extended_state_of(task);
  } else if (call.args[2] == NT_PRFPREG) {
    bytes = extended_state_of(task);
    bytes.resize(sizeof(user_fpregs_struct));
  } else {
    return -EINVAL;
  }
  if (vector.size_bytes % kWordBytes != 0) return -EINVAL;
  vector.size_bytes = std::min<u64>(vector.size_bytes, bytes.size());
  if (!call.space().write(vector.base, std::span(bytes).first(vector.size_bytes))) return -EFAULT;
  return call.space().write_value(call.args[3], vector) ? 0 : -EFAULT;
}

i64 peek(Call& call, Task& task) {
  u64 word = 0;
  const std::span<u8> bytes(reinterpret_cast<u8*>(&word), sizeof word);
  if (task.process.space().peek(call.args[2], bytes) != sizeof word) return -EIO;
  return call.space().write_value(call.args[3], word) ? 0 : -EFAULT;
}

i64 poke(Call& call, Task& task) {
  const std::span<const u8> bytes(reinterpret_cast<const u8*>(&call.args[3]), sizeof(u64));
  return task.process.space().poke(call.args[2], bytes) == sizeof(u64) ? 0 : -EIO;
}

i64 peek_user(Call& call, const Task& task) {
  const u64 offset = call.args[2];
  if (offset % kWordBytes != 0 || offset >= sizeof(user)) return -EIO;
  const user_regs_struct regs = registers_of(task);
  u64 word = 0;
  if (offset < sizeof regs) std::memcpy(&word, reinterpret_cast<const u8*>(&regs) + offset, sizeof word);
  return call.space().write_value(call.args[3], word) ? 0 : -EFAULT;
}

template <class T>
i64 give(Call& call, const T& value) {
  return call.space().write_value(call.args[3], value) ? 0 : -EFAULT;
}

/// ptrace_attach: who is traced already, or is of the tracer's own threads, cannot be.
i64 attach(Call& call, Task& task) {
  const bool seizes = call.args[0] == PTRACE_SEIZE;
  if (seizes && call.args[2] != 0) return -EIO;
  if (&task.process == &call.process || task.trace) return -EPERM;
  if (task.ended()) return -EPERM;
  if (seizes && (call.args[3] & ~u64{kOptionsKnown}) != 0) return refuse(call);
  task.trace =
      Trace{.tracer = &call.task, .seized = seizes, .options = seizes ? static_cast<u32>(call.args[3]) : 0};
  if (!seizes)
    send_to_task(
        task, SignalInfo::from_sender(SIGSTOP, SI_USER, call.process.id.value, call.process.credentials.uid));
  return 0;
}

i64 interrupt(Call& call, Task& task) {
  if (!task.trace->seized) return -EIO;
  task.trace->interrupt_asked = true;
  call.process.scheduler.notice_signal(task);
  return 0;
}

i64 set_options(Call& call, Task& task) {
  if ((call.args[3] & ~u64{kOptionsKnown}) != 0) return refuse(call);
  task.trace->options = static_cast<u32>(call.args[3]);
  return 0;
}

i64 go_on(Call& call, Task& task) {
  const u64 signal = call.args[3];
  if (signal > kSignalCount) return -EIO;
  const bool detaches = call.args[0] == PTRACE_DETACH;
  let_go_on(task, static_cast<int>(signal));
  if (detaches) end_trace(task);
  return 0;
}

i64 ask_stopped(Call& call, Task& task) {
  switch (static_cast<int>(call.args[0])) {
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
      return peek(call, task);
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA:
      return poke(call, task);
    case PTRACE_PEEKUSER:
      return peek_user(call, task);
    case PTRACE_GETREGS:
      return give(call, registers_of(task));
    case PTRACE_GETREGSET:
      return get_register_set(call, task);
    case PTRACE_GETSIGINFO:
      return give(call, task.trace->info);
    case PTRACE_SETOPTIONS:
      return set_options(call, task);
    case PTRACE_CONT:
    case PTRACE_DETACH:
      return go_on(call, task);
    default:
      return refuse(call);
  }
}

}  // namespace

i64 sys_ptrace(Call& call) {
  const u64 request = call.args[0];
  Task* const task = find_task_here(call.process, call.fd(1));
  if (request == PTRACE_TRACEME || task == nullptr) return refuse(call);
  if (request == PTRACE_ATTACH || request == PTRACE_SEIZE) return attach(call, *task);
  if (!task->trace || task->trace->tracer != &call.task) return -ESRCH;
  if (request == PTRACE_INTERRUPT) return interrupt(call, *task);
  if (request == PTRACE_KILL) {
    send_to_task(*task, SignalInfo::from_sender(SIGKILL, SI_USER, call.process.id.value,
                                                call.process.credentials.uid));
    return 0;
  }
  if (task->trace->stop_status == 0) return -ESRCH;
  return ask_stopped(call, *task);
}

}  // namespace orrery::kernel
