#include "kernel/proc_self_text.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "kernel/fd_table.h"
#include "kernel/process.h"
#include "kernel/resident.h"
#include "kernel/scheduler.h"
#include "kernel/signal.h"

namespace orrery::kernel {
namespace {

using memory::Region;

std::string_view view(const std::vector<char>& text) { return {text.data(), text.size()}; }
std::string_view comm_of(const Task& task) { return task.comm.data(); }

/// fs/proc/array.c, task_state_array.
std::string_view state_of(const Task& task) {
  if (task.trace && task.trace->stop_status != 0) return "t (tracing stop)";
  if (task.ended()) return "Z (zombie)";
  return std::holds_alternative<Blocked>(task.state) ? "S (sleeping)" : "R (running)";
}

/// Bytes of address space by what they are for (fs/proc/task_mmu.c task_mem).
struct Sizes {
  u64 total = 0, data = 0, stack = 0, executable = 0;
};

Sizes measure(const Process& process) {
  Sizes sizes;
  for (const Region& region : process.memory->regions()) {
    const u64 bytes = region.end - region.start;
    const bool writable = (region.protection & PROT_WRITE) != 0;
    sizes.total += bytes;
    if ((region.flags & MAP_GROWSDOWN) != 0)
      sizes.stack += bytes;
    else if (writable && (region.flags & MAP_SHARED) == 0)
      sizes.data += bytes;
    if ((region.protection & PROT_EXEC) != 0 && !writable) sizes.executable += bytes;
  }
  return sizes;
}

struct SignalSets {
  SignalSet ignored = 0, caught = 0;
};

SignalSets handled_signals(const Process& process) {
  SignalSets sets;
  for (int number = 1; number <= kSignalCount; ++number) {
    const u64 handler = process.actions[static_cast<std::size_t>(number - 1)].handler;
    if (handler == kHandlerIgnore)
      sets.ignored |= signal_bit(number);
    else if (handler != kHandlerDefault)
      sets.caught |= signal_bit(number);
  }
  return sets;
}

/// Cuts the next word off `text`; empty at its end.
std::string_view next_word(std::string_view& text) {
  const std::size_t start = std::min(text.find_first_not_of(" \n"), text.size());
  text.remove_prefix(start);
  const std::string_view word = text.substr(0, text.find_first_of(" \n"));
  text.remove_prefix(word.size());
  return word;
}

u64 number_of(std::string_view word) {
  u64 value = 0;
  for (const char c : word) {
    if (c < '0' || c > '9') break;
    value = value * 10 + static_cast<u64>(c - '0');
  }
  return value;
}

std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

/// One line of status that is the guest's own.
struct StatusLine {
  std::string_view name;
  u64 (*value)(const Task& task);
  enum class Form : u8 { decimal, kilobytes, signal_set, octal4 } form;
};

u64 kilobytes(u64 bytes) { return bytes >> 10; }

constexpr StatusLine kStatusLines[] = {
    {"Umask", [](const Task& t) -> u64 { return t.process.umask; }, StatusLine::Form::octal4},
    {"Tgid", [](const Task& t) -> u64 { return static_cast<u32>(t.process.id.value); },
     StatusLine::Form::decimal},
    {"Pid", [](const Task& t) -> u64 { return static_cast<u32>(t.id.value); }, StatusLine::Form::decimal},
    {"PPid", [](const Task& t) -> u64 { return static_cast<u32>(t.process.parent.value); },
     StatusLine::Form::decimal},
    {"TracerPid",
     [](const Task& t) -> u64 { return t.trace ? static_cast<u32>(t.trace->tracer->process.id.value) : 0; },
     StatusLine::Form::decimal},
    {"FDSize", [](const Task& t) -> u64 { return descriptor_table_size(t.process); },
     StatusLine::Form::decimal},
    {"VmPeak", [](const Task& t) { return kilobytes(t.process.memory->usage().peak_mapped_bytes); },
     StatusLine::Form::kilobytes},
    {"VmLck", [](const Task& t) { return kilobytes(t.process.memory->usage().locked_bytes); },
     StatusLine::Form::kilobytes},
    {"VmSize", [](const Task& t) { return kilobytes(measure(t.process).total); },
     StatusLine::Form::kilobytes},
    {"VmData", [](const Task& t) { return kilobytes(measure(t.process).data); }, StatusLine::Form::kilobytes},
    {"VmStk", [](const Task& t) { return kilobytes(measure(t.process).stack); }, StatusLine::Form::kilobytes},
    {"VmExe",
     [](const Task& t) {
       const ImageLayout& image = t.process.image;
       return kilobytes(page_ceil(image.code_end) - page_floor(image.code_start));
     },
     StatusLine::Form::kilobytes},
    {"VmLib",
     [](const Task& t) {
       const ImageLayout& image = t.process.image;
       const u64 own = page_ceil(image.code_end) - page_floor(image.code_start);
       return kilobytes(measure(t.process).executable - std::min(own, measure(t.process).executable));
     },
     StatusLine::Form::kilobytes},
    {"Seccomp", [](const Task& t) { return static_cast<u64>(t.process.seccomp.mode); },
     StatusLine::Form::decimal},
    {"Seccomp_filters", [](const Task& t) -> u64 { return t.process.seccomp.filters.size(); },
     StatusLine::Form::decimal},
    {"Cpus_allowed", [](const Task&) -> u64 { return 1; }, StatusLine::Form::decimal},
    {"Cpus_allowed_list", [](const Task&) -> u64 { return 0; }, StatusLine::Form::decimal},
    {"Threads", [](const Task& t) -> u64 { return t.process.tasks.size(); }, StatusLine::Form::decimal},
    {"SigPnd", [](const Task& t) { return t.pending.set(); }, StatusLine::Form::signal_set},
    {"ShdPnd", [](const Task& t) { return t.process.pending.set() | pending_on_host(t); },
     StatusLine::Form::signal_set},
    {"SigBlk", [](const Task& t) { return t.blocked; }, StatusLine::Form::signal_set},
    {"SigIgn", [](const Task& t) { return handled_signals(t.process).ignored; },
     StatusLine::Form::signal_set},
    {"SigCgt", [](const Task& t) { return handled_signals(t.process).caught; }, StatusLine::Form::signal_set},
    {"NoNewPrivs", [](const Task& t) -> u64 { return t.process.no_new_privileges ? 1 : 0; },
     StatusLine::Form::decimal},
};

void write_status_line(const Task& task, const StatusLine& line, Text& out) {
  const u64 value = line.value(task);
  out.add(line.name).add(":\t");
  switch (line.form) {
    case StatusLine::Form::decimal:
      out.decimal(value);
      break;
    case StatusLine::Form::kilobytes:
      out.decimal(value, 8).add(" kB");
      break;
    case StatusLine::Form::signal_set:
      out.hex(value, 16);
      break;
    case StatusLine::Form::octal4:
      out.octal(value, 4);
      break;
  }
  out.character('\n');
}

u64 host_kilobytes(std::string_view status, std::string_view name) {
  const std::size_t at = status.find(name);
  if (at == std::string_view::npos) return 0;
  status.remove_prefix(at + name.size());
  return number_of(next_word(status));
}

struct Resident {
  u64 anonymous = 0, file = 0, shared_memory = 0, peak = 0;
  u64 all() const { return anonymous + file + shared_memory; }
};

Resident resident_kilobytes(const Task& task, const MeasuredMemory& measured, std::string_view host_status) {
  Resident resident;
  std::size_t index = 0;
  for (const Region& region : task.process.memory->regions()) {
    const u64 all = measured.kilobytes(index, "Rss");
    const u64 anonymous = std::min(all, measured.kilobytes(index, "Anonymous"));
    resident.anonymous += anonymous;
    (region.file == 0 && region.shared() ? resident.shared_memory : resident.file) += all - anonymous;
    ++index;
  }
  // What the engine has now it had at the peak, or nearly so.
  const u64 hosts = host_kilobytes(host_status, "\nVmRSS:\t"),
            peak = host_kilobytes(host_status, "\nVmHWM:\t");
  resident.peak = resident.all() + (peak > hosts ? peak - hosts : 0);
  return resident;
}

/// mm_pgtables_bytes: a table for each 2 MiB that holds a page, at least one a level.
u64 page_table_kilobytes(const Process& process, const Resident& resident) {
  constexpr u64 kTableReach = 512 * kPageBytes, kUpperLevels = 6;
  u64 tables = kUpperLevels, last = ~u64{0};
  for (const Region& region : process.memory->regions()) {
    const u64 first = region.start / kTableReach, end = (region.end - 1) / kTableReach;
    if (end - first > 1) continue;
    tables += (first != last ? 1 : 0) + (end != first ? 1 : 0);
    last = end;
  }
  return (tables + (resident.all() << 10) / kTableReach) * (kPageBytes >> 10);
}

void write_kilobytes(std::string_view name, u64 value, Text& out) {
  out.add(name).add(":\t").decimal(value, 8).add(" kB\n");
}

/// Resident pages as the host counts them, less the engine's.
u64 without_engine(const Task& task, u64 host_pages) {
  return host_pages - std::min(host_pages, engine_resident_pages(task.process, host_pages));
}

/// A field of stat that is the guest's own, numbered as proc_pid_stat(5) does.
struct StatField {
  int number;
  u64 (*value)(const Task& task, u64 host_value);
};

constexpr u64 kStatSignals = 0x7fff'ffff;

u64 seeded_or(const Task& task, ProcessId own, u64 host_value) {
  return task.process.scheduler.turns_are_seeded() ? static_cast<u32>(own.value) : host_value;
}

constexpr StatField kStatFields[] = {
    {4, [](const Task& t, u64) -> u64 { return static_cast<u32>(t.process.parent.value); }},
    {5, [](const Task& t, u64 host) { return seeded_or(t, t.process.group, host); }},
    {6, [](const Task& t, u64 host) { return seeded_or(t, t.process.session, host); }},
    {20, [](const Task& t, u64) -> u64 { return t.process.tasks.size(); }},
    {23, [](const Task& t, u64) { return measure(t.process).total; }},
    {24, [](const Task& t, u64 host) { return without_engine(t, host); }},
    {25, [](const Task& t, u64) { return t.process.limits[5].soft; }},
    {26, [](const Task& t, u64) { return t.process.image.code_start; }},
    {27, [](const Task& t, u64) { return t.process.image.code_end; }},
    {28, [](const Task& t, u64) { return t.process.image.stack_start; }},
    {29, [](const Task&, u64) -> u64 { return 0; }},  // kstkesp, kstkeip: only of exiting tasks
    {30, [](const Task&, u64) -> u64 { return 0; }},
    {31, [](const Task& t, u64) { return t.pending.set() & kStatSignals; }},
    {32, [](const Task& t, u64) { return t.blocked & kStatSignals; }},
    {33, [](const Task& t, u64) { return handled_signals(t.process).ignored & kStatSignals; }},
    {34, [](const Task& t, u64) { return handled_signals(t.process).caught & kStatSignals; }},
    {39, [](const Task&, u64) -> u64 { return 0; }},  // the one processor
    {45, [](const Task& t, u64) { return t.process.image.data_start; }},
    {46, [](const Task& t, u64) { return t.process.image.data_end; }},
    {47, [](const Task& t, u64) { return t.process.memory->brk_start(); }},
    {48, [](const Task& t, u64) { return t.process.image.arguments_start; }},
    {49, [](const Task& t, u64) { return t.process.image.arguments_end; }},
    {50, [](const Task& t, u64) { return t.process.image.environment_start; }},
    {51, [](const Task& t, u64) { return t.process.image.environment_end; }},
};

}  // namespace

namespace {

/// The lines of status that hold what is measured. False if `line` is none.
bool write_measured_line(std::string_view name, std::string_view line, const Task& task,
                         const Resident& resident, Text& out) {
  if (name == "VmHWM")
    write_kilobytes(name, resident.peak, out);
  else if (name == "VmRSS")
    write_kilobytes(name, resident.all(), out);
  else if (name == "RssAnon")
    write_kilobytes(name, resident.anonymous, out);
  else if (name == "RssFile")
    write_kilobytes(name, resident.file, out);
  else if (name == "RssShmem")
    write_kilobytes(name, resident.shared_memory, out);
  else if (name == "VmPTE")
    write_kilobytes(name, page_table_kilobytes(task.process, resident), out);
  else if (name == "SigQ")
    out.add("SigQ:\t").decimal(task.pending.queued().size() + task.process.pending.queued().size());
  else
    return false;
  if (name == "SigQ") out.add(line.substr(std::min(line.find('/'), line.size()))).character('\n');
  return true;
}

}  // namespace

void write_status_over(Task& task, const std::vector<char>& host_text, const MeasuredMemory& measured,
                       Text& out) {
  std::string_view rest = view(host_text);
  const Resident resident = resident_kilobytes(task, measured, rest);
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    const std::string_view name = line.substr(0, line.find(':'));
    const auto* own = std::find_if(std::begin(kStatusLines), std::end(kStatusLines),
                                   [name](const StatusLine& candidate) { return candidate.name == name; });
    if (name == "Name")
      out.add("Name:\t").add(comm_of(task)).character('\n');
    else if (name == "State")
      out.add("State:\t").add(state_of(task)).character('\n');
    else if (own != std::end(kStatusLines))
      write_status_line(task, *own, out);
    else if (!write_measured_line(name, line, task, resident, out))
      out.add(line).character('\n');
  }
}

