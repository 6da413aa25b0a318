#include "kernel/proc_others.h"

#include <algorithm>
#include <bit>

#include "kernel/fd_table.h"
#include "kernel/outer_view.h"
#include "kernel/path.h"
#include "kernel/proc_maps.h"
#include "kernel/proc_self.h"
#include "kernel/proc_self_text.h"

namespace orrery::kernel {
namespace {

struct Place {
  i32 process = 0;
  i32 task = 0;  ///< 0: none is named
  std::string_view entry{};
};

/// Where such a path leads, whoever's it is.
std::optional<Place> find_place(const Process& process, std::string_view path) {
  if (own_proc_entry(process, path) || !cut(path, "/proc")) return std::nullopt;
  Place place{.process = number_in(cut_name(path))};
  if (place.process <= 0) return std::nullopt;
  if (std::string_view rest = path; cut(rest, "task")) {
    place.task = std::max(0, number_in(cut_name(rest)));
    path = rest;
  }
  place.entry = path;
  return place;
}

/// What a file is made of.
struct Source {
  Process& process;  ///< that reads
  const Place& place;
  const ProcessView& view;

  std::vector<char> host_file(std::string_view entry) const {
    std::vector<char> path = Text().add("/proc/").integer(place.process).character('/').add(entry).take();
    path.push_back('\0');
    return read_host_file(process, path.data());
  }
  MeasuredMemory measure() const { return {view.regions, host_file("smaps")}; }
};

/// How long the other's table of descriptors would be at least (descriptor_table_size()).
u32 table_size(const Source& source) {
  const std::vector<char> path =
      Text().add("/proc/").integer(source.place.process).add("/fd").character('\0').take();
  std::vector<int> open = list_descriptors(source.process, path.data());
  const auto& numbers = source.view.numbers;
  std::erase_if(open, [&](int fd) {
    return static_cast<u32>(fd) >= numbers.engine_fd_first && static_cast<u32>(fd) < numbers.engine_fd_end;
  });
  return table_size_for(open);
}

void write_over(const Source& source, void (*write)(const Shown&, const std::vector<char>&, Text&),
                Text& out) {
  const ProcessView& view = source.view;
  const ProcessView::TaskView* const thread =
      view.find_task(source.place.task != 0 ? source.place.task : source.place.process);
  if (thread == nullptr && view.tasks.empty()) return;
  const MeasuredMemory measured = source.measure();
  const Shown shown{.view = view,
                    .thread = thread != nullptr ? *thread : view.tasks.front(),
                    .sizes = measure(view),
                    .measured = &measured,
                    .descriptor_table = write == write_status_over ? table_size(source) : 0};
  write(shown, source.host_file(source.place.entry), out);
}

void write_comm(const Source& source, Text& out) {
  const ProcessView::TaskView* const thread = source.view.find_task(source.place.task);
  if (thread == nullptr) return;
  out.add(thread->comm.data()).character('\n');
}

struct Entry {
  std::string_view name;
  ProcKind kind;
  void (*write)(const Source& source, Text& out) = nullptr;  ///< of a text
};

constexpr Entry kEntries[] = {
    {"maps", ProcKind::text, [](const Source& s, Text& out) { write_maps(s.view, out); }},
    {"smaps", ProcKind::text, [](const Source& s, Text& out) { write_smaps(s.view, s.measure(), out); }},
    {"smaps_rollup", ProcKind::text,
     [](const Source& s, Text& out) {
       write_smaps_rollup(s.view, s.measure(), s.host_file("smaps_rollup"), out);
     }},
    {"numa_maps", ProcKind::text,
     [](const Source& s, Text& out) { write_numa_maps(s.view, s.measure(), out); }},
    {"stat", ProcKind::text, [](const Source& s, Text& out) { write_over(s, write_stat_over, out); }},
    {"status", ProcKind::text, [](const Source& s, Text& out) { write_over(s, write_status_over, out); }},
    {"statm", ProcKind::text, [](const Source& s, Text& out) { write_over(s, write_statm_over, out); }},
    {"limits", ProcKind::text, [](const Source& s, Text& out) { write_limits(s.view.numbers.limits, out); }},
    {"personality", ProcKind::text,
     [](const Source& s, Text& out) { out.hex(s.view.numbers.personality, 8).character('\n'); }},
    {"comm", ProcKind::text, write_comm},
    {"task", ProcKind::tasks},
    {"fd", ProcKind::descriptors},
    {"fdinfo", ProcKind::descriptors},
};

const Entry* find_entry(const Place& place) {
  if (place.entry == "comm" && place.task == 0) return nullptr;  // the host knows the leader's
  const auto* const found = std::find_if(std::begin(kEntries), std::end(kEntries),
                                         [&](const Entry& entry) { return entry.name == place.entry; });
  return found == std::end(kEntries) ? nullptr : found;
}

}  // namespace

std::optional<ProcKind> others_proc_kind(const Process& process, std::string_view proc_path) {
  const auto place = find_place(process, proc_path);
  const Entry* const entry = place ? find_entry(*place) : nullptr;
  if (entry == nullptr || !shows_itself(process, place->process)) return std::nullopt;
  return entry->kind;
}

void write_others_proc_file(Process& process, std::string_view proc_path, Text& out) {
  const auto place = find_place(process, proc_path);
  const Entry* const entry = place ? find_entry(*place) : nullptr;
  if (entry == nullptr || entry->write == nullptr) return;
  const auto view = look_at(process, place->process);
  if (view)
    entry->write({process, *place, *view}, out);
  else
    out.add(Source{process, *place, {}}.host_file(place->entry));
}

std::vector<i32> list_others_tasks(Process& process, std::string_view proc_path) {
  std::vector<i32> tasks;
  if (const auto place = find_place(process, proc_path))
    if (const auto view = look_at(process, place->process))
      for (const auto& task : view->tasks) tasks.push_back(task.id);
  return tasks;
}

DescriptorRange others_engine_descriptors(Process& process, std::string_view proc_path) {
  const auto place = find_place(process, proc_path);
  const auto view = place ? look_at(process, place->process) : std::nullopt;
  return view ? DescriptorRange{view->numbers.engine_fd_first, view->numbers.engine_fd_end}
              : DescriptorRange{};
}

bool replace_others_path(const Process& process, std::string_view proc_path, std::vector<char>& replacement) {
  const auto place = find_place(process, proc_path);
  if (!place || place->task < kFirstTaskId || !shows_itself(process, place->process)) return false;
  replacement = Text().add("/proc/").integer(place->process).character('/').add(place->entry).take();
  replacement.push_back('\0');
  return true;
}

}  // namespace orrery::kernel
