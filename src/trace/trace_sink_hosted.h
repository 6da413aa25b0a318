// Where the writer process puts the events of all rings: one trace, behind one lock. Compressing happens
// outside of it, with an encoder that belongs to the caller's thread.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "trace/event.h"
#include "trace/syncer_hosted.h"
#include "trace/trace_file_hosted.h"

namespace orrery::trace {

/// How the events of one process end.
struct ProcessEnd {
  std::optional<EventHeader> exit;  ///< the event that tells its end
  std::optional<GapReason> gap;     ///< why events are missing
};

/// What is known of all processes whose events have ended.
struct WrittenTotals {
  u64 process_count = 0;
  u64 killed_count = 0;          ///< no event tells their end
  ProcessEnd first;              ///< of process 0
  std::optional<GapReason> gap;  ///< of any
};

/// Room on the disk for what must be said when the disk is full: a file that only holds it.
class Reserve {
 public:
  explicit Reserve(const std::string& recording);
  ~Reserve() { release(); }
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;
  void release();

 private:
  std::string path_;
};

class TraceSink {
 public:
  TraceSink(TraceAppender& appender, const std::string& recording);

  /// Once the disk was full every call fails as that one did.
  Status append(u32 process, std::span<const u8> events, int zstd_level, ChunkEncoder& encoder);
  /// Says in the trace that events of the process are missing from here on.
  void append_gap(u32 process, const EventHeader& gap, ChunkEncoder& encoder);
  void kept(u32 file_number) { syncer_.kept(file_number); }
  /// What was appended shall be on the disk soon.
  void sync_soon() { syncer_.appended(); }
  /// Says on stderr, once a recording, that it is not whole.
  void complain(const char* why);
  void process_ended(u32 process, const ProcessEnd& end);
  /// The errno by which nothing can be appended any more; 0 if it can.
  int trouble() const;

  /// When all processes have ended: closes the trace.
  void finish();
  const WrittenTotals& totals() const { return totals_; }
  const TraceAppender& appender() const { return appender_; }
  /// Now, in the caller's time.
  void sync() { syncer_.sync(); }

 private:
  TraceAppender& appender_;
  const std::string recording_;
  Reserve reserve_;
  Syncer syncer_;
  mutable std::mutex mutex_;
  std::optional<Error> trouble_;
  bool has_complained_ = false;
  WrittenTotals totals_;
};

}  // namespace orrery::trace