void write_stat_over(Task& task, const std::vector<char>& host_text, Text& out) {
  std::string_view rest = view(host_text);
  const std::size_t name_end = rest.rfind(')');  // the name may hold blanks and parentheses
  rest.remove_prefix(name_end == std::string_view::npos ? rest.size() : name_end + 1);
  out.integer(task.id.value).add(" (").add(comm_of(task)).add(") ").add(state_of(task).substr(0, 1));
  next_word(rest);
  constexpr int kFirstField = 4, kLastField = 52;
  for (int number = kFirstField; number <= kLastField; ++number) {
    const std::string_view host_value = next_word(rest);
    const auto* own = std::find_if(std::begin(kStatFields), std::end(kStatFields),
                                   [number](const StatField& field) { return field.number == number; });
    out.character(' ');
    if (own != std::end(kStatFields))
      out.decimal(own->value(task, number_of(host_value)));
    else
      out.add(host_value.empty() ? std::string_view("0") : host_value);
  }
  out.character('\n');
}

void write_statm_over(Task& task, const std::vector<char>& host_text, Text& out) {
  const Process& process = task.process;
  const Sizes sizes = measure(process);
  const u64 total = sizes.total / kPageBytes;
  std::string_view rest = view(host_text);
  next_word(rest);
  const u64 resident = std::min(without_engine(task, number_of(next_word(rest))), total);
  const u64 shared = std::min(number_of(next_word(rest)), resident);
  const u64 code = (page_ceil(process.image.code_end) - page_floor(process.image.code_start)) / kPageBytes;
  out.decimal(total).character(' ').decimal(resident).character(' ').decimal(shared).character(' ');
  out.decimal(code).add(" 0 ").decimal((sizes.data + sizes.stack) / kPageBytes).add(" 0\n");
}

}  // namespace orrery::kernel
