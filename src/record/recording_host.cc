#include "record/recording_host.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "host/blocking.h"
#include "host/raw_syscall.h"
#include "host/request.h"

namespace orrery::record {

using host::ExtentWalk;
using host::HostCall;
using host::MemoryOperation;
using host::OutRange;
using trace::EventKind;

namespace {

u32 length_at(const OutRange& range) {
  u32 length = 0;
  if (range.extent == host::Extent::length_word)
    std::memcpy(&length, reinterpret_cast<void*>(range.length_at), 4);
  return length;
}

u64 payload_bytes(const HostCall& call, i64 result) {
  ExtentWalk walk(result);
  u64 bytes = 0;
  for (const OutRange& range : call.out.items())
    bytes += walk.bytes_of(range, length_at(range)) +
             (host::carries_length(range, result) ? sizeof(host::LengthWord) : 0);
  return bytes;
}

constexpr i64 kExitBySignal = 0x100;

/// A descriptor of the file, or -1. The guest's own may be for writing only.
int open_to_read(const LiveFiles::Place& place) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  if (*place.path != 0)
    return static_cast<int>(host::raw_syscall(__NR_openat, place.directory, place.path, kFlags));
  Text name;
  name.add("/proc/self/fd/").integer(place.directory).character(0);
  return static_cast<int>(host::raw_syscall(__NR_openat, AT_FDCWD, name.view().data(), kFlags));
}

void tell_kept(const trace::FileReference& reference, trace::SharedFile& file) {
  file.file_number = reference.file_number;
  file.size_bytes = reference.size_bytes;
  file.mtime_ns = reference.mtime_ns;
  __atomic_store_n(&file.kept, 1, __ATOMIC_RELEASE);
}

/// A call that only has effects outside is dated by its beginning, and one that brings something in by its
/// end: so by their times a write to a pipe comes before the read that another process saw it with.
bool tells_others(const HostCall& call) {
  return call.out.items().empty() && (!call.in.items().empty() || !host::can_block(call.number));
}

}  // namespace

void RecordingHost::at(const host::Instant& instant) {
  instant_ = instant;
  parts_.inner.at(instant);
}

i64 RecordingHost::call(HostCall& call) {
  if (!parts_.writer.alive()) [[unlikely]]
    return parts_.inner.call(call);
  const u64 hash = host::request_hash(call);
  const bool by_beginning = tells_others(call), may_wait = host::can_block(call.number);
  const u64 began_ns = by_beginning || may_wait ? parts_.writer.now_ns() : 0;
  const i64 result = parts_.inner.call(call);
  const u64 took_ns = began_ns != 0 ? parts_.writer.now_ns() - began_ns : 0;  // fsync too: the disk's time
  u64 waited_ns = took_ns >= trace::EventHeader::kWaitLeastNs ? took_ns : 0;
  if (by_beginning && waited_ns != 0) waited_ns |= trace::EventHeader::kDatedByBeginning;
  write_answer(call, {hash, result, by_beginning ? began_ns : 0, waited_ns});
  if (live_files_.may_change(call.number)) [[unlikely]]
    write_changes(call, result);
  if (live_files_.has_frozen()) say_thawed(live_files_.take_thawed(call, result));
  return result;
}

void RecordingHost::say_thawed(const std::vector<char>& path) {
  if (path.empty()) return;
  constexpr std::string_view kWords =
      " is mapped and now opened for writing: the mapping goes on showing what was there before";
  std::vector<char> line = path;
  line.insert(line.end(), kWords.begin(), kWords.end());
  parts_.report.line({line.data(), line.size()});
}

void RecordingHost::write_answer(const HostCall& call, const Answer& answer) {
  EventWriter& writer = parts_.writer;
  const i64 result = answer.result;
  const EventWriter::Event event{.kind = EventKind::syscall,
                                 .detail = static_cast<u16>(call.number),
                                 .request_hash = answer.hash,
                                 .result = result,
                                 .time_ns = answer.time_ns,
                                 .waited_ns = answer.waited_ns};
  if (!writer.begin(instant_, event, payload_bytes(call, result))) return check_writer();
  ExtentWalk walk(result);
  for (const OutRange& range : call.out.items()) {
    const host::LengthWord length = length_at(range);
    if (host::carries_length(range, result)) writer.put(&length, sizeof length);
    writer.put(reinterpret_cast<const void*>(range.address), walk.bytes_of(range, length));
  }
  writer.end();
}

