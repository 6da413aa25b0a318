#include "lens/io/descriptor_history.h"

#include <algorithm>

namespace orrery::lens::io {

std::string name_of(const OpenFile& file) {
  if (!file.name.empty() || (file.local.empty() && file.peer.empty())) return file.name;
  if (file.how == nullptr) return file.local;
  return (file.local.empty() ? "" : file.local + " ") + (file.peer.empty() ? "" : "to " + file.peer);
}

void Journal::add(DescriptorAction action) {
  const std::lock_guard lock(mutex_);
  actions_.push_back({std::move(action), count_++});
}

void Journal::add(const Transfer& transfer) {
  const std::lock_guard lock(mutex_);
  transfers_.push_back({transfer, count_++});
}

void Journal::sort() {
  const auto in_order = [](const auto& left, const auto& right) { return left.is_before(right); };
  std::sort(actions_.begin(), actions_.end(), in_order);
  std::sort(transfers_.begin(), transfers_.end(), in_order);
}

void DescriptorHistory::play(const DescriptorAction& action) {
  switch (action.kind) {
    case ActionKind::begin:
      return begin(action);
    case ActionKind::fork:
      forks_[action.process].emplace_back(action.event, tables_[action.process]);
      return;
    case ActionKind::exec:
      return end_program(action, true);
    case ActionKind::end:
      return end_program(action, false);
    case ActionKind::open:
      return open(action);
    case ActionKind::duplicate:
      return duplicate(action);
    case ActionKind::close:
    case ActionKind::mark:
      return close_range(action);
    case ActionKind::accept:
      return accept(action);
    case ActionKind::connect:
      return connect(action);
    case ActionKind::name_sockets:
      return name_sockets(action);
  }
}

// --- descriptors ---

void DescriptorHistory::begin(const DescriptorAction& action) {
  const TreeProcess& known = tree_.at(action.process);
  Table& table = tables_[action.process];
  if (!known.parent) return;
  const Table* inherited = nullptr;
  for (const auto& [event, parents] : forks_[*known.parent])
    if (event <= known.fork_event.value_or(0)) inherited = &parents;
  if (inherited == nullptr) return;
  for (const auto& [fd, descriptor] : *inherited) {
    give(fd, descriptor.life.file, "inherited", action);
    table[fd].close_on_exec = descriptor.close_on_exec;
  }
}

OpenFilePointer DescriptorHistory::make_file(const DescriptorAction& action, std::string kind,
                                             std::string name) {
  auto file = std::make_shared<OpenFile>(OpenFile{.number = files_.size() + 1,
                                                  .process = action.process,
                                                  .task = action.task,
                                                  .event = action.event,
                                                  .ticks = action.ticks,
                                                  .kind = std::move(kind),
                                                  .name = std::move(name),
                                                  .call = action.call,
                                                  .opened_ns = action.time_ns});
  files_.push_back(file);
  return file;
}

void DescriptorHistory::give(int fd, OpenFilePointer file, const char* how, const DescriptorAction& action) {
  Table& table = tables_[action.process];
  if (const auto at = table.find(fd); at != table.end()) close(at, table, "replaced", action);
  ++file->descriptors;
  file->closed_ns.reset();
  table[fd] = {.life = {.process = action.process,
                        .fd = fd,
                        .file = std::move(file),
                        .begin = how,
                        .begin_event = action.event,
                        .begin_ticks = action.ticks,
                        .begin_ns = action.time_ns},
               .close_on_exec = action.close_on_exec};
}

/// What a descriptor is. One that nobody has seen opened was there before: whoever started the program gave
/// it.
const OpenFilePointer& DescriptorHistory::file_of(int fd, const DescriptorAction& action) {
  constexpr const char* kStandard[] = {"standard input", "standard output", "standard error"};
  Table& table = tables_[action.process];
  if (const auto at = table.find(fd); at != table.end()) return at->second.life.file;
  DescriptorAction before = action;
  before.event = before.ticks = 0;
  before.time_ns = 0;
  before.call = "";
  before.close_on_exec = false;
  const bool standard = fd >= 0 && fd <= 2;
  give(fd, make_file(before, "given", standard ? kStandard[fd] : "given by whoever started the program"),
       "inherited", before);
  return table[fd].life.file;
}

void DescriptorHistory::open(const DescriptorAction& action) {
  give(action.to_fd, make_file(action, action.file_kind, action.name), "opened", action);
}

void DescriptorHistory::duplicate(const DescriptorAction& action) {
  if (action.fd == action.to_fd) return;
  file_of(action.fd, action);
  give(action.to_fd, tables_[action.process][action.fd].life.file, "duplicated", action);
}

void DescriptorHistory::close(Table::iterator at, Table& table, const char* how,
                              const DescriptorAction& action) {
  DescriptorLife& life = at->second.life;
  life.end = how;
  life.end_event = action.event;
  life.end_ticks = action.ticks;
  life.end_ns = action.time_ns;
  if (--life.file->descriptors == 0) life.file->closed_ns = action.time_ns;
  lives_.push_back(std::move(life));
  table.erase(at);
}

void DescriptorHistory::close_range(const DescriptorAction& action) {
  Table& table = tables_[action.process];
  if (action.fd == action.to_fd) file_of(action.fd, action);
  for (auto at = table.lower_bound(action.fd); at != table.end() && at->first <= action.to_fd;) {
    const auto next = std::next(at);
    if (action.kind == ActionKind::mark)
      at->second.close_on_exec = action.close_on_exec;
    else
      close(at, table, "closed", action);
    at = next;
  }
}

void DescriptorHistory::end_program(const DescriptorAction& action, bool is_exec) {
  Table& table = tables_[action.process];
  for (auto at = table.begin(); at != table.end();) {
    const auto next = std::next(at);
    if (!is_exec || at->second.close_on_exec)
      close(at, table, is_exec ? "closed by exec" : "process ended", action);
    at = next;
  }
}

// --- what goes through them ---

OpenFilePointer DescriptorHistory::file_of(const Transfer& transfer) {
  const Table& table = tables_[transfer.process];
  if (const auto at = table.find(transfer.fd); at != table.end()) return at->second.life.file;
  return file_of(transfer.fd, {.process = transfer.process,
                               .task = transfer.task,
                               .event = transfer.event,
                               .begin_ns = transfer.begin_ns,
                               .time_ns = transfer.time_ns});
}

void DescriptorHistory::play(const Transfer& transfer) { play(transfer, *file_of(transfer)); }

void DescriptorHistory::play(const Transfer& transfer, OpenFile& file) {
  file.waited_ns += transfer.time_ns - transfer.begin_ns;
  file.failures += transfer.failed ? 1 : 0;
  if (transfer.kind == TransferKind::wait || transfer.failed) return;
  if (transfer.kind == TransferKind::read) {
    ++file.reads;
    file.bytes_read += transfer.bytes;
    if (!file.first_read_ns && transfer.bytes != 0) file.first_read_ns = transfer.time_ns;
  } else {
    ++file.writes;
    file.bytes_written += transfer.bytes;
    file.last_write_ns = transfer.time_ns;
  }
}

void DescriptorHistory::accept(const DescriptorAction& action) {
  OpenFile& listener = *file_of(action.fd, action);
  listener.waited_ns += action.time_ns - action.begin_ns;
  ++listener.reads;
  const OpenFilePointer file = make_file(action, listener.kind, "");
  file->how = "accepted";
  file->local = listener.local;
  file->peer = action.peer;
  file->connected_ns = action.time_ns;
  give(action.to_fd, file, "opened", action);
}

void DescriptorHistory::connect(const DescriptorAction& action) {
  OpenFile& file = *file_of(action.fd, action);
  file.waited_ns += action.time_ns - action.begin_ns;
  file.failures += action.failed ? 1 : 0;
  file.peer = action.peer;
  if (action.failed || action.peer.empty()) return;
  file.how = "connected";
  file.connected_ns = action.time_ns;
}

void DescriptorHistory::name_sockets(const DescriptorAction& action) {
  OpenFile& file = *file_of(action.fd, action);
  if (!action.local.empty()) file.local = action.local;
  if (!action.peer.empty()) file.peer = action.peer;
}

}  // namespace orrery::lens::io
