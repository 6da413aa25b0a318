// What one process's tasks did, kept until all processes have ended: who woke whom across processes is known
// only then.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lens/io/descriptor_action.h"
#include "lens/lens.h"
#include "lens/sched/stack_words.h"
#include "lens/sched/sync_object.h"
#include "lens/sched/task_timeline.h"

namespace orrery::lens::sched {

/// What was seen of a wait on a futex while the replay stood there.
struct SeenWait {
  SyncObject object{};
  std::string name{}, stack{}, owner_stack{};
};

struct KillCall {
  u64 time_ns = 0, event = 0, ticks = 0;
  i32 task = 0, target = 0;
  u32 number = 0;
};

/// FUTEX_WAKE of a word that other processes may wait on.
struct SharedWake {
  u64 time_ns = 0, event = 0, ticks = 0, address = 0;
  i32 task = 0;
};

struct ProcessHistory {
  u32 process = 0;
  std::vector<Stretch> stretches{};                      ///< in the order of their ends
  std::map<std::pair<i32, u64>, SeenWait> seen_waits{};  ///< by task and Stretch::futex_wait
  std::map<u64, SyncObject> objects{};                   ///< by the futex word: the one it was part of last
  std::map<i32, std::string> names{};                    ///< of tasks that were named
  std::set<i32> tasks{};
  std::map<i32, i32> makers{};
  std::vector<KillCall> kills{};
  std::vector<SharedWake> shared_wakes{};
};

/// `history` and `journal` outlive it. Descriptors are watched too, for what calls waited on.
std::unique_ptr<Watcher> watch_tasks(const Recording& recording, const TreeProcess& process,
                                     ProcessHistory& history, io::DescriptorSink& journal);

}  // namespace orrery::lens::sched
