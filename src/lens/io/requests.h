// Requests of a server: on a connection that it accepted, from the bytes that came in to the bytes that went
// out before more came in; and where the time between went.
//
// All is found while the replay goes on and only the slowest are kept, so that a server may answer millions.
// No protocol is read: several requests that come with one read and are answered before the next are one.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "lens/io/descriptor_history.h"
#include "lens/io/latency_histogram.h"
#include "lens/lens.h"

namespace orrery::lens::io {

/// Where a request's time went.
enum class Share : u8 {
  queue,    ///< it had come, as a poll or a read told, and nobody had read it; or it waited for its thread
  cpu,      ///< the thread ran
  lock,     ///< waited for a lock, a condition, a semaphore; in a poll that a signal's descriptor ended
  disk,     ///< was in calls on files
  network,  ///< waited for other sockets and pipes, or in a poll
  sched,    ///< could have run, and others did
  other,    ///< slept, waited for a child or a signal, was in other calls
};
inline constexpr u32 kShareCount = 7;

struct Request {
  u32 process = 0;
  i32 task = 0;   ///< that wrote the answer
  u64 event = 0;  ///< the process's next event at the first read
  OpenFilePointer socket{};
  u64 arrived_ns = 0;  ///< at the latest
  u64 read_ns = 0;     ///< the first bytes were in the program's memory
  u64 answered_ns = 0;
  u64 bytes_in = 0, bytes_out = 0, reads = 0, writes = 0;
  i32 reader = 0;
  std::array<u64, kShareCount> shares{};

  u64 latency_ns() const { return answered_ns - arrived_ns; }
};
using RequestPointer = std::shared_ptr<Request>;

struct ServerSums {
  u64 requests = 0, total_ns = 0, longest_ns = 0, bytes_in = 0, bytes_out = 0;
  LatencyHistogram latencies{};
};

class ProcessRequests;

/// Of all processes.
class RequestFinder final : public DescriptorSink {
 public:
  explicit RequestFinder(const Recording& recording);
  ~RequestFinder();

  std::unique_ptr<Watcher> watch(const TreeProcess& process);
  void finish();
  /// The slowest first.
  const std::vector<RequestPointer>& slowest() const { return slowest_; }
  const std::map<u32, ServerSums>& sums() const { return sums_; }

  void add(DescriptorAction action) override;
  void add(const Transfer& transfer) override;

 private:
  void read(const Transfer& transfer, const OpenFilePointer& file);
  void write(const Transfer& transfer, const OpenFilePointer& file);
  void complete(const RequestPointer& request);
  bool may_be_slow(const Request& request) const;

  const Recording& recording_;
  std::mutex mutex_;
  DescriptorHistory files_;
  std::map<u32, std::unique_ptr<ProcessRequests>> processes_;
  std::map<u64, RequestPointer> open_;   ///< by the socket's open file
  std::map<u64, u64> answered_;          ///< when the last answer went
  std::vector<RequestPointer> slowest_;  ///< while the replay goes on a heap, the fastest in front
  std::map<u32, ServerSums> sums_;
};

}  // namespace orrery::lens::io