/// The writer process has gone: the guest goes on unrecorded, and this is said once, by the writer if it
/// could.
void RecordingHost::check_writer() {
  if (parts_.writer.alive() || complained_) return;
  complained_ = true;
  if (parts_.writer.closed_by_peer()) return;
  parts_.report.line("recording ends here: its writer is gone; the program runs on");
}

u64 RecordingHost::read_tsc() {
  const u64 value = parts_.inner.read_tsc();
  parts_.writer.write(instant_, {.kind = EventKind::tsc, .result = static_cast<i64>(value)});
  check_writer();
  return value;
}

u32 RecordingHost::current_cpu() {
  const u32 number = parts_.inner.current_cpu();
  parts_.writer.write(instant_, {.kind = EventKind::cpu_number, .result = number});
  check_writer();
  return number;
}

void RecordingHost::random_bytes(std::span<u8> out) {
  parts_.inner.random_bytes(out);
  parts_.writer.write(instant_, {.kind = EventKind::random, .result = static_cast<i64>(out.size())}, out);
  check_writer();
}

bool RecordingHost::next_signal(host::HostSignal& signal) {
  if (!parts_.inner.next_signal(signal)) return false;
  parts_.writer.write(instant_, {.kind = EventKind::signal, .detail = look_, .result = signal.number},
                      signal.siginfo);
  check_writer();
  // Not before: what the other does from then on has a later time than our event.
  if (signal.number == host::kMemoryShared) parts_.live->shared_files().acknowledge();
  return true;
}

void RecordingHost::exit(int status, int fatal_signal) {
  const i64 result = fatal_signal != 0 ? kExitBySignal | fatal_signal : status;
  if (parts_.live != nullptr) parts_.live->shared_files().leave();
  const trace::ResourceUsage usage = parts_.inner.usage();
  const bool known = usage.peak_bytes != 0;
  parts_.writer.write(instant_, {.kind = EventKind::exit, .result = result},
                      {reinterpret_cast<const u8*>(&usage), known ? sizeof usage : 0});
  parts_.writer.close();
  parts_.inner.exit(status, fatal_signal);
}

// --- memory ---

i64 RecordingHost::map(const memory::MapRequest& request) {
  if (request.fd >= 0 && (request.flags & MAP_ANONYMOUS) == 0) return map_file(request);
  const i64 result = parts_.inner.map(request);
  if (result >= 0) {
    note_unmapped(request.address, request.size_bytes);
  } else {
    parts_.writer.write(instant_, {EventKind::memory, static_cast<u16>(MemoryOperation::map),
                                   host::request_hash(request), result});
    check_writer();
  }
  return result;
}

bool RecordingHost::meets_others(int fd, bool writable) { return meets(fd, writable, 0); }

bool RecordingHost::meets(int fd, bool writable, u16 detail) {
  if (!parts_.writer.alive() || parts_.live == nullptr) return false;
  host::SharedFiles& files = parts_.live->shared_files();
  trace::SharedFile* met = nullptr;
  if (files.find(fd) == nullptr) {
    parts_.live->take_turn();
    met = files.enter(fd, writable);
    parts_.live->give_turn();
  }
  const bool with_others = met != nullptr && !parts_.serial && !files.is_first(*met);
  if (met != nullptr && !parts_.serial) parts_.live->expect_others();
  // Before others hear of it: what they do then comes later in a replay too.
  parts_.writer.write(instant_, {.kind = EventKind::meeting, .detail = detail, .result = with_others});
  check_writer();
  if (with_others) {
    files.acknowledge();  // no guest code runs here before it has its turn; two may wait for each other
    files.wait_for_others(*met);
  }
  return with_others;
}

/// Another process may have made its copy of the file before all was written.
bool RecordingHost::changed_others_file(u64 number, const std::array<u64, 6>& args) {
  if (parts_.live == nullptr || !parts_.live->shared_files().any()) return false;
  const auto target = LiveFiles::place_of_target(number, args);
  if (!target || *target->path != 0 || !parts_.writer.alive()) return false;
  const host::SharedFiles& files = parts_.live->shared_files();
  const trace::SharedFile* const file = files.look_up(target->directory, "");
  return file != nullptr && !files.has_entered(*file) && files.wait_until_kept(*file);
}

