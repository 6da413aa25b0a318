// Fields of control blocks that a child has from its parent and that the guest kernel of the process does not
// know by itself: another process may change its group (setpgid), and its supplementary groups are the
// host's.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "lens/lens.h"
#include "lens/process/state_rows.h"

namespace orrery::lens::process {

inline constexpr const char* kGroupField = "group";
inline constexpr const char* kSupplementaryField = "supplementary groups";

/// Told from the processes' own threads, several at a time.
class InheritedFields {
 public:
  explicit InheritedFields(const Recording& recording) : recording_(recording) {}

  /// What the first process began with, or one whose parent is not known.
  void begin(u32 process, const std::string& field, const std::string& value, const Instant& now);
  /// `number` of the process.
  void set(u32 process, const std::string& field, const std::string& value, const std::string& call,
           const Instant& now);
  /// By another process.
  void set_others(i32 pid, const std::string& field, const std::string& value, const std::string& call,
                  const Instant& now);

  /// Of all processes; nobody tells any more. Not numbered.
  std::vector<StateRow> take_rows();

 private:
  /// The one that had the pid then.
  std::optional<u32> find_process(i32 pid, u64 time_ns) const;
  const StateRow* value_at(u32 process, const std::string& field, u64 time_ns) const;
  void begin_field(const TreeProcess& process, const std::string& field);

  const Recording& recording_;
  std::mutex mutex_;
  struct Changes {
    std::vector<StateRow> rows;
  };
  std::map<std::pair<u32, std::string>, Changes> fields_;
};

}  // namespace orrery::lens::process
