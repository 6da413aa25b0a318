// The writer's side of trace/family.h: gives each forked process of the guest a ring and drains it.
#pragma once

#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "trace/family.h"
#include "trace/ring_drain_hosted.h"
#include "trace/store.h"

namespace orrery::trace {

/// Rings of forked processes. Large enough for two events of kEventBytesMost; only what is used of one
/// takes memory.
inline constexpr u64 kForkedRingBytes = u64{8} << 20;
static_assert(kForkedRingBytes / 2 >= kEventBytesMost);

/// One thread a living process. Threads are used again, so that a thousand short processes one after the
/// other cost no more than one.
class FamilyWriter {
 public:
  /// Serves requests on `family_fd`, which it owns, until the last engine that holds the other end is gone.
  /// -1: no process will be forked.
  /// `recording`: its directory, where files are kept for engines that may not do it themselves.
  FamilyWriter(int family_fd, const std::string& recording, TraceSink& sink, FlushLimits limits);
  FamilyWriter(const FamilyWriter&) = delete;
  FamilyWriter& operator=(const FamilyWriter&) = delete;
  ~FamilyWriter() { wait(); }

  /// Returns when all engines are gone and all their events stored.
  void wait();

 private:
  struct Request {
    u32 process = 0;
    int socket = -1;  ///< our end of the process's own socket
  };
  struct Worker {
    std::thread thread;
  };

  i64 keep_or_open(int store, int files, u32 file_number, int fd);
  void keep_file(u32 file_number, int fd, int socket);
  void accept_all();
  bool accept_one();
  void hand_over(Request request);
  void work(std::list<Worker>::iterator self);
  bool next_request(Request& request);
  void serve(const Request& request, ChunkEncoder& encoder);
  void join_finished();

  int family_fd_;
  std::string recording_;
  TraceSink& sink_;
  FlushLimits limits_;
  std::thread acceptor_;
  std::set<u32> known_;               ///< the acceptor's: process numbers that were asked for
  std::map<u32, FileIdentity> kept_;  ///< likewise: what was kept on request, by the number of its copy

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Request> requests_;
  u64 idle_ = 0;
  bool closing_ = false;
  std::list<Worker> workers_, finished_;
};

}  // namespace orrery::trace