void RecordingHost::tell_late_change(u64 number, const std::array<u64, 6>& args, i64 result) {
  HostCall call;
  call.number = static_cast<u32>(number);
  call.args = args;
  write_changes(call, result);
}

bool RecordingHost::changes_others_file(u64 number, const std::array<u64, 6>& args) {
  if (parts_.live == nullptr || !parts_.live->shared_files().any()) return false;
  const auto target = LiveFiles::place_of_target(number, args);
  if (!target || !parts_.writer.alive()) return false;
  const host::SharedFiles& files = parts_.live->shared_files();
  const trace::SharedFile* const file = files.look_up(target->directory, target->path);
  if (file == nullptr) return false;
  // Who has entered need not have mapped it: its mmap may have been refused.
  return !files.has_entered(*file) || (file->kept != 0 && !live_files_.has(file->file_number));
}

bool RecordingHost::meets_by_change(u64 number, const std::array<u64, 6>& args, bool late) {
  const auto target = LiveFiles::place_of_target(number, args).value_or(LiveFiles::Place{});
  const int readable = open_to_read(target);
  const int fd = *target.path == 0 ? target.directory : readable;
  const bool with_others = meets(fd, false, late ? trace::kLateMeeting : 0);
  const trace::SharedFile* const file = shared_file(fd);
  const bool is_known = readable >= 0 && file != nullptr && file->kept != 0 &&
                        (live_files_.has(file->file_number) ||
                         live_files_.add_shared(readable, *file, parts_.live->own_fd_least()) != nullptr);
  if (readable >= 0) host::raw_syscall(__NR_close, readable);
  if (!is_known)
    parts_.report.line(
        "a file that other processes map is changed and cannot be read: a replay will not show them the "
        "change");
  return with_others;
}

void RecordingHost::vouch_for(int fd) {
  if (parts_.live != nullptr) parts_.live->shared_files().vouch_for(fd);
}

bool RecordingHost::is_machines_file(int fd) {
  const bool answer = parts_.live != nullptr && parts_.live->shared_files().is_machines(fd);
  parts_.writer.write(instant_, {.kind = EventKind::meeting, .detail = 1, .result = answer});
  check_writer();
  return answer;
}

trace::SharedFile* RecordingHost::shared_file(int fd) const {
  return parts_.live != nullptr ? parts_.live->shared_files().find(fd) : nullptr;
}

/// A file that the guest may write is mapped itself, so that all who look at it agree (live_files.h).
/// Everything else is mapped from the kept copy, which cannot change.
i64 RecordingHost::map_kept_or_live(const memory::MapRequest& request, KeptFile& kept) {
  const LiveFile* live = live_files_.find(request.fd);
  const bool shared = (request.flags & MAP_SHARED) != 0;
  trace::SharedFile* const in_common = shared ? shared_file(request.fd) : nullptr;
  if (live == nullptr && in_common != nullptr && in_common->kept != 0) {
    live = live_files_.add_shared(request.fd, *in_common, parts_.live->own_fd_least());
  } else if (live == nullptr) {
    if (const i64 error = parts_.files.keep(request.fd, kept); error < 0) return error;
    if (kept.reference.file_number == trace::kZeroPages) {
      memory::MapRequest zeros = request;
      zeros.fd = -1;
      zeros.flags |= MAP_ANONYMOUS;
      return parts_.inner.map(zeros);
    }
    if (in_common != nullptr) {
      tell_kept(kept.reference, *in_common);
      live = live_files_.add_shared(request.fd, *in_common, parts_.live->own_fd_least());
    } else {
      live = live_files_.add_if_writable(request.fd, kept.reference, kept.path, kept.fd);
    }
  }
  if (live != nullptr) {
    kept.reference = live->reference;
    kept.path = {live->path.data(), live->path.size()};
    return parts_.inner.map(request);
  }
  if (shared) live_files_.add_frozen(request.fd, kept.path);
  memory::MapRequest copy = request;
  copy.fd = kept.fd;
  copy.flags = (request.flags & ~MAP_SHARED) | MAP_PRIVATE;
  return parts_.inner.map(copy);
}

void RecordingHost::write_changes(const HostCall& call, i64 result) {
  live_files_.for_each_change(call, result, [&](const LiveFile& file, const trace::FileChange& change) {
    write_change(file, change);
  });
}

