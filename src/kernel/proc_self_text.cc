#include "kernel/proc_self_text.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "kernel/lines.h"
#include "kernel/process.h"
#include "kernel/resident.h"
#include "kernel/scheduler.h"

namespace orrery::kernel {
namespace {

using memory::Region;

std::string_view view(const std::vector<char>& text) { return {text.data(), text.size()}; }

/// fs/proc/array.c, task_state_array.
std::string_view state_of(const Task& task) {
  if (task.trace && task.trace->stop_status != 0) return "t (tracing stop)";
  if (task.ended()) return "Z (zombie)";
  return std::holds_alternative<Blocked>(task.state) ? "S (sleeping)" : "R (running)";
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

/// One line of status that is the guest's own.
struct StatusLine {
  std::string_view name;
  u64 (*value)(const Shown& shown);
  enum class Form : u8 { decimal, kilobytes, signal_set, octal4 } form;
};

u64 kilobytes(u64 bytes) { return bytes >> 10; }

using Form = StatusLine::Form;

constexpr StatusLine kStatusLines[] = {
    {"VmPeak", [](const Shown& s) { return kilobytes(s.view.numbers.peak_mapped_bytes); }, Form::kilobytes},
    {"VmLck", [](const Shown& s) { return kilobytes(s.view.numbers.locked_bytes); }, Form::kilobytes},
    {"VmSize", [](const Shown& s) { return kilobytes(s.sizes.total); }, Form::kilobytes},
    {"VmData", [](const Shown& s) { return kilobytes(s.sizes.data); }, Form::kilobytes},
    {"VmStk", [](const Shown& s) { return kilobytes(s.sizes.stack); }, Form::kilobytes},
    {"VmExe", [](const Shown& s) { return kilobytes(s.sizes.program_code); }, Form::kilobytes},
    {"VmLib",
     [](const Shown& s) {
       return kilobytes(s.sizes.executable - std::min(s.sizes.program_code, s.sizes.executable));
     },
     Form::kilobytes},
    {"Cpus_allowed", [](const Shown&) -> u64 { return 1; }, Form::decimal},
    {"Cpus_allowed_list", [](const Shown&) -> u64 { return 0; }, Form::decimal},
    {"Pid", [](const Shown& s) -> u64 { return static_cast<u32>(s.thread.id); }, Form::decimal},
    {"Threads", [](const Shown& s) -> u64 { return s.view.tasks.size(); }, Form::decimal},
    {"SigPnd", [](const Shown& s) { return s.thread.pending; }, Form::signal_set},
    {"ShdPnd", [](const Shown& s) { return s.view.numbers.pending; }, Form::signal_set},
    {"SigBlk", [](const Shown& s) { return s.thread.blocked; }, Form::signal_set},
    {"SigIgn", [](const Shown& s) { return s.view.numbers.ignored; }, Form::signal_set},
    {"SigCgt", [](const Shown& s) { return s.view.numbers.caught; }, Form::signal_set},
    {"FDSize", [](const Shown& s) -> u64 { return s.descriptor_table; }, Form::decimal},
};

/// What the host tells right of another process, but not of the one that reads.
constexpr StatusLine kOwnStatusLines[] = {
    {"Umask", [](const Shown& s) -> u64 { return s.process().umask; }, Form::octal4},
    {"Tgid", [](const Shown& s) -> u64 { return static_cast<u32>(s.process().id.value); }, Form::decimal},
    {"PPid", [](const Shown& s) -> u64 { return static_cast<u32>(s.process().parent.value); }, Form::decimal},
    {"TracerPid",
     [](const Shown& s) -> u64 {
       return s.own->trace ? static_cast<u32>(s.own->trace->tracer->process.id.value) : 0;
     },
     Form::decimal},
    {"Seccomp", [](const Shown& s) { return static_cast<u64>(s.process().seccomp.mode); }, Form::decimal},
    {"Seccomp_filters", [](const Shown& s) -> u64 { return s.process().seccomp.filters.size(); },
     Form::decimal},
    {"NoNewPrivs", [](const Shown& s) -> u64 { return s.process().no_new_privileges ? 1 : 0; },
     Form::decimal},
};

template <class Lines>
const StatusLine* find_line(const Lines& lines, std::string_view name) {
  const auto* const found = std::find_if(std::begin(lines), std::end(lines),
                                         [name](const StatusLine& line) { return line.name == name; });
  return found == std::end(lines) ? nullptr : found;
}

void write_status_line(const Shown& shown, const StatusLine& line, Text& out) {
  const u64 value = line.value(shown);
  out.add(line.name).add(":\t");
  switch (line.form) {
    case Form::decimal:
      out.decimal(value);
      break;
    case Form::kilobytes:
      out.decimal(value, 8).add(" kB");
      break;
    case Form::signal_set:
      out.hex(value, 16);
      break;
    case Form::octal4:
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

Resident resident_kilobytes(const ProcessView& view, const MeasuredMemory& measured,
                            std::string_view host_status) {
  Resident resident;
  std::size_t index = 0;
  for (const Region& region : view.regions) {
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
u64 page_table_kilobytes(const ProcessView& view, const Resident& resident) {
  constexpr u64 kTableReach = 512 * kPageBytes, kUpperLevels = 6;
  u64 tables = kUpperLevels, last = ~u64{0};
  for (const Region& region : view.regions) {
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

/// A field of stat that is the guest's own, numbered as proc_pid_stat(5) does.
struct StatField {
  int number;
  u64 (*value)(const Shown& shown, u64 host_value);
};

constexpr u64 kStatSignals = 0x7fff'ffff;

constexpr StatField kStatFields[] = {
    {20, [](const Shown& s, u64) -> u64 { return s.view.tasks.size(); }},
    {23, [](const Shown& s, u64) { return s.sizes.total; }},
    {24, [](const Shown& s, u64 host) { return s.resident_pages(host); }},
    {26, [](const Shown& s, u64) { return s.view.numbers.image.code_start; }},
    {27, [](const Shown& s, u64) { return s.view.numbers.image.code_end; }},
    {28, [](const Shown& s, u64) { return s.view.numbers.image.stack_start; }},
    {29, [](const Shown&, u64) -> u64 { return 0; }},  // kstkesp, kstkeip: only of exiting tasks
    {30, [](const Shown&, u64) -> u64 { return 0; }},
    {31, [](const Shown& s, u64) { return s.thread.pending & kStatSignals; }},
    {32, [](const Shown& s, u64) { return s.thread.blocked & kStatSignals; }},
    {33, [](const Shown& s, u64) { return s.view.numbers.ignored & kStatSignals; }},
    {34, [](const Shown& s, u64) { return s.view.numbers.caught & kStatSignals; }},
    {39, [](const Shown&, u64) -> u64 { return 0; }},  // the one processor
    {45, [](const Shown& s, u64) { return s.view.numbers.image.data_start; }},
    {46, [](const Shown& s, u64) { return s.view.numbers.image.data_end; }},
    {47, [](const Shown& s, u64) { return s.view.numbers.brk_start; }},
    {48, [](const Shown& s, u64) { return s.view.numbers.image.arguments_start; }},
    {49, [](const Shown& s, u64) { return s.view.numbers.image.arguments_end; }},
    {50, [](const Shown& s, u64) { return s.view.numbers.image.environment_start; }},
    {51, [](const Shown& s, u64) { return s.view.numbers.image.environment_end; }},
};

u64 seeded_or(const Process& process, ProcessId own, u64 host_value) {
  return process.scheduler.turns_are_seeded() ? static_cast<u32>(own.value) : host_value;
}

constexpr StatField kOwnStatFields[] = {
    {4, [](const Shown& s, u64) -> u64 { return static_cast<u32>(s.process().parent.value); }},
    {5, [](const Shown& s, u64 host) { return seeded_or(s.process(), s.process().group, host); }},
    {6, [](const Shown& s, u64 host) { return seeded_or(s.process(), s.process().session, host); }},
    {25, [](const Shown& s, u64) { return s.process().limits[5].soft; }},
};

template <class Fields>
const StatField* find_field(const Fields& fields, int number) {
  const auto* const found = std::find_if(std::begin(fields), std::end(fields),
                                         [number](const StatField& field) { return field.number == number; });
  return found == std::end(fields) ? nullptr : found;
}

/// The lines of status that hold what is measured. False if `line` is none.
bool write_measured_line(std::string_view name, const Shown& shown, const Resident& resident, Text& out) {
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
    write_kilobytes(name, page_table_kilobytes(shown.view, resident), out);
  else
    return false;
  return true;
}

/// SigQ of the process that reads: how many signals are queued, and the host's limit.
void write_queued(const Task& task, std::string_view line, Text& out) {
  out.add("SigQ:\t").decimal(task.pending.queued().size() + task.process.pending.queued().size());
  out.add(line.substr(std::min(line.find('/'), line.size()))).character('\n');
}

}  // namespace

u64 Shown::resident_pages(u64 host_pages) const {
  if (own != nullptr)
    return host_pages - std::min(host_pages, engine_resident_pages(own->process, host_pages));
  // Who may not see the map gets the host's figure, the engine's pages among it.
  return measured == nullptr || measured->sample().empty()
             ? host_pages
             : measured->total_kilobytes("Rss") / (kPageBytes >> 10);
}

void write_status_over(const Shown& shown, const std::vector<char>& host_text, Text& out) {
  std::string_view rest = view(host_text);
  const Resident resident = resident_kilobytes(shown.view, *shown.measured, rest);
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    const std::string_view name = line.substr(0, line.find(':'));
    const StatusLine* guests = find_line(kStatusLines, name);
    if (guests == nullptr && shown.own != nullptr) guests = find_line(kOwnStatusLines, name);
    if (name == "Name")
      out.add("Name:\t").add(shown.thread.comm.data()).character('\n');
    else if (name == "State" && shown.own != nullptr)
      out.add("State:\t").add(state_of(*shown.own)).character('\n');
    else if (name == "SigQ" && shown.own != nullptr)
      write_queued(*shown.own, line, out);
    else if (guests != nullptr)
      write_status_line(shown, *guests, out);
    else if (!write_measured_line(name, shown, resident, out))
      out.add(line).character('\n');
  }
}

void write_stat_over(const Shown& shown, const std::vector<char>& host_text, Text& out) {
  std::string_view rest = view(host_text);
  const std::size_t name_end = rest.rfind(')');  // the name may hold blanks and parentheses
  rest.remove_prefix(name_end == std::string_view::npos ? rest.size() : name_end + 1);
  const std::string_view state = next_word(rest);
  out.integer(shown.thread.id).add(" (").add(shown.thread.comm.data()).add(") ");
  out.add(shown.own != nullptr ? state_of(*shown.own).substr(0, 1) : state);
  constexpr int kFirstField = 4, kLastField = 52;
  for (int number = kFirstField; number <= kLastField; ++number) {
    const std::string_view host_value = next_word(rest);
    const StatField* guests = find_field(kStatFields, number);
    if (guests == nullptr && shown.own != nullptr) guests = find_field(kOwnStatFields, number);
    out.character(' ');
    if (guests != nullptr)
      out.decimal(guests->value(shown, number_of(host_value)));
    else
      out.add(host_value.empty() ? std::string_view("0") : host_value);
  }
  out.character('\n');
}

void write_statm_over(const Shown& shown, const std::vector<char>& host_text, Text& out) {
  const Sizes& sizes = shown.sizes;
  const u64 total = sizes.total / kPageBytes;
  std::string_view rest = view(host_text);
  next_word(rest);
  const u64 resident = std::min(shown.resident_pages(number_of(next_word(rest))), total);
  const u64 shared = std::min(number_of(next_word(rest)), resident);
  out.decimal(total).character(' ').decimal(resident).character(' ').decimal(shared).character(' ');
  out.decimal(sizes.program_code / kPageBytes).add(" 0 ");
  out.decimal((sizes.data + sizes.stack) / kPageBytes).add(" 0\n");
}

}  // namespace orrery::kernel
