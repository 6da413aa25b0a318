// What is written of processes: that one was made, how it began, what a borrower left behind, and what
// program it became.
#include <array>

#include "record/recording_host.h"

namespace orrery::record {

using trace::EventKind;

i64 RecordingHost::fork(host::ForkRequest& request) {
  EventWriter& writer = parts_.writer;
  if (!writer.alive()) return parts_.inner.fork(request);
  const u64 hash = host::request_hash(request);
  const u64 began_ns = writer.now_ns();  // earlier than all that the child does
  const u64 number = writer.next_number();
  const u32 process = parts_.family.new_process();
  if (parts_.live != nullptr) parts_.live->shared_files().begin_fork();
  const i64 pid = parts_.inner.fork(request);
  if (pid < 0 && parts_.live != nullptr) parts_.live->shared_files().fork_failed();
  if (pid == 0) {
    begin_process(process, number, request);
    return 0;
  }
  const trace::ForkedProcess forked{
      .process = process, .flags = request.borrows ? trace::kForkBorrows : 0, .pidfd = request.pidfd};
  const std::span payload(reinterpret_cast<const u8*>(&forked), pid > 0 ? sizeof forked : 0);
  writer.write(instant_, {.kind = EventKind::fork, .request_hash = hash, .result = pid, .time_ns = began_ns},
               payload);
  check_writer();
  return pid;
}

void RecordingHost::begin_process(u32 process, u64 parent_event, const host::ForkRequest& request) {
  const trace::ProcessStart start{.process = process,
                                  .parent_process = process_,
                                  .parent_event = parent_event,
                                  .pid = request.pid,
                                  .parent_pid = instant_.task};
  process_ = process;
  instant_.task = request.pid;
  parts_.writer.begin_process(parts_.family.join(process));
  parts_.writer.write(instant_, {.kind = EventKind::start},
                      {reinterpret_cast<const u8*>(&start), sizeof start});
  check_writer();
}

void RecordingHost::take_back(std::vector<u8>& changes) {
  parts_.inner.take_back(changes);
  parts_.writer.write(
      instant_, {.kind = EventKind::memory_change, .result = static_cast<i64>(changes.size())}, changes);
  check_writer();
}

void RecordingHost::take_turn() {
  parts_.inner.take_turn();
  parts_.writer.write(instant_, {.kind = EventKind::turn});
  check_writer();
}

void RecordingHost::pass_turn() {
  if (!parts_.inner.turn_is_wanted()) return;
  give_turn();
  take_turn();
}

void RecordingHost::leave(const host::NextProgram& next) {
  if (parts_.live != nullptr) parts_.live->shared_files().leave();
  parts_.writer.write(instant_, {.kind = EventKind::exit, .result = trace::kExitToNative}, next.words);
  parts_.writer.close();
  parts_.inner.leave(next);
}

void RecordingHost::executed(std::span<const u8> words) {
  parts_.inner.executed(words);
  live_files_.forget();
  if (parts_.live != nullptr) parts_.live->shared_files().leave();
  parts_.writer.write(instant_, {.kind = EventKind::exec, .request_hash = xxh64(words, 0)}, words);
  check_writer();
}

}  // namespace orrery::record
