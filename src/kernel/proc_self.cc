// Two kinds of texts. Those that are wholly the guest's (cmdline, auxv, comm, limits) are written from its
// state, in the formats of fs/proc/{array,base}.c. Those that mix in what the host measures (stat, status:
// times, tty, faults) take the host's text through the door, where it is recorded, and replace the fields in
// which the engine would show.
#include "kernel/proc_self.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>

#include "kernel/fd_table.h"
#include "kernel/proc_maps.h"
#include "kernel/proc_self_text.h"
#include "kernel/scheduler.h"
#include "kernel/signal.h"

namespace orrery::kernel {
namespace {

struct Entry {
  std::string_view name;
  ProcKind kind;
  void (*write)(Task& task, Text& out);  ///< of a text
};

/// Guest memory as it is now: a program may have overwritten its arguments.
void write_memory(Task& task, u64 start, u64 end, Text& out) {
  std::vector<u8> bytes(end - start);
  if (!task.process.space().read(start, bytes)) return;
  out.add(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void write_cmdline(Task& task, Text& out) {
  const ImageLayout& image = task.process.image;
  write_memory(task, image.arguments_start, image.arguments_end, out);
}

void write_environ(Task& task, Text& out) {
  const ImageLayout& image = task.process.image;
  write_memory(task, image.environment_start, image.environment_end, out);
}

void write_auxv(Task& task, Text& out) {
  const auto& words = task.process.auxv;
  out.add(std::string_view(reinterpret_cast<const char*>(words.data()), words.size() * sizeof(u64)));
}

void write_comm(Task& task, Text& out) { out.add(task.comm.data()).character('\n'); }

void write_limit(u64 value, Text& out) {
  const std::size_t start = out.size();
  if (value == ~u64{0})
    out.add("unlimited");
  else
    out.decimal(value);
  out.pad_to(start + 20).character(' ');
}

}  // namespace

void write_limits(std::span<const ResourceLimit> limits, Text& out) {
  struct Name {
    std::string_view name, unit;
  };
  static constexpr std::array<Name, kResourceLimitCount> kNames{{{"Max cpu time", "seconds"},
                                                                 {"Max file size", "bytes"},
                                                                 {"Max data size", "bytes"},
                                                                 {"Max stack size", "bytes"},
                                                                 {"Max core file size", "bytes"},
                                                                 {"Max resident set", "bytes"},
                                                                 {"Max processes", "processes"},
                                                                 {"Max open files", "files"},
                                                                 {"Max locked memory", "bytes"},
                                                                 {"Max address space", "bytes"},
                                                                 {"Max file locks", "locks"},
                                                                 {"Max pending signals", "signals"},
                                                                 {"Max msgqueue size", "bytes"},
                                                                 {"Max nice priority", ""},
                                                                 {"Max realtime priority", ""},
                                                                 {"Max realtime timeout", "us"}}};
  out.add("Limit                     Soft Limit           Hard Limit           Units     \n");
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const std::size_t start = out.size();
    out.add(kNames[i].name).pad_to(start + 25).character(' ');
    write_limit(limits[i].soft, out);
    write_limit(limits[i].hard, out);
    const std::size_t unit = out.size();
    out.add(kNames[i].unit);
    if (!kNames[i].unit.empty()) out.pad_to(unit + 10);
    out.character('\n');
  }
}

std::vector<char> read_host_file(Process& process, const char* path, u64 most_bytes) {
  std::vector<char> text;
  host::HostCall open;
  open.number = __NR_open;
  open.args = {reinterpret_cast<u64>(path), O_RDONLY | O_CLOEXEC};
  open.checked_args = 0b10;
  open.in.add({reinterpret_cast<u64>(path), std::char_traits<char>::length(path) + 1});
  const i64 fd = call_uninterrupted(process, open);
  if (fd < 0) return text;
  constexpr u64 kChunkBytes = 4096;
  for (i64 count = 1; count > 0 && text.size() < most_bytes;) {
    const std::size_t size = text.size();
    const u64 wanted = std::min(kChunkBytes, most_bytes - size);
    text.resize(size + wanted);
    host::HostCall read;
    read.number = __NR_read;
    read.args = {static_cast<u64>(fd), reinterpret_cast<u64>(text.data() + size), wanted};
    read.checked_args = 0b101;
    read.out.add({.address = reinterpret_cast<u64>(text.data() + size),
                  .capacity_bytes = wanted,
                  .extent = host::Extent::result_bytes});
    count = call_uninterrupted(process, read);
    text.resize(size + static_cast<std::size_t>(std::max<i64>(count, 0)));
  }
  host::HostCall close;
  close.number = __NR_close;
  close.args = {static_cast<u64>(fd)};
  process.host.call(close);
  return text;
}

namespace {

i64 ask_about_self(Process& process, u32 number) {
  host::HostCall call;
  call.number = number;
  return process.host.call(call);
}

/// The process's own files with what they take.
void write_over(Task& task, const char* path, void (*write)(const Shown&, const std::vector<char>&, Text&),
                Text& out) {
  ProcessView view = view_of(task.process);
  view.numbers.pending |= pending_on_host(task);
  const ProcessView::TaskView* const thread = view.find_task(task.id.value);
  if (thread == nullptr) return;
  Shown shown{.view = view, .thread = *thread, .sizes = measure(view), .own = &task};
  const std::vector<char> hosts = read_host_file(task.process, path);
  if (write != write_status_over) return write(shown, hosts, out);
  const MeasuredMemory measured = measure_memory(task.process, view);
  shown.measured = &measured;
  shown.descriptor_table = descriptor_table_size(task.process);
  write(shown, hosts, out);
}

/// Under a seed the ids in the host's text are not those the program knows.
void write_stat(Task& task, Text& out) {
  if (task.process.scheduler.turns_are_seeded()) {
    task.process.group = ProcessId{static_cast<i32>(ask_about_self(task.process, __NR_getpgid))};
    task.process.session = ProcessId{static_cast<i32>(ask_about_self(task.process, __NR_getsid))};
  }
  write_over(task, "/proc/self/stat", write_stat_over, out);
}
void write_status(Task& task, Text& out) { write_over(task, "/proc/self/status", write_status_over, out); }
void write_statm(Task& task, Text& out) { write_over(task, "/proc/self/statm", write_statm_over, out); }

void write_own_maps(Task& task, Text& out) { write_maps(view_of(task.process), out); }
void write_own_smaps(Task& task, Text& out) {
  const ProcessView view = view_of(task.process);
  write_smaps(view, measure_memory(task.process, view), out);
}
void write_own_smaps_rollup(Task& task, Text& out) {
  const ProcessView view = view_of(task.process);
  const MeasuredMemory measured = measure_memory(task.process, view);
  write_smaps_rollup(view, measured, read_host_file(task.process, "/proc/self/smaps_rollup"), out);
}
void write_own_numa_maps(Task& task, Text& out) {
  const ProcessView view = view_of(task.process);
  write_numa_maps(view, measure_memory(task.process, view), out);
}

void write_own_limits(Task& task, Text& out) { write_limits(task.process.limits, out); }

void write_personality(Task& task, Text& out) { out.hex(task.process.personality, 8).character('\n'); }

/// proc_pid_syscall: the call that reads it.
void write_syscall(Task& task, Text& out) {
  using cpu::Gpr;
  const cpu::Registers& regs = task.cpu.regs;
  out.integer(task.call.number);
  for (const Gpr argument : {Gpr::rdi, Gpr::rsi, Gpr::rdx, Gpr::r10, Gpr::r8, Gpr::r9, Gpr::rsp})
    out.add(" 0x").hex(regs[argument]);
  out.add(" 0x").hex(regs.rip).character('\n');
}

constexpr Entry kEntries[] = {
    {"maps", ProcKind::text, write_own_maps},
    {"smaps", ProcKind::text, write_own_smaps},
    {"smaps_rollup", ProcKind::text, write_own_smaps_rollup},
    {"numa_maps", ProcKind::text, write_own_numa_maps},
    {"cmdline", ProcKind::text, write_cmdline},
    {"environ", ProcKind::text, write_environ},
    {"auxv", ProcKind::text, write_auxv},
    {"limits", ProcKind::text, write_own_limits},
    {"stat", ProcKind::text, write_stat},
    {"status", ProcKind::text, write_status},
    {"statm", ProcKind::text, write_statm},
    {"personality", ProcKind::text, write_personality},
    {"syscall", ProcKind::text, write_syscall},
    {"comm", ProcKind::command, write_comm},
    {"mem", ProcKind::memory, nullptr},
    {"pagemap", ProcKind::page_map, nullptr},
    {"task", ProcKind::tasks, nullptr},
    {"fd", ProcKind::descriptors, nullptr},
    {"fdinfo", ProcKind::descriptors, nullptr},
};

const Entry* find_entry(std::string_view name) {
  const auto* found = std::find_if(std::begin(kEntries), std::end(kEntries),
                                   [name](const Entry& entry) { return entry.name == name; });
  return found == std::end(kEntries) ? nullptr : found;
}

}  // namespace

i64 make_memory_file(Process& process, const char* name, std::string_view text, bool close_on_exec) {
  host::HostCall create;
  create.number = __NR_memfd_create;
  create.args = {reinterpret_cast<u64>(name), close_on_exec ? u64{MFD_CLOEXEC} : 0};
  create.checked_args = 0b10;
  const i64 fd = process.host.call(create);
  if (fd < 0) return fd;
  while (!text.empty()) {
    host::HostCall write;
    write.number = __NR_write;
    write.args = {static_cast<u64>(fd), reinterpret_cast<u64>(text.data()), text.size()};
    write.checked_args = 0b101;
    write.in.add({reinterpret_cast<u64>(text.data()), text.size()});
    const i64 count = call_uninterrupted(process, write);
    if (count <= 0) break;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  host::HostCall rewind;
  rewind.number = __NR_lseek;
  rewind.args = {static_cast<u64>(fd), 0, SEEK_SET};
  process.host.call(rewind);
  return fd;
}

std::optional<ProcKind> own_proc_kind(std::string_view entry) {
  const Entry* const found = find_entry(entry);
  return found == nullptr ? std::nullopt : std::optional(found->kind);
}

bool is_refused_proc_entry(std::string_view entry) {
  return entry == "map_files" || entry.substr(0, 10) == "map_files/";
}

bool write_own_proc_file(Task& task, std::string_view entry, Text& out) {
  const Entry* const found = find_entry(entry);
  if (found == nullptr || found->write == nullptr) return false;
  found->write(task, out);
  return true;
}

}  // namespace orrery::kernel
