#include "lens/process/inherited_fields.h"

#include <algorithm>
#include <utility>

namespace orrery::lens::process {
namespace {

StateRow row_of(u32 process, const std::string& field, const std::string& value, const std::string& call,
                const Instant& now) {
  return {.process = process,
          .field = field,
          .value = value,
          .call = call,
          .task = now.task,
          .begin_event = now.event,
          .begin_ticks = now.ticks,
          .begin_ns = now.time_ns};
}

}  // namespace

void InheritedFields::begin(u32 process, const std::string& field, const std::string& value,
                            const Instant& now) {
  set(process, field, value, "start", now);
}

void InheritedFields::set(u32 process, const std::string& field, const std::string& value,
                          const std::string& call, const Instant& now) {
  const std::lock_guard lock(mutex_);
  fields_[{process, field}].rows.push_back(row_of(process, field, value, call, now));
}

void InheritedFields::set_others(i32 pid, const std::string& field, const std::string& value,
                                 const std::string& call, const Instant& now) {
  if (const auto process = find_process(pid, now.time_ns)) set(*process, field, value, call, now);
}

/// Its first event may have been written after its parent had come back from the fork.
std::optional<u32> InheritedFields::find_process(i32 pid, u64 time_ns) const {
  std::optional<u32> found;
  for (const auto& [number, process] : recording_.tree)
    if (process.pid == pid && (!found || recording_.since_begin(process.start_ns) <= time_ns)) found = number;
  return found;
}

const StateRow* InheritedFields::value_at(u32 process, const std::string& field, u64 time_ns) const {
  const auto found = fields_.find({process, field});
  const StateRow* value = nullptr;
  if (found == fields_.end()) return nullptr;
  for (const StateRow& row : found->second.rows)
    if (row.begin_ns <= time_ns) value = &row;
  return value;
}

/// A child's first value is its parent's of then, whatever its own kernel knew.
void InheritedFields::begin_field(const TreeProcess& process, const std::string& field) {
  std::vector<StateRow>& rows = fields_[{process.process, field}].rows;
  std::stable_sort(rows.begin(), rows.end(), [](const StateRow& left, const StateRow& right) {
    return left.begin_ns < right.begin_ns;
  });
  const auto started =
      std::find_if(rows.begin(), rows.end(), [](const StateRow& row) { return row.call == "start"; });
  if (started == rows.end()) return;
  StateRow first = *started;
  rows.erase(started);
  if (process.parent)
    if (const StateRow* parents = value_at(*process.parent, field, first.begin_ns))
      first.value = parents->value;
  // Others may have changed it before its first event.
  if (!rows.empty()) first.begin_ns = std::min(first.begin_ns, rows.front().begin_ns);
  rows.insert(rows.begin(), first);
}

std::vector<StateRow> InheritedFields::take_rows() {
  std::vector<StateRow> all;
  for (const auto& [number, process] : recording_.tree)  // parents come before their children
    for (const char* field : {kGroupField, kSupplementaryField}) {
      begin_field(process, field);
      const StateRow* before = nullptr;
      for (const StateRow& row : fields_[{number, field}].rows) {
        if (before != nullptr && before->value == row.value) continue;
        if (before != nullptr) {
          all.back().end_event = row.begin_event;
          all.back().end_ticks = row.begin_ticks;
          all.back().end_ns = row.begin_ns;
        }
        all.push_back(row);
        before = &row;
      }
    }
  return all;
}

}  // namespace orrery::lens::process
