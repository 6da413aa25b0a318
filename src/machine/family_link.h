// The engine's end of trace/family.h: how a forked engine gets a ring of its own, and the page that all
// engines of a recorded machine share.
#pragma once

#include <array>

#include "base/result.h"
#include "base/types.h"
#include "trace/family.h"
#include "trace/family_message.h"

namespace orrery::machine {

/// Maps the ring behind `fd` at kRingStart and returns its capacity. The descriptor is not needed any more.
Result<u64> map_ring(int fd);

class FamilyLink {
 public:
  /// `first_fd`: where the engine's descriptors begin (machine/launch.h).
  explicit FamilyLink(int first_fd) : first_fd_(first_fd) {}
  FamilyLink(const FamilyLink&) = delete;
  FamilyLink& operator=(const FamilyLink&) = delete;

  /// Before the first guest byte.
  Status map_machine_page();
  trace::MachinePage* page() { return page_; }
  /// What lies behind the page: host::SeededMachine, in a run with --seed.
  void* behind_page() { return reinterpret_cast<u8*>(page_) + trace::kMachinePageBytes; }
  u32 next_process() { return __atomic_fetch_add(&page_->next_process, 1, __ATOMIC_RELAXED); }
  u32 next_file_number() { return __atomic_fetch_add(&page_->next_file_number, 1, __ATOMIC_RELAXED); }

  struct MappedOrder {
    trace::ReplayOrder* page = nullptr;  ///< null: there is none
    u64 size_bytes = 0;
  };
  /// What stands in the machine page's place in a replay.
  MappedOrder map_replay_order();

  struct Joined {
    u64 ring_bytes = 0;       ///< the ring's capacity
    bool controlled = false;  ///< kControlFd is a socket of its own, over which questions come
  };
  /// In a new process: leaves its parent's ring, asks for one and maps it. The error is ECANCELED if nobody
  /// wants this process replayed.
  Result<Joined> join(u32 process);
  /// A FamilyRequest for a kept file, with `guest_fd` unless that is -1. Its descriptor; -1: there is none.
  int kept_file(u32 file_number, int guest_fd);
  /// Before a process that replays ends, so that whoever waits knows how.
  void tell_end(i32 status);

 private:
  Status send_request(trace::FamilyRequest& request, int own, int with = -1);
  using Received = std::array<int, trace::FamilyMessage::kDescriptorsMost>;
  Result<Received> receive_reply(int own);
  Result<int> move_to(int fd, int place);
  static void die_with(int pipe);

  int first_fd_;
  trace::MachinePage own_page_;  ///< until there is one that is shared
  trace::MachinePage* page_ = &own_page_;
  bool joined_ = false;
};

}  // namespace orrery::machine
