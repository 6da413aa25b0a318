// The writer process: drains the rings of all recorded processes into REC/trace. It outlives the guest, so
// that all that was committed to a ring is stored however the guest died.
#pragma once

#include <string>

#include "base/types.h"
#include "trace/trace_file_hosted.h"

namespace orrery::trace {

struct WriterOptions {
  std::string recording{};  ///< the directory; holds `info`, which is updated at the end
  int ring_fd = -1;         ///< memfd of the first process's ring
  int guest_pidfd = -1;     ///< readable when the first process is gone
  /// In place of guest_pidfd, so that the writer can be there before the guest is: a stream on which the
  /// guest's pid arrives as 4 bytes before it runs (if it ends without, there will be no guest), and which
  /// ends when `info` and `launch` are written.
  int guest_announcement_fd = -1;
  /// Our end of the socket of trace/family.h, or -1: forked processes ask there for their rings, and it hangs
  /// up when no process is left. The writer closes it.
  int family_fd = -1;
  /// The trace, made and locked by the caller before it forked; null: the writer makes it.
  TraceAppender* trace = nullptr;
  int done_fd = -1;   ///< a pipe's end: gets one byte when the recording is complete on disk; or -1
  int ready_fd = -1;  ///< a pipe's end: gets one byte when the ring may be filled; or -1
  u64 flush_bytes = 1 << 20;
  u64 flush_ns = 100'000'000;
};

/// What a writer process does for life, and its exit status: 0 if every event was stored. Call in a
/// forked child that has nothing else to do: leaves the session, ignores the terminal's signals.
///
/// When a write fails (disk full, quota, file size limit) or memory is refused, the recording ends with a
/// gap event, the guest goes on unrecorded, and stderr gets one line.
int run_writer(const WriterOptions& options);

}  // namespace orrery::trace