void RecordingHost::write_change(const LiveFile& file, const trace::FileChange& change) {
  const EventWriter::Event event{.kind = EventKind::file_change, .result = file.reference.file_number};
  if (!parts_.writer.begin(instant_, event, sizeof change + change.count)) return check_writer();
  parts_.writer.put(&change, sizeof change);
  u8 bytes[16384];
  for (u64 done = 0; done < change.count;) {
    const u64 wanted = std::min<u64>(sizeof bytes, change.count - done);
    const i64 got = host::raw_syscall(__NR_pread64, file.fd, bytes, wanted, change.offset + done);
    const u64 have = got > 0 ? static_cast<u64>(got) : 0;
    std::memset(bytes + have, 0, wanted - have);  // shortened meanwhile
    parts_.writer.put(bytes, wanted);
    done += wanted;
  }
  parts_.writer.end();
}

i64 RecordingHost::map_file(const memory::MapRequest& request) {
  if (!parts_.writer.alive()) return parts_.inner.map(request);
  KeptFile kept;
  const i64 result = map_kept_or_live(request, kept);
  const EventWriter::Event event{EventKind::map, static_cast<u16>(MemoryOperation::map),
                                 host::request_hash(request), result};
  const u64 bytes = result >= 0 ? sizeof kept.reference + kept.path.size() : 0;
  if (parts_.writer.begin(instant_, event, bytes)) {
    if (result >= 0) {
      parts_.writer.put(&kept.reference, sizeof kept.reference);
      parts_.writer.put(kept.path.data(), kept.path.size());
    }
    parts_.writer.end();
  }
  check_writer();
  if (result >= 0) {
    if ((kept.reference.flags & trace::kLiveFile) != 0)
      live_mappings_.add(request.address, request.size_bytes, kept.reference.file_number);
    else
      live_mappings_.remove(request.address, request.size_bytes);
    leave_unmapped();
  }
  return result;
}

void RecordingHost::note_unmapped(u64 address, u64 size_bytes) {
  if (live_mappings_.empty()) return;
  live_mappings_.remove(address, size_bytes);
  leave_unmapped();
}

/// A file whose last mapping has gone is not live any more: what is done to it is not recorded, and if it is
/// mapped again another copy is kept.
void RecordingHost::leave_unmapped() {
  live_mappings_.take_unmapped([&](u32 file_number) {
    const LiveFile* const file = live_files_.of_number(file_number);
    if (file == nullptr) return;
    if (parts_.live != nullptr) {
      const bool has_turn = parts_.live->has_turn();
      if (!has_turn) parts_.live->take_turn();
      parts_.live->shared_files().leave_unmapped(file->fd);
      if (!has_turn) parts_.live->give_turn();
    }
    parts_.files.forget(file->reference);
    live_files_.forget(file_number);
  });
}

i64 RecordingHost::note_failure(MemoryOperation operation, std::span<const u64> request, i64 result) {
  if (result >= 0) return result;
  parts_.writer.write(instant_,
                      {EventKind::memory, static_cast<u16>(operation), host::hash_words(request), result});
  check_writer();
  return result;
}

i64 RecordingHost::unmap(u64 address, u64 size_bytes) {
  const u64 request[] = {address, size_bytes};
  const i64 result = parts_.inner.unmap(address, size_bytes);
  if (result >= 0) note_unmapped(address, size_bytes);
  return note_failure(MemoryOperation::unmap, request, result);
}

i64 RecordingHost::protect(u64 address, u64 size_bytes, int protection) {
  const u64 request[] = {address, size_bytes, static_cast<u64>(protection)};
  return note_failure(MemoryOperation::protect, request,
                      parts_.inner.protect(address, size_bytes, protection));
}

i64 RecordingHost::move(u64 from, u64 from_bytes, u64 to, u64 to_bytes) {
  const u64 request[] = {from, from_bytes, to, to_bytes};
  const i64 result = parts_.inner.move(from, from_bytes, to, to_bytes);
  if (result >= 0 && !live_mappings_.empty()) {
    live_mappings_.move(from, from_bytes, to, to_bytes);
    leave_unmapped();
  }
  return note_failure(MemoryOperation::move, request, result);
}

i64 RecordingHost::discard(u64 address, u64 size_bytes) {
  const u64 request[] = {address, size_bytes};
  return note_failure(MemoryOperation::discard, request, parts_.inner.discard(address, size_bytes));
}

}  // namespace orrery::record
