#include "lens/replay_session.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "cpu/registers.h"
#include "memory/address_space.h"
#include "trace/family_message.h"
#include "translate/heap_watch.h"

namespace orrery::lens {

using machine::ControlOp;
using machine::ControlRegion;
using machine::ControlReply;
using machine::ControlRequest;

namespace {

/// What /proc/PID/maps calls memory without a file.
const char* name_of(memory::RegionKind kind) {
  switch (kind) {
    case memory::RegionKind::heap:
      return "[heap]";
    case memory::RegionKind::stack:
      return "[stack]";
    case memory::RegionKind::vdso:
      return "[vdso]";
    case memory::RegionKind::anonymous:
    case memory::RegionKind::file:
      break;
  }
  return "";
}

/// Adds the rows that a reply consists of; returns how many came.
template <class Row>
std::size_t append_payload(std::vector<Row>& rows, const ControlReply& reply, const u8* payload) {
  const std::size_t before = rows.size(), count = reply.payload_bytes / sizeof(Row);
  rows.resize(before + count);
  std::memcpy(static_cast<void*>(rows.data() + before), payload, count * sizeof(Row));
  return count;
}

}  // namespace

Result<std::unique_ptr<ReplaySession>> ReplaySession::attach(int control_fd, SessionFiles files) {
  std::unique_ptr<ReplaySession> session(new ReplaySession(control_fd, std::move(files)));
  TRY(session->ask({.op = ControlOp::hello}));
  if (session->packet_->reply.value != machine::kControlVersion) {
    return Error{"the replaying engine speaks another version of the control protocol"};
  }
  session->note_stop();
  return session;
}

void ReplaySession::cut_off() { shutdown(control_fd_, SHUT_RDWR); }

void ReplaySession::let_go() {
  const ControlRequest request{.op = ControlOp::run, .argument = ~u64{0}};
  send(control_fd_, &request, sizeof request, MSG_NOSIGNAL);
  close(control_fd_);
  control_fd_ = -1;
}

ReplaySession::~ReplaySession() {
  if (control_fd_ < 0) return;
  const ControlRequest request{.op = ControlOp::quit};
  send(control_fd_, &request, sizeof request, MSG_NOSIGNAL);
  close(control_fd_);
}

/// One request and its reply, which lies in packet_ then.
Status ReplaySession::ask(ControlRequest request, std::span<const u64> addresses, int fd) {
  TRY(send_request(request, addresses, fd));
  return receive_reply();
}

Status ReplaySession::send_request(ControlRequest request, std::span<const u64> addresses, int fd) {
  request.size_bytes = addresses.empty() ? request.size_bytes : static_cast<u32>(addresses.size_bytes());
  iovec parts[] = {{&request, sizeof request}, {const_cast<u64*>(addresses.data()), addresses.size_bytes()}};
  trace::FamilyMessage message(&request, sizeof request);
  message.header().msg_iov = parts;
  message.header().msg_iovlen = addresses.empty() ? 1 : 2;
  message.put({&fd, fd >= 0 ? std::size_t{1} : std::size_t{0}});
  if (sendmsg(control_fd_, &message.header(), MSG_NOSIGNAL) < 0)
    return Error{"cannot reach the replaying engine", errno};
  return Nothing{};
}

Status ReplaySession::receive_reply() {
  const auto receive_with = [&](int flags) {
    return recv(control_fd_, packet_.get(), sizeof *packet_, flags);
  };
  i64 got = looks_([&] { return receive_with(MSG_DONTWAIT); });
  if (got < 0) do
      got = receive_with(0);
    while (got < 0 && errno == EINTR);
  if (got < static_cast<ssize_t>(sizeof(ControlReply))) return Error{"the replaying engine has gone"};
  if (packet_->reply.payload_bytes != static_cast<u64>(got) - sizeof(ControlReply)) {
    return Error{"the replaying engine sent a reply of the wrong size"};
  }
  if (packet_->reply.error != 0) {
    return Error{"the replaying engine refused a request", static_cast<int>(packet_->reply.error)};
  }
  return Nothing{};
}

Result<Stop> ReplaySession::run_before(u64 event) { return run({.op = ControlOp::run, .argument = event}); }

Result<Stop> ReplaySession::collect_before(u64 event, std::vector<machine::ControlHit>& hits, u64 most) {
  const u64 collect = std::clamp<u64>(most, 1, machine::kHitsMost);
  return run({.op = ControlOp::run, .argument = event, .collect = static_cast<u32>(collect)}, &hits);
}

/// The engine goes on while the notes of its schedule are read.
Result<Stop> ReplaySession::run(ControlRequest request, std::vector<machine::ControlHit>* hits) {
  forget();
  TRY(send_request(request));
  catch_up();
  for (;;) {
    TRY(receive_stop(request, hits));
    if (packet_->reply.breakpoints == 0) breakpoints_.clear();  // the program has been replaced
    note_stop();
    if (hits == nullptr) keep_registers();
    const bool goes_on = stop_.reason == machine::StopReason::schedule_full;
    if (packet_->reply.schedule_notes != 0) TRY(fetch_schedule());
    if (goes_on) TRY(send_request(request));
    if (!schedule_.empty()) schedule_consumer_(schedule_);
    schedule_.clear();
    if (!goes_on) return stop_;
  }
}

/// Of a run that has been asked for. The engine goes on into one half of the notes while the other is read.
Status ReplaySession::receive_stop(ControlRequest& request, std::vector<machine::ControlHit>* hits) {
  TRY(receive_reply());
  for (;;) {
    const ControlReply& reply = packet_->reply;
    if (hits != nullptr) request.collect -= static_cast<u32>(append_payload(*hits, reply, packet_->payload));
    if (reply.notes_lost != 0) return Error{"a system call made more accesses than can be noted"};
    if (reply.access_points > access_points_.size() && access_consumer_)
      TRY(keep_packet_while(&ReplaySession::learn_access_points));
    if (reply.counts_full != 0) TRY(keep_packet_while(&ReplaySession::learn_counts));
    const u32 half = reply.notes_half;
    const u64 words = reply.notes_words;
    const bool goes_on = reply.stop == machine::StopReason::notes_full;
    if (goes_on) TRY(send_request(request));
    if (goes_on || call_consumers_.empty() || Stop{.reason = reply.stop}.ended())
      consume(half, words);
    else
      unread_ = {half, words};
    if (!goes_on) return Nothing{};
    unread_ = {};
    notes_half_ = half ^ 1;
    notes_read_ = 0;
    TRY(receive_reply());
  }
}

Status ReplaySession::keep_packet_while(Status (ReplaySession::*ask)()) {
  const auto kept = std::make_unique<Packet>(*packet_);
  TRY((this->*ask)());
  *packet_ = *kept;
  return Nothing{};
}

// --- notes ---

void ReplaySession::Unmap::operator()(const u64* notes) const {
  munmap(const_cast<u64*>(notes), machine::kNotesFileBytes);
}

Status ReplaySession::note(machine::Notes wanted, bool inherits) {
  const int file = memfd_create("orrery-notes", MFD_CLOEXEC);
  if (file < 0) return Error{"making room for notes", errno};
  void* mapped = MAP_FAILED;
  if (ftruncate(file, static_cast<off_t>(machine::kNotesFileBytes)) == 0)
    mapped = mmap(nullptr, machine::kNotesFileBytes, PROT_READ, MAP_SHARED, file, 0);
  const int error = errno;
  Status asked =
      mapped == MAP_FAILED
          ? Status(Error{"making room for notes", error})
          : ask({.op = ControlOp::note, .argument = static_cast<u64>(wanted), .collect = inherits ? 1u : 0u},
                {}, file);
  close(file);
  if (mapped != MAP_FAILED) notes_.reset(static_cast<const u64*>(mapped));
  notes_half_ = 0;
  notes_read_ = 0;
  return asked;
}

void ReplaySession::catch_up() {
  const Unread unread = std::exchange(unread_, {});
  consume(unread.half, unread.words);
}

/// What was not yet read of the half, which has so many words.
void ReplaySession::consume(u32 half, u64 words) {
  if (!notes_ || half != notes_half_ || words <= notes_read_) return;
  const std::span<const u64> records(
      notes_.get() + half * machine::kNotesHalfBytes / sizeof(u64) + notes_read_, words - notes_read_);
  notes_read_ = words;
  if (access_consumer_) access_consumer_(records, access_points_);
  for (const CallConsumer& each : call_consumers_) each(records);
  if (!profile_consumer_) return;
  static_assert(alignof(translate::ProfileNote) == alignof(u64));
  profile_consumer_({reinterpret_cast<const translate::ProfileNote*>(records.data()),
                     records.size() / translate::kProfileNoteWords});
}

Status ReplaySession::note_accesses(AccessConsumer consumer) {
  return note_accesses_as(machine::Notes::accesses, std::move(consumer));
}

Status ReplaySession::note_accesses_and_entries(AccessConsumer consumer) {
  return note_accesses_as(machine::Notes::accesses_and_entries, std::move(consumer));
}

Status ReplaySession::note_suspects(AccessConsumer consumer, bool inherits) {
  return note_accesses_as(machine::Notes::suspects, std::move(consumer), inherits);
}

Status ReplaySession::note_undefined(AccessConsumer consumer, bool inherits) {
  return note_accesses_as(machine::Notes::undefined, std::move(consumer), inherits);
}

Status ReplaySession::watch_allocators(std::span<const translate::AllocatorEntry> functions) {
  if (functions.empty()) return Nothing{};
  return ask({.op = ControlOp::watch_allocators},
             {reinterpret_cast<const u64*>(functions.data()), functions.size_bytes() / sizeof(u64)});
}

Status ReplaySession::mark_heap_code(machine::HeapCode kind, memory::layout::Range code) {
  return ask({.op = ControlOp::mark_heap_code, .argument = static_cast<u64>(kind)},
             std::array{code.start, code.end});
}

Status ReplaySession::hold_memory(i32 task, memory::layout::Range memory) {
  return ask({.op = ControlOp::hold_memory, .argument = 1, .task = task},
             std::array{memory.start, memory.end});
}

Status ReplaySession::let_go_memory(memory::layout::Range memory) {
  return ask({.op = ControlOp::hold_memory}, std::array{memory.start, memory.end});
}

Status ReplaySession::note_accesses_as(machine::Notes wanted, AccessConsumer consumer, bool inherits) {
  TRY(note(wanted, inherits));
  access_consumer_ = std::move(consumer);
  access_points_.clear();
  return Nothing{};
}

Status ReplaySession::note_calls(CallConsumer consumer) {
  if (call_consumers_.empty()) TRY(note(machine::Notes::calls));
  call_consumers_.push_back(std::move(consumer));
  return Nothing{};
}

Status ReplaySession::note_profile(ProfileConsumer consumer) {
  TRY(note(machine::Notes::profile));
  profile_consumer_ = std::move(consumer);
  counts_.clear();
  return Nothing{};
}

/// Adds what was counted since the last time, which the engine forgets.
Status ReplaySession::learn_counts() {
  for (u64 row = 0;;) {
    TRY(ask({.op = ControlOp::take_counts, .argument = row}));
    if (append_payload(counts_, packet_->reply, packet_->payload) == 0) break;
    row = packet_->reply.value;
  }
  return ask({.op = ControlOp::take_counts, .argument = ~u64{0}});
}

Result<std::vector<translate::StretchCount>> ReplaySession::take_counts() {
  TRY(learn_counts());
  return std::exchange(counts_, {});
}

Status ReplaySession::note_watched_calls(CallConsumer consumer) {
  if (call_consumers_.empty()) TRY(note(machine::Notes::watched_calls));
  call_consumers_.push_back(std::move(consumer));
  return Nothing{};
}

Status ReplaySession::watch_functions(std::span<const u64> functions) {
  return ask_with_addresses(ControlOp::watch_functions, functions);
}

Status ReplaySession::note_schedule(std::span<const u64> stop_calls, u32 how, ScheduleConsumer consumer) {
  schedule_consumer_ = std::move(consumer);
  return ask({.op = ControlOp::note_schedule, .argument = machine::kScheduleNotes | how}, stop_calls);
}

Status ReplaySession::note_schedule_no_more() { return ask({.op = ControlOp::note_schedule}); }

Status ReplaySession::fetch_schedule() {
  for (;;) {
    TRY(ask({.op = ControlOp::take_schedule, .argument = schedule_.size() * sizeof(kernel::ScheduleNote)}));
    if (append_payload(schedule_, packet_->reply, packet_->payload) == 0) return Nothing{};
    if (schedule_.size() >= packet_->reply.schedule_notes) return Nothing{};
  }
}

Status ReplaySession::note_first_touches() {
  return ask({.op = ControlOp::note, .argument = static_cast<u64>(machine::Notes::first_touches)});
}

Result<std::vector<machine::ControlTouch>> ReplaySession::take_first_touches() {
  std::vector<machine::ControlTouch> touches;
  for (;;) {
    TRY(ask({.op = ControlOp::take_touches, .argument = touches.size() * sizeof(machine::ControlTouch)}));
    if (append_payload(touches, packet_->reply, packet_->payload) == 0) return touches;
  }
}

Status ReplaySession::learn_access_points() {
  for (;;) {
    TRY(ask({.op = ControlOp::access_points, .argument = access_points_.size()}));
    if (append_payload(access_points_, packet_->reply, packet_->payload) == 0) return Nothing{};
  }
}

void ReplaySession::note_stop() {
  const ControlReply& reply = packet_->reply;
  stop_ = {.reason = reply.stop,
           .event = reply.event,
           .value = reply.value,
           .task = reply.task,
           .ticks = reply.ticks,
           .pc = reply.pc,
           .fault_address = reply.fault_address,
           .fault_signal = reply.fault_signal,
           .fault_code = reply.fault_code,
           .fault_error = reply.fault_error,
           .instructions = reply.instructions,
           .task_instructions = reply.task_instructions};
  if (map_changes_ != reply.map_changes) has_regions_ = false;
  map_changes_ = reply.map_changes;
}

Status ReplaySession::set_breakpoints(std::span<const u64> addresses) {
  std::vector<u64> wanted(addresses.begin(), addresses.end()), gone, added;
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  std::set_difference(breakpoints_.begin(), breakpoints_.end(), wanted.begin(), wanted.end(),
                      std::back_inserter(gone));
  std::set_difference(wanted.begin(), wanted.end(), breakpoints_.begin(), breakpoints_.end(),
                      std::back_inserter(added));
  const auto change = [&]() -> Status {
    TRY(ask_with_addresses(ControlOp::break_clear, gone));
    return ask_with_addresses(ControlOp::break_at, added);
  };
  Status changed = change();
  if (!changed) {
    wanted.clear();
    TRY(ask({.op = ControlOp::break_clear}));
  }
  breakpoints_ = std::move(wanted);
  return changed;
}

/// In as many requests as it takes.
Status ReplaySession::ask_with_addresses(ControlOp op, std::span<const u64> addresses) {
  while (!addresses.empty()) {
    const std::size_t count = std::min<std::size_t>(addresses.size(), machine::kAddressesMost);
    TRY(ask({.op = op}, addresses.first(count)));
    addresses = addresses.subspan(count);
  }
  return Nothing{};
}

Status ReplaySession::stop_at_tick(i32 task, u64 ticks) {
  return ask({.op = ControlOp::stop_at_tick, .argument = ticks, .task = task});
}

Status ReplaySession::count_instructions() {
  return ask({.op = ControlOp::count_instructions, .argument = 1});
}

Result<ProcessBlock> ReplaySession::process_block() {
  ProcessBlock block;
  TRY(ask({.op = ControlOp::process}));
  const auto text = [this](u64 from, u64 bytes) {
    const u64 most = packet_->reply.payload_bytes;
    const char* start = reinterpret_cast<const char*>(packet_->payload);
    return from + bytes <= most ? std::string(start + from, bytes) : std::string();
  };
  if (packet_->reply.payload_bytes < sizeof block.process)
    return Error{"the replaying engine sent a reply of the wrong size"};
  std::memcpy(&block.process, packet_->payload, sizeof block.process);
  block.directory = text(sizeof block.process, block.process.directory_bytes);
  block.program = text(sizeof block.process + block.process.directory_bytes, block.process.program_bytes);
  return block;
}

void ReplaySession::forget() {
  has_registers_ = false;
  has_tasks_ = false;
  pages_.clear();
}

const elf::MachineRegisters& ReplaySession::registers() {
  if (has_registers_) return registers_;
  if (!ask({.op = ControlOp::registers}) || !keep_registers()) registers_ = {};
  has_registers_ = true;
  return registers_;
}

/// Those of the current task that came with a reply. False if none did.
bool ReplaySession::keep_registers() {
  const auto came = sent_registers();
  if (came) registers_ = *came;
  has_registers_ = came.has_value();
  return has_registers_;
}

std::optional<elf::MachineRegisters> ReplaySession::registers_of(i32 task) {
  return ask({.op = ControlOp::registers, .task = task}) ? sent_registers() : std::nullopt;
}

std::optional<elf::MachineRegisters> ReplaySession::sent_registers() const {
  cpu::CpuState state;
  if (packet_->reply.payload_bytes < sizeof state) return std::nullopt;
  std::memcpy(&state, packet_->payload, sizeof state);
  elf::MachineRegisters registers;
  std::copy(std::begin(state.regs.gpr), std::end(state.regs.gpr), std::begin(registers.gpr));
  registers.rip = state.regs.rip;
  registers.rflags = state.regs.rflags;
  registers.fs_base = state.regs.fs_base;
  registers.gs_base = state.regs.gs_base;
  return registers;
}

/// The readable prefix of the page at `address`. Unwinding reads words, so whole pages are fetched.
const std::vector<u8>& ReplaySession::page(u64 address) {
  const auto known = pages_.find(address);
  if (known != pages_.end()) return known->second;
  std::vector<u8> bytes;
  if (ask({.op = ControlOp::read_memory, .size_bytes = kPageBytes, .argument = address})) {
    bytes.assign(packet_->payload, packet_->payload + packet_->reply.payload_bytes);
  }
  return pages_.emplace(address, std::move(bytes)).first->second;
}

u64 ReplaySession::read(u64 address, std::span<u8> out) {
  u64 done = 0;
  while (done < out.size() && address + done >= address) {
    const u64 at = address + done;
    const std::vector<u8>& bytes = page(page_floor(at));
    const u64 within = at - page_floor(at);
    if (within >= bytes.size()) break;
    const u64 piece = std::min<u64>(out.size() - done, bytes.size() - within);
    std::memcpy(out.data() + done, bytes.data() + within, piece);
    done += piece;
    if (bytes.size() < kPageBytes) break;
  }
  return done;
}

const std::vector<elf::MappedRegion>& ReplaySession::regions() {
  if (has_regions_) return regions_;
  regions_.clear();
  while (true) {
    if (!ask({.op = ControlOp::regions, .argument = regions_.empty() ? 0 : regions_.back().end})) break;
    const u64 count = packet_->reply.payload_bytes / sizeof(ControlRegion);
    if (count == 0) break;
    for (u64 i = 0; i < count; ++i) {
      ControlRegion region;
      std::memcpy(&region, packet_->payload + i * sizeof region, sizeof region);
      region.path[sizeof region.path - 1] = '\0';
      const std::string path =
          region.path[0] != '\0' ? region.path : name_of(static_cast<memory::RegionKind>(region.kind));
      const bool is_file = !path.empty() && path[0] == '/';
      regions_.push_back({.start = region.start,
                          .end = region.end,
                          .offset = region.offset,
                          .protection = static_cast<int>(region.protection),
                          .flags = static_cast<int>(region.flags),
                          .path = path,
                          .kept_file = is_file ? files_.kept(path, region.inode) : "",
                          .object = region.object});
    }
  }
  has_regions_ = true;
  return regions_;
}

const std::vector<machine::ControlTask>& ReplaySession::tasks() {
  if (has_tasks_) return tasks_;
  tasks_.clear();
  while (ask({.op = ControlOp::tasks, .argument = tasks_.size()})) {
    if (append_payload(tasks_, packet_->reply, packet_->payload) == 0) break;
  }
  has_tasks_ = true;
  return tasks_;
}

Result<std::vector<u8>> ReplaySession::vector_state(i32 task) {
  TRY(ask({.op = ControlOp::vector_state, .task = task}));
  return std::vector<u8>(packet_->payload, packet_->payload + packet_->reply.payload_bytes);
}

Result<std::vector<u64>> ReplaySession::auxv() {
  TRY(ask({.op = ControlOp::auxv}));
  std::vector<u64> pairs;
  append_payload(pairs, packet_->reply, packet_->payload);
  return pairs;
}

u64 ReplaySession::read_through(u64 address, std::span<u8> out) {
  u64 done = 0;
  while (done < out.size()) {
    const u64 wanted = std::min<u64>(out.size() - done, machine::kControlBytesMost);
    if (!ask({.op = ControlOp::read_memory,
              .size_bytes = static_cast<u32>(wanted),
              .argument = address + done}))
      break;
    const u64 got = packet_->reply.payload_bytes;
    std::memcpy(out.data() + done, packet_->payload, got);
    done += got;
    if (got < wanted) break;
  }
  return done;
}

elf::DebugFiles& ReplaySession::debug_files() {
  if (files_.debug != nullptr) return *files_.debug;
  if (!own_debug_files_) own_debug_files_ = std::make_unique<elf::DebugFiles>("", [](const std::string&) {});
  return *own_debug_files_;
}

const elf::Images& ReplaySession::images() {
  std::vector<elf::MappedRegion> files;
  for (const elf::MappedRegion& region : regions()) {
    if (!region.kept_file.empty()) files.push_back(region);
  }
  const auto same = [](const elf::MappedRegion& left, const elf::MappedRegion& right) {
    return left.start == right.start && left.end == right.end && left.offset == right.offset &&
           left.protection == right.protection && left.kept_file == right.kept_file;
  };
  const bool current =
      images_ && std::equal(files.begin(), files.end(), images_regions_.begin(), images_regions_.end(), same);
  if (!current) {
    images_ = std::make_unique<elf::Images>(*this, debug_files());
    images_regions_ = std::move(files);
  }
  return *images_;
}

}  // namespace orrery::lens
