#include "replay/replay_host.h"

#include <asm/unistd.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "host/memory_calls.h"
#include "host/raw_syscall.h"
#include "host/request.h"

namespace orrery::replay {

using host::ExtentWalk;
using host::HostCall;
using host::MemoryOperation;
using host::OutRange;
using trace::EventHeader;
using trace::EventKind;

namespace {
constexpr i64 kExitBySignal = 0x100;
}  // namespace

/// The next event that answers something, or null at the end of what is known.
const EventHeader* ReplayHost::next() {
  const EventHeader* header = parts_.events.peek();
  if (header == nullptr || header->kind == EventKind::gap) return nullptr;
  parts_.order.reached(header->time_ns);
  return header;
}

void ReplayHost::differ(Difference difference, const EventHeader& expected, const Question& question,
                        i64 got_result) {
  Divergence divergence;
  divergence.difference = difference;
  divergence.expected = expected;
  divergence.got = question.kind;
  divergence.got_detail = question.detail;
  divergence.got_hash = question.hash;
  divergence.got_instant = instant_;
  divergence.got_result = got_result;
  if (question.call != nullptr) std::copy_n(question.call->args.begin(), 6, divergence.args);
  parts_.end.diverged(divergence);
  CHECK(false, "a diverged replay went on");
  __builtin_unreachable();
}

void ReplayHost::end_of_trace() {
  if (parts_.events.damaged()) {
    EventHeader expected;
    expected.number = parts_.events.next_number();
    differ(Difference::damaged, expected, {.kind = EventKind::none});
  }
  parts_.end.trace_ended();
  CHECK(false, "a replay went on after the end of its recording");
  __builtin_unreachable();
}

/// Takes the next event if it answers this very question; its payload is to be read next.
EventHeader ReplayHost::expect(const Question& question) {
  const EventHeader* header = next();
  if (header == nullptr) end_of_trace();
  const EventHeader expected = *header;
  if (expected.kind != question.kind) differ(Difference::kind, expected, question);
  if (expected.detail != question.detail) differ(Difference::detail, expected, question);
  if (expected.task != instant_.task) differ(Difference::task, expected, question);
  if (expected.ticks != instant_.ticks) differ(Difference::ticks, expected, question);
  if (expected.pc != instant_.pc) differ(Difference::pc, expected, question);
  if (expected.request_hash != question.hash) differ(Difference::request, expected, question);
  parts_.events.take();
  return expected;
}

void ReplayHost::finish(const EventHeader& expected, const Question& question, bool good) {
  if (!good && parts_.events.cut_short()) end_of_trace();
  if (!good || !parts_.events.finish()) differ(Difference::payload, expected, question);
}

i64 ReplayHost::call(HostCall& call) {
  const Question question{EventKind::syscall, static_cast<u16>(call.number), host::request_hash(call), &call};
  const EventHeader event = expect(question);
  if (sink_ != nullptr) tell_read(call, event.result);
  finish(event, question, read_ranges(call, event.result));
  if (has_live_files_) [[unlikely]]
    apply_changes();
  if (parts_.show_output && call.terminal_stream != 0) {
    parts_.order.wait_for(event.time_ns);
    show(call, event.result);
  }
  return event.result;
}

/// What the call did to files that the program maps is done to their scratch copies.
void ReplayHost::apply_changes() {
  for (;;) {
    const EventHeader* header = next();
    if (header == nullptr || header->kind != EventKind::file_change) return;
    const EventHeader event = *header;
    parts_.events.take();
    finish(event, {.kind = EventKind::file_change}, apply_change(event));
  }
}

bool ReplayHost::apply_change(const EventHeader& event) {
  trace::FileChange change;
  if (!parts_.events.read(&change, sizeof change) || event.result != change.file_number) return false;
  const i64 fd = parts_.files.open(change.file_number, KeptFiles::kAnySize, true);
  if (fd < 0 || host::raw_syscall(__NR_ftruncate, fd, change.size_bytes) < 0) return false;
  u8 bytes[16384];
  for (u64 done = 0; done < change.count;) {
    const u64 part = std::min<u64>(sizeof bytes, change.count - done);
    if (!parts_.events.read(bytes, part)) return false;
    const i64 put = host::raw_syscall(__NR_pwrite64, fd, bytes, part, change.offset + done);
    if (put != static_cast<i64>(part)) return false;
    done += part;
  }
  return true;
}

/// Puts the recorded bytes where the call wrote them.
bool ReplayHost::read_ranges(const HostCall& call, i64 result) {
  ExtentWalk walk(result);
  for (const OutRange& range : call.out.items()) {
    host::LengthWord length = 0;
    if (host::carries_length(range, result) && !parts_.events.read(&length, sizeof length)) return false;
    const u64 bytes = walk.bytes_of(range, length);
    if (!parts_.events.read(reinterpret_cast<void*>(range.address), bytes)) return false;
    if (sink_ != nullptr && bytes != 0) sink_->accessed(range.address, bytes, true);
  }
  return true;
}

/// What the kernel read of the program's memory.
void ReplayHost::tell_read(const HostCall& call, i64 result) {
  if (result == -EFAULT) return;
  for (const host::InRange& range : call.in.items())
    if (range.size_bytes != 0) sink_->accessed(range.address, range.size_bytes, false);
}

void ReplayHost::show(const HostCall& call, i64 result) {
  u64 left = result > 0 ? static_cast<u64>(result) : 0;
  for (const host::InRange& range : call.in.items()) {
    const u64 end = range.address + std::min(left, range.size_bytes);
    left -= end - range.address;
    for (u64 at = range.address; at < end;) {
      const i64 written = host::raw_syscall(__NR_write, call.terminal_stream, at, end - at);
      if (written == -EINTR || written == -EAGAIN) continue;
      if (written < 0) return;
      at += static_cast<u64>(written);
    }
  }
}

u64 ReplayHost::read_tsc() {
  const Question question{.kind = EventKind::tsc};
  const EventHeader event = expect(question);
  finish(event, question, true);
  return static_cast<u64>(event.result);
}

u32 ReplayHost::current_cpu() {
  const Question question{.kind = EventKind::cpu_number};
  const EventHeader event = expect(question);
  finish(event, question, true);
  return static_cast<u32>(event.result);
}

void ReplayHost::random_bytes(std::span<u8> out) {
  const Question question{.kind = EventKind::random};
  const EventHeader event = expect(question);
  const bool same_size = event.result == static_cast<i64>(out.size());
  finish(event, question, same_size && parts_.events.read(out.data(), out.size()));
}

/// Signals come at an instant and a look of their own: they are compared, never waited for. One that lies
/// behind was missed. At the end of the recording the program is not run on: where it was killed is not
/// known.
bool ReplayHost::next_signal(host::HostSignal& signal) {
  const EventHeader* header = next();
  if (header == nullptr) end_of_trace();
  if (header->kind != EventKind::signal || header->task != instant_.task) return false;
  const EventHeader expected = *header;
  const Question question{.kind = EventKind::signal};
  if (expected.ticks < instant_.ticks) differ(Difference::signal_missed, expected, question);
  if (expected.ticks != instant_.ticks || expected.pc != instant_.pc) return false;
  if (expected.detail != look_) return false;
  parts_.events.take();
  signal.number = static_cast<int>(expected.result);
  finish(expected, question, parts_.events.read(signal.siginfo.data(), signal.siginfo.size()));
  return true;
}

/// A signal at the tick we are at comes at a system call or a fault that the program itself reaches
/// before it ticks again, so only a later tick needs a stop.
u64 ReplayHost::stop_at_tick() {
  const EventHeader* header = next();
  if (header == nullptr || header->kind != EventKind::signal || header->task != instant_.task) return ~u64{0};
  return header->ticks > instant_.ticks ? header->ticks : ~u64{0};
}

void ReplayHost::exit(int status, int fatal_signal) {
  const Question question{.kind = EventKind::exit};
  const i64 result = fatal_signal != 0 ? kExitBySignal | fatal_signal : status;
  const EventHeader* header = next();
  if (header != nullptr && header->kind == EventKind::exit && header->result != result)
    differ(Difference::status, *header, question, result);
  const EventHeader event = expect(question);
  trace::ResourceUsage used;  // the recorded process's, if there was somebody to ask
  finish(event, question, event.payload_bytes == 0 || parts_.events.read(&used, sizeof used));
  parts_.end.finished(status, fatal_signal);
}

void ReplayHost::leave(const host::NextProgram& program) {
  const Question question{.kind = EventKind::exit};
  const EventHeader* header = next();
  if (header != nullptr && header->kind == EventKind::exit && header->result != trace::kExitToNative)
    differ(Difference::status, *header, question, trace::kExitToNative);
  const EventHeader event = expect(question);
  finish(event, question, read_same(program.words));
  parts_.end.finished(0, 0);
}

// --- processes ---

/// The child is its parent's copy here too, and goes on from its own events. Where the recording says 0, the
/// events that follow are the child's: whoever feeds them wants to go down that way.
i64 ReplayHost::fork(host::ForkRequest& request) {
  const Question question{.kind = EventKind::fork, .hash = host::request_hash(request)};
  const EventHeader event = expect(question);
  trace::ForkedProcess forked;
  finish(event, question, event.result < 0 || parts_.events.read(&forked, sizeof forked));
  if (event.result < 0) return event.result;
  request.pidfd = forked.pidfd;
  if (event.result == 0) {
    parts_.events.begin_process(false);
    begin_child(forked.process, request);
    return 0;
  }
  if (!parts_.all_processes) return event.result;
  parts_.order.expect_child(forked.process, event.time_ns);
  if (host::raw_syscall(__NR_clone, SIGCHLD, 0, 0, 0, 0) != 0) return event.result;
  parts_.order.become(forked.process);
  if (!parts_.family.join(forked.process)) differ(Difference::refused, event, question);
  parts_.events.begin_process(true);
  begin_child(forked.process, request);
  return 0;
}

void ReplayHost::begin_child(u32 process, host::ForkRequest& request) {
  const Question question{.kind = EventKind::start};
  const EventHeader* header = next();
  if (header == nullptr) end_of_trace();
  const EventHeader event = *header;
  instant_.task = event.task;
  expect(question);
  trace::ProcessStart start;
  const bool good = parts_.events.read(&start, sizeof start) && start.process == process &&
                    start.parent_process == process_ && start.pid == event.task;
  finish(event, question, good);
  process_ = process;
  request.pid = start.pid;
}

void ReplayHost::take_back(std::vector<u8>& changes) {
  const Question question{.kind = EventKind::memory_change};
  const EventHeader event = expect(question);
  // Only as much memory as there are bytes: the count is the recording's.
  std::array<u8, 4096> piece;
  for (u64 left = static_cast<u64>(event.result); left > 0;) {
    const u64 now = std::min<u64>(piece.size(), left);
    if (!parts_.events.read(piece.data(), now)) return finish(event, question, false);
    changes.insert(changes.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(now));
    left -= now;
  }
  finish(event, question, true);
}

/// All that others did to shared memory before has been done when they have come to later events.
void ReplayHost::take_turn() {
  const Question question{.kind = EventKind::turn};
  const EventHeader event = expect(question);
  finish(event, question, true);
  parts_.order.take_turn(event.time_ns);
}

/// It was passed on if a turn of its own begins here.
void ReplayHost::pass_turn() {
  const EventHeader* header = next();
  if (header == nullptr || header->kind != EventKind::turn || header->task != instant_.task) return;
  if (header->ticks != instant_.ticks || header->pc != instant_.pc) return;
  parts_.order.give_turn();
  take_turn();
}

bool ReplayHost::meets_others(int, bool) { return meets(0); }

bool ReplayHost::meets(u16 detail) {
  const Question question{.kind = EventKind::meeting, .detail = detail};
  const EventHeader event = expect(question);
  finish(event, question, true);
  return event.result != 0;
}

/// mmap asks by itself.
bool ReplayHost::changes_others_file(u64 number, const std::array<u64, 6>&) {
  const EventHeader* header = next();
  return header != nullptr && header->kind == EventKind::meeting && header->detail == 0 &&
         number != __NR_mmap && header->task == instant_.task && header->ticks == instant_.ticks &&
         header->pc == instant_.pc;
}

bool ReplayHost::changed_others_file(u64, const std::array<u64, 6>&) {
  const EventHeader* header = next();
  return header != nullptr && header->kind == EventKind::meeting && header->detail == trace::kLateMeeting;
}

bool ReplayHost::meets_by_change(u64, const std::array<u64, 6>&, bool late) {
  has_live_files_ = true;
  return meets(late ? trace::kLateMeeting : 0);
}

bool ReplayHost::is_machines_file(int) {
  const Question question{.kind = EventKind::meeting, .detail = 1};
  const EventHeader event = expect(question);
  finish(event, question, true);
  return event.result != 0;
}

void ReplayHost::executed(std::span<const u8> words) {
  const Question question{.kind = EventKind::exec, .hash = xxh64(words, 0)};
  const EventHeader event = expect(question);
  finish(event, question, read_same(words));
}

/// The payload is these bytes.
bool ReplayHost::read_same(std::span<const u8> words) {
  for (const u8 word : words) {
    u8 recorded = 0;
    if (!parts_.events.read(&recorded, 1) || recorded != word) return false;
  }
  return true;
}

u64 ReplayHost::next_event() const { return parts_.events.next_number(); }

// --- memory: performed for real ---

/// Only failures were recorded; one that was is repeated without doing anything.
bool ReplayHost::known_failure(MemoryOperation operation, u64 hash, i64& result) {
  const EventHeader* header = next();
  if (header == nullptr || header->kind != EventKind::memory) return false;
  if (header->detail != static_cast<u16>(operation) || header->request_hash != hash) return false;
  if (header->ticks != instant_.ticks || header->pc != instant_.pc) return false;
  result = header->result;
  parts_.events.take();
  return true;
}

i64 ReplayHost::map(const memory::MapRequest& request) {
  if (sink_ != nullptr) sink_->pages_gone(request.address, request.size_bytes);
  if (request.fd >= 0 && (request.flags & MAP_ANONYMOUS) == 0) return map_file(request);
  i64 result = 0;
  if (known_failure(MemoryOperation::map, host::request_hash(request), result)) return result;
  result = host::map_memory(request, -1, 0);
  if (result >= 0) note_unmapped(request.address, request.size_bytes);
  return result;
}

void ReplayHost::note_unmapped(u64 address, u64 size_bytes) {
  if (live_mappings_.empty()) return;
  live_mappings_.remove(address, size_bytes);
  close_unmapped();
}

/// The recorder, too, takes them for other files when they are mapped again.
void ReplayHost::close_unmapped() {
  live_mappings_.take_unmapped([&](u32 file_number) { parts_.files.close_scratch(file_number); });
}

i64 ReplayHost::map_file(const memory::MapRequest& request) {
  const Question question{EventKind::map, static_cast<u16>(MemoryOperation::map),
                          host::request_hash(request)};
  const EventHeader event = expect(question);
  if (event.result < 0) {
    finish(event, question, true);
    return event.result;
  }
  trace::FileReference reference;
  const bool complete = parts_.events.read(&reference, sizeof reference);
  std::array<char, 4096> path;  // read over: replays do not show paths
  const u64 path_bytes = event.payload_bytes - std::min<u64>(event.payload_bytes, sizeof reference);
  finish(event, question,
         complete && path_bytes <= path.size() && parts_.events.read(path.data(), path_bytes));
  const bool writable = (reference.flags & trace::kLiveFile) != 0;
  has_live_files_ |= writable;
  if (reference.file_number == trace::kZeroPages) {
    memory::MapRequest zeros = request;
    zeros.flags |= MAP_ANONYMOUS;
    note_unmapped(request.address, request.size_bytes);
    return host::map_memory(zeros, -1, 0);
  }
  const i64 fd = parts_.files.open(reference.file_number, reference.size_bytes, writable);
  if (fd < 0) {
    HostCall file;
    file.args[0] = reference.file_number;
    differ(Difference::kept_file, event, {.kind = EventKind::map, .call = &file});
  }
  memory::MapRequest real = request;
  if (!writable) real.flags = (request.flags & ~MAP_SHARED) | MAP_PRIVATE;
  const i64 mapped = host::map_memory(real, static_cast<int>(fd), request.offset);
  if (mapped < 0) differ(Difference::refused, event, question);
  if (writable)
    live_mappings_.add(request.address, request.size_bytes, reference.file_number);
  else
    live_mappings_.remove(request.address, request.size_bytes);
  close_unmapped();
  return mapped;
}

i64 ReplayHost::unmap(u64 address, u64 size_bytes) {
  const u64 request[] = {address, size_bytes};
  i64 result = 0;
  if (known_failure(MemoryOperation::unmap, host::hash_words(request), result)) return result;
  if (sink_ != nullptr) sink_->pages_gone(address, size_bytes);
  result = host::unmap_memory(address, size_bytes);
  if (result >= 0) note_unmapped(address, size_bytes);
  return result;
}

i64 ReplayHost::protect(u64 address, u64 size_bytes, int protection) {
  const u64 request[] = {address, size_bytes, static_cast<u64>(protection)};
  i64 result = 0;
  if (known_failure(MemoryOperation::protect, host::hash_words(request), result)) return result;
  return host::protect_memory(address, size_bytes, protection);
}

i64 ReplayHost::move(u64 from, u64 from_bytes, u64 to, u64 to_bytes) {
  const u64 request[] = {from, from_bytes, to, to_bytes};
  i64 result = 0;
  if (known_failure(MemoryOperation::move, host::hash_words(request), result)) return result;
  if (sink_ != nullptr) sink_->pages_moved(from, from_bytes, to);
  result = host::move_memory(from, from_bytes, to, to_bytes);
  if (result >= 0 && !live_mappings_.empty()) {
    live_mappings_.move(from, from_bytes, to, to_bytes);
    close_unmapped();
  }
  return result;
}

i64 ReplayHost::discard(u64 address, u64 size_bytes) {
  const u64 request[] = {address, size_bytes};
  i64 result = 0;
  if (known_failure(MemoryOperation::discard, host::hash_words(request), result)) return result;
  if (sink_ != nullptr) sink_->pages_gone(address, size_bytes);
  return host::discard_memory(address, size_bytes);
}

}  // namespace orrery::replay
