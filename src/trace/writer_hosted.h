// The writer process: drains the ring of one recorded process into REC/trace. It outlives the guest, so
// that all that was committed to the ring is stored however the guest died.
#pragma once

#include <string>

#include "base/types.h"

namespace orrery::trace {

struct WriterOptions {
  std::string recording{};  ///< the directory; holds `info`, which is updated at the end
  int ring_fd = -1;         ///< memfd of the ring
  int guest_pidfd = -1;     ///< readable when the guest is gone
  int done_fd = -1;         ///< a pipe's end: gets one byte when the recording is complete on disk; or -1
  int ready_fd = -1;        ///< a pipe's end: gets one byte when the ring may be filled; or -1
  u64 flush_bytes = 1 << 20;
  u64 flush_ns = 100'000'000;
};

/// What a writer process does for life, and its exit status: 0 if every event was stored. Call in a
/// forked child that has nothing else to do: leaves the session, ignores the terminal's signals.
///
/// When a write fails (disk full, quota, file size limit) the recording ends with a gap event, the guest
/// goes on unrecorded, and stderr gets one line.
int run_writer(const WriterOptions& options);

}  // namespace orrery::trace
