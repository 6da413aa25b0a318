#include "lens/core/notes.h"

#include <elf.h>
#include <signal.h>
#include <sys/procfs.h>
#include <sys/user.h>

#include <algorithm>
#include <cstring>

#include "lens/task_machine.h"

namespace orrery::lens {
namespace {

using machine::ControlTask;
using machine::TaskState;

constexpr u64 kFxsaveBytes = 512;
/// XSAVE's components in the standard form, and where each ends (SDM vol. 1, 13.5).
struct Component {
  u64 bit, end;
};
constexpr Component kComponents[] = {{1 << 2, 832}, {0xe0, 2688}, {1 << 9, 2696}};
constexpr u64 kXsaveHeaderEnd = 576;
/// Where the kernel tells debuggers which components there are (struct xstate_header's software bytes).
constexpr u64 kXcr0Offset = 464;

class NoteWriter {
 public:
  void add(u32 type, const char* owner, std::span<const u8> bytes) {
    const u64 name_bytes = std::strlen(owner) + 1;
    const Elf64_Nhdr header{static_cast<u32>(name_bytes), static_cast<u32>(bytes.size()), type};
    append({reinterpret_cast<const u8*>(&header), sizeof header});
    append({reinterpret_cast<const u8*>(owner), name_bytes});
    append(bytes);
  }
  template <class T>
  void add_value(u32 type, const T& value) {
    add(type, "CORE", {reinterpret_cast<const u8*>(&value), sizeof value});
  }
  std::vector<u8> take() { return std::move(bytes_); }

 private:
  void append(std::span<const u8> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    bytes_.resize((bytes_.size() + 3) & ~u64{3});
  }
  std::vector<u8> bytes_;
};

user_regs_struct user_registers(const ControlTask& task) {
  user_regs_struct out{};
  const u64* const gpr = task.gpr;
  out.rax = gpr[0], out.rcx = gpr[1], out.rdx = gpr[2], out.rbx = gpr[3];
  out.rsp = gpr[4], out.rbp = gpr[5], out.rsi = gpr[6], out.rdi = gpr[7];
  out.r8 = gpr[8], out.r9 = gpr[9], out.r10 = gpr[10], out.r11 = gpr[11];
  out.r12 = gpr[12], out.r13 = gpr[13], out.r14 = gpr[14], out.r15 = gpr[15];
  const bool in_call = task.state == TaskState::waits;
  out.orig_rax = in_call ? static_cast<u64>(task.call) : ~u64{0};
  out.rip = task.rip, out.eflags = task.rflags;
  out.fs_base = task.fs_base, out.gs_base = task.gs_base;
  out.cs = 0x33, out.ss = 0x2b;  // what Linux gives 64-bit programs
  return out;
}

elf_prstatus status_of(const ControlTask& task, const CoreWanted& wanted, const CoreSignal& signal) {
  elf_prstatus status{};
  status.pr_info.si_signo = signal.number;
  status.pr_info.si_code = signal.code;
  status.pr_cursig = static_cast<short>(signal.number);
  status.pr_sigpend = task.pending_signals;
  status.pr_sighold = task.blocked_signals;
  status.pr_pid = task.task;
  status.pr_ppid = wanted.process.parent_pid;
  status.pr_pgrp = status.pr_sid = wanted.process.pid;
  const user_regs_struct registers = user_registers(task);
  static_assert(sizeof registers == sizeof status.pr_reg);
  std::memcpy(&status.pr_reg, &registers, sizeof registers);
  status.pr_fpvalid = 1;
  return status;
}

elf_prpsinfo process_info(const CoreWanted& wanted) {
  elf_prpsinfo info{};
  info.pr_sname = 'R';
  info.pr_pid = info.pr_pgrp = info.pr_sid = wanted.process.pid;
  info.pr_ppid = wanted.process.parent_pid;
  wanted.program.copy(info.pr_fname, sizeof info.pr_fname - 1);
  wanted.arguments.copy(info.pr_psargs, sizeof info.pr_psargs - 1);
  return info;
}

siginfo_t signal_info(const CoreSignal& signal, const CoreWanted& wanted) {
  siginfo_t info{};
  info.si_signo = signal.number;
  info.si_code = signal.code;
  if (signal.code > 0)
    info.si_addr = reinterpret_cast<void*>(signal.address);
  else
    info.si_pid = wanted.process.pid;
  return info;
}

/// NT_FILE: count, page size, then start, end and offset in pages of each, then the names.
std::vector<u8> file_note(const std::vector<elf::MappedRegion>& regions) {
  std::vector<u64> words{0, kPageBytes};
  std::string names;
  for (const elf::MappedRegion& region : regions) {
    if (region.path.empty() || region.path[0] != '/') continue;
    ++words[0];
    words.insert(words.end(), {region.start, region.end, region.offset / kPageBytes});
    names += region.path + '\0';
  }
  std::vector<u8> bytes(words.size() * sizeof(u64) + names.size());
  std::memcpy(bytes.data(), words.data(), words.size() * sizeof(u64));
  std::copy(names.begin(), names.end(), bytes.begin() + static_cast<i64>(words.size() * sizeof(u64)));
  return bytes;
}

void add_registers(ReplaySession& session, const ControlTask& task, NoteWriter& notes) {
  TaskMachine machine(session, task);
  std::vector<u8> image = machine.vector_state();
  if (image.size() < kXsaveHeaderEnd) return;
  notes.add(NT_FPREGSET, "CORE", std::span(image).first(kFxsaveBytes));
  u64 components = 0, end = kXsaveHeaderEnd;
  std::memcpy(&components, image.data() + kFxsaveBytes, sizeof components);
  for (const Component& each : kComponents)
    if ((components & each.bit) == each.bit) end = each.end;
  if (components == 0 || end > image.size()) return;  // the recording's processor has no XSAVE
  std::memcpy(image.data() + kXcr0Offset, &components, sizeof components);
  notes.add(NT_X86_XSTATE, "LINUX", std::span(image).first(end));
}

}  // namespace

Fallible<std::vector<u8>> core_notes(ReplaySession& session, const CoreWanted& wanted,
                                     const std::vector<elf::MappedRegion>& regions,
                                     const CoreSignal& signal) {
  std::vector<ControlTask> tasks = session.tasks();
  std::erase_if(tasks, [](const ControlTask& task) { return task.state == TaskState::ended; });
  if (tasks.empty()) return Failure("nothing of the process runs there");
  std::stable_partition(tasks.begin(), tasks.end(),
                        [](const ControlTask& task) { return task.state == TaskState::runs; });
  auto auxv = session.auxv();
  if (!auxv) return Failure(auxv.error());
  NoteWriter notes;
  for (const ControlTask& task : tasks) {
    notes.add_value(NT_PRSTATUS, status_of(task, wanted, signal));
    if (&task == tasks.data()) {
      notes.add_value(NT_PRPSINFO, process_info(wanted));
      notes.add_value(NT_SIGINFO, signal_info(signal, wanted));
      notes.add(NT_AUXV, "CORE",
                {reinterpret_cast<const u8*>(auxv.value().data()), auxv.value().size() * sizeof(u64)});
      notes.add(NT_FILE, "CORE", file_note(regions));
    }
    add_registers(session, task, notes);
  }
  return notes.take();
}

}  // namespace orrery::lens
