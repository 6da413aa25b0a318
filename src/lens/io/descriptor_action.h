// What a process did to its descriptors, as one system call at a time told it: the alphabet in which Watchers
// write down and DescriptorHistory reads.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/types.h"

namespace orrery::lens::io {

enum class ActionKind : u8 {
  begin,         ///< the process begins
  fork,          ///< it is about to make another one
  exec,          ///< it has become another program
  end,           ///< it is gone
  open,          ///< `to_fd`, a `file_kind` of this `name`
  duplicate,     ///< `fd` as `to_fd`
  close,         ///< descriptors `fd` to `to_fd`
  mark,          ///< those are closed by exec if `close_on_exec`
  accept,        ///< `to_fd` from the listening `fd`
  connect,       ///< `fd` to `peer`
  name_sockets,  ///< what `fd` is called: `local`, `peer`, those that are not empty
};

struct DescriptorAction {
  ActionKind kind = ActionKind::begin;
  u32 process = 0;
  i32 task = 0;
  u64 event = 0;     ///< the process's next event at the call's entry
  u64 ticks = 0;     ///< of the thread then
  u64 begin_ns = 0;  ///< since the recording began
  u64 time_ns = 0;   ///< when the call returned
  int fd = -1, to_fd = -1;
  bool close_on_exec = false;
  bool failed = false;
  std::string file_kind{}, name{}, call{};
  std::string local{}, peer{};  ///< addresses: "127.0.0.1:6379", "/run/x.sock"
};

enum class TransferKind : u8 {
  read,   ///< `bytes` from `fd`, or a failure
  write,  ///< `bytes` to `fd`, or a failure
  wait,   ///< it was on `fd` that the call waited
};

/// What went through a descriptor in one call: by far the most there is to write down.
struct Transfer {
  u64 begin_ns = 0, time_ns = 0;  ///< of the call, since the recording began
  u64 bytes = 0;
  u64 event = 0;
  u32 process = 0;
  i32 task = 0;
  int fd = -1;
  u16 number = 0;  ///< the system call
  TransferKind kind = TransferKind::read;
  bool failed = false;
};

/// Who is told of what processes do to their descriptors, by several Watchers at once; those of one process
/// come in order, and a fork before what the new process does.
class DescriptorSink {
 public:
  virtual void add(DescriptorAction action) = 0;
  virtual void add(const Transfer& transfer) = 0;

 protected:
  ~DescriptorSink() = default;
};

/// Keeps all of it until the processes have ended.
class Journal final : public DescriptorSink {
 public:
  void add(DescriptorAction action) override;
  void add(const Transfer& transfer) override;

  /// Calls visit(DescriptorAction) and visit(Transfer) in the order of their times; those of one process stay
  /// as they came. Nobody adds any more.
  template <class Visit>
  void visit_all(Visit visit) {
    sort();
    auto transfer = transfers_.begin();
    for (const Numbered<DescriptorAction>& action : actions_) {
      for (; transfer != transfers_.end() && transfer->is_before(action); ++transfer) visit(transfer->what);
      visit(action.what);
    }
    for (; transfer != transfers_.end(); ++transfer) visit(transfer->what);
  }

 private:
  template <class What>
  struct Numbered {
    What what;
    u64 number;
    template <class Other>
    bool is_before(const Numbered<Other>& other) const {
      return what.time_ns != other.what.time_ns ? what.time_ns < other.what.time_ns : number < other.number;
    }
  };
  void sort();

  std::mutex mutex_;
  u64 count_ = 0;
  std::vector<Numbered<DescriptorAction>> actions_;
  std::vector<Numbered<Transfer>> transfers_;
};

}  // namespace orrery::lens::io
