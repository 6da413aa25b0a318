#include "machine/control_server.h"

#include <asm/unistd.h>
#include <errno.h>

#include <algorithm>
#include <cstring>

#include "cpu/vector_state.h"
#include "host/raw_syscall.h"
#include "kernel/process.h"
#include "kernel/scheduler.h"
#include "machine/control_process.h"
#include "machine/engine_memory.h"
#include "memory/guarded_copy.h"
#include "trace/family_message.h"

namespace orrery::machine {

/// Breakpoints and counts are what was asked of the parent.
void ControlServer::begin_process(bool asked) {
  asked_ = at_start_ = asked;
  stop_at_tick_ = ~u64{0};
  remove_all_breakpoints();
  translator_->count_instructions(false);
  translator_->watch_no_function();
  (void)note(Notes::nothing, -1, false);
  schedule_.begin(0, {});
  kernel_.set_schedule_sink(nullptr);
}

void ControlServer::before_run(kernel::Task& task) {
  if (!asked_) return;
  if (at_start_) serve(StopReason::start, task, 0);
  if (schedule_.full()) {
    serve(StopReason::schedule_full, task, 0);
    schedule_.forget();
  }
  if (const i32 waits = schedule_.take_lock_wait(); waits != 0)
    serve(StopReason::waits_for_lock, task, static_cast<u64>(waits));
  if (position_.next_event() >= stop_before_ && schedule_.stops_before(task))
    serve(StopReason::event, task, 0);
  if (notes_ == Notes::nothing) return;
  make_room(task);
  translator_->note_turn(task.id.value, position_.next_event(), task.cpu.ticks);
}

void ControlServer::before_system_call(kernel::Task& task) {
  if (!asked_) return;
  const cpu::Registers& regs = task.cpu.regs;
  constexpr u64 kSyscallBytes = 2;
  call_pc_ = regs.rip - kSyscallBytes;
  using cpu::Gpr;
  const u64 number = regs[Gpr::rax];
  call_number_ = number, call_name_ = regs[Gpr::rsi], call_target_ = regs[Gpr::r8];
  if (schedule_.on())
    noted({.step = kernel::ScheduleStep::call,
           .task = task.id.value,
           .number = static_cast<u32>(number),
           .ticks = task.cpu.ticks,
           .words = {regs[Gpr::rdi], regs[Gpr::rsi], regs[Gpr::rdx], regs[Gpr::r10], regs[Gpr::r8],
                     regs[Gpr::r9]}});
  if (position_.next_event() < stop_before_ || !schedule_.stops_at(number, task)) return;
  serve(StopReason::system_call, task, 0);
}

void ControlServer::after_system_call(const kernel::Task& task, u64 number) {
  if (!asked_ || !schedule_.on() || task.ended()) return;
  noted({.step = kernel::ScheduleStep::returned,
         .task = task.id.value,
         .number = static_cast<u32>(number),
         .ticks = task.cpu.ticks,
         .words = {task.cpu.regs[cpu::Gpr::rax]}});
}

/// The word that a futex's waiter looked at and what lies behind it are there before others run.
void ControlServer::noted(kernel::ScheduleNote note) {
  note.event = position_.next_event();
  const bool on_futex = note.step == kernel::ScheduleStep::waits && note.number == __NR_futex;
  if (on_futex) {
    const auto* const word = reinterpret_cast<const u8*>(schedule_.futex_of(note.task));
    if (memory::guarded_copy(reinterpret_cast<u8*>(note.words), word, 16) != 16) note.words[0] = 0;
  }
  schedule_.add(note, on_futex);
}

void ControlServer::before_end(kernel::Task& task, int status, int fatal_signal) {
  if (!asked_) return;
  if (fatal_signal != 0)
    serve(StopReason::fatal_signal, task, static_cast<u64>(fatal_signal));
  else
    serve(StopReason::exit, task, static_cast<u64>(status));
}

void ControlServer::at_trace_end(kernel::Task& task) {
  if (asked_) serve(StopReason::trace_end, task, 0);
}

void ControlServer::before_instruction(kernel::Task& task) {
  if (asked_ && translator_->breakpoints().contains(task.cpu.regs.rip)) at_breakpoint(task);
}

void ControlServer::at_breakpoint(kernel::Task& task) {
  if (hits_most_ != 0) collect(task);
  if (hits_ == hits_most_) serve(StopReason::breakpoint, task, 0);
}

void ControlServer::collect(const kernel::Task& task) {
  ControlHit hit{.pc = task.cpu.regs.rip,
                 .ticks = task.cpu.ticks,
                 .event = position_.next_event(),
                 .instructions = translator_->instructions(),
                 .task = task.id.value};
  std::memcpy(hit.gpr, task.cpu.regs.gpr, sizeof hit.gpr);
  const auto* const stack = reinterpret_cast<const u8*>(task.cpu.regs[cpu::Gpr::rsp]);
  u64 word = 0;
  if (memory::guarded_copy(reinterpret_cast<u8*>(&word), stack, sizeof word) == sizeof word)
    hit.return_address = word;
  std::memcpy(packet_.payload + hits_ * sizeof hit, &hit, sizeof hit);
  ++hits_;
}

u64 ControlServer::stop_at_tick(const kernel::Task& task) const {
  const bool ahead = task.id.value == tick_task_ && stop_at_tick_ > task.cpu.ticks;
  return ahead ? stop_at_tick_ : ~u64{0};
}

void ControlServer::at_tick(kernel::Task& task) {
  stop_at_tick_ = ~u64{0};
  serve(StopReason::tick, task, 0);
}

/// Answers until told to run on. A closed socket ends the replay: nobody is left to ask.
void ControlServer::serve(StopReason reason, kernel::Task& task, u64 value) {
  if (at_start_ && reason != StopReason::start) serve(StopReason::start, task, 0);
  at_start_ = false;
  bool stopped = reason != StopReason::start;  // the client's first word is hello, not run
  if (stopped && reason != StopReason::notes_full) do {
      make_room(task);
    } while (!translator_->note_stop());
  for (;;) {
    ControlReply& reply = packet_.reply;
    reply = ControlReply{};
    reply.stop = reason;
    reply.value = value;
    put_place(reply, task);
    if (stopped) {  // the answer to the `run` that led here
      reply.payload_bytes = hits_ * static_cast<u32>(sizeof(ControlHit));
      if (hits_most_ == 0) copy_registers(task, 0, reply);
      send(reply);
      reply.payload_bytes = hits_ = 0;
    }
    stopped = false;
    if (!receive()) host::raw_syscall(__NR_exit_group, 0);
    const ControlRequest& request = question_.request;
    if (request.op == ControlOp::run) {
      stop_before_ = request.argument;
      hits_most_ = std::min(request.collect, kHitsMost);
      return;
    }
    reply.error = answer(request, task, reply);
    send(reply);
  }
}

/// Where the replay stands.
void ControlServer::put_place(ControlReply& reply, const kernel::Task& task) const {
  reply.event = position_.next_event();
  reply.task = task.id.value;
  reply.ticks = task.cpu.ticks;
  reply.pc = task.cpu.regs.rip;
  reply.fault_address = fault_.address;
  reply.fault_signal = fault_.signal;
  reply.fault_code = fault_.code;
  reply.fault_error = fault_.error_code;
  reply.instructions = translator_->instructions();
  reply.task_instructions = task.cpu.instructions;
  reply.notes_lost = notes_lost_;
  reply.schedule_notes = schedule_.notes().size();
  reply.notes_half = half_;
  reply.counts_full = counts_full() ? 1 : 0;
  reply.notes_words = translator_->noted().size();
  reply.access_points = translator_->access_points().size();
  reply.map_changes = kernel_.address_space().changes();
  reply.breakpoints = static_cast<u32>(translator_->breakpoints().size());
}

/// The next question. False if there will be none.
bool ControlServer::receive() {
  trace::FamilyMessage message(&question_, sizeof question_);
  const auto receive_with = [&](int flags) {
    return host::raw_syscall(__NR_recvmsg, socket_, &message.header(), MSG_CMSG_CLOEXEC | flags);
  };
  i64 got = looks_([&] { return receive_with(MSG_DONTWAIT); });
  if (got < 0) do
      got = receive_with(0);
    while (got == -EINTR);
  const i64 payload_bytes = got - static_cast<i64>(sizeof question_.request);
  if (payload_bytes < 0 || question_.request.op == ControlOp::quit) return false;
  received_fd_ = message.descriptors()[0];
  const ControlOp op = question_.request.op;
  const bool carries = op == ControlOp::break_at || op == ControlOp::break_clear ||
                       op == ControlOp::watch_functions || op == ControlOp::note_schedule ||
                       op == ControlOp::watch_allocators || op == ControlOp::mark_heap_code ||
                       op == ControlOp::hold_memory;
  return payload_bytes == (carries ? static_cast<i64>(question_.request.size_bytes) : 0);
}

u32 ControlServer::answer(const ControlRequest& request, kernel::Task& task, ControlReply& reply) {
  switch (request.op) {
    case ControlOp::hello:
      reply.value = kControlVersion;
      return 0;
    case ControlOp::registers:
      return copy_registers(task, request.task, reply);
    case ControlOp::read_memory:
      reply.payload_bytes = read_memory(request.argument, request.size_bytes);
      return 0;
    case ControlOp::regions:
      reply.payload_bytes = list_regions(request.argument);
      return 0;
    case ControlOp::vector_state:
      return vector_state(request.task, task, reply);
    case ControlOp::auxv: {
      const std::vector<u64>& auxv = task.process.owner().auxv;
      reply.payload_bytes = static_cast<u32>(std::min<u64>(auxv.size() * sizeof(u64), kControlBytesMost));
      std::memcpy(packet_.payload, auxv.data(), reply.payload_bytes);
      return 0;
    }
    case ControlOp::tasks:
      reply.payload_bytes = list_tasks(request.argument, task);
      return 0;
    case ControlOp::break_at:
    case ControlOp::break_clear:
      return change_breakpoints(request);
    case ControlOp::stop_at_tick:
      tick_task_ = request.task;
      stop_at_tick_ = request.argument;
      return 0;
    case ControlOp::count_instructions:
      translator_->count_instructions(request.argument != 0);
      return 0;
    case ControlOp::note: {
      const u32 error = note(static_cast<Notes>(request.argument), received_fd_, request.collect != 0);
      if (notes_ != Notes::nothing)
        translator_->note_turn(task.id.value, position_.next_event(), task.cpu.ticks);
      if (received_fd_ >= 0) host::raw_syscall(__NR_close, received_fd_);
      put_place(reply, task);
      return error;
    }
    case ControlOp::take_touches:
      take_touches(request.argument, reply);
      return 0;
    case ControlOp::take_counts:
      take_counts(request.argument, reply);
      return 0;
    case ControlOp::watch_functions:
      translator_->watch_functions({question_.addresses, request.size_bytes / sizeof(u64)});
      return 0;
    case ControlOp::watch_allocators:
    case ControlOp::mark_heap_code:
    case ControlOp::hold_memory:
      return watch_heap(request);
    case ControlOp::note_schedule:
      return note_schedule(request);
    case ControlOp::take_schedule:
      reply.payload_bytes = schedule_.take(request.argument, packet_.payload);
      return 0;
    case ControlOp::access_points:
      reply.payload_bytes = list_points(request.argument);
      return 0;
    case ControlOp::process:
      reply.payload_bytes = write_process(task.process, packet_.payload);
      return 0;
    default:
      return EINVAL;
  }
}

u32 ControlServer::copy_registers(const kernel::Task& current, i32 wanted, ControlReply& reply) {
  const kernel::Task* const task = wanted == 0 ? &current : current.process.find_task(TaskId{wanted});
  if (task == nullptr) return ESRCH;
  std::memcpy(packet_.payload, &task->cpu, sizeof task->cpu);
  reply.payload_bytes = sizeof task->cpu;
  return 0;
}

u32 ControlServer::note_schedule(const ControlRequest& request) {
  u64 stop_calls[kStopCallWords] = {};
  if (request.size_bytes > sizeof stop_calls) return EINVAL;
  std::memcpy(stop_calls, question_.addresses, request.size_bytes);
  schedule_.begin(static_cast<u32>(request.argument), stop_calls);
  kernel_.set_schedule_sink(schedule_.on() ? this : nullptr);
  return 0;
}

// --- notes of memory accesses and calls ---

u32 ControlServer::note(Notes wanted, int file, bool inherits) {
  if (wanted > Notes::undefined) return EINVAL;
  const bool shared = wanted != Notes::nothing && wanted != Notes::first_touches;
  if (shared && file < 0) return EBADF;
  halves_ = {};
  half_ = 0;
  if (wanted == Notes::first_touches) halves_[0] = map_notes();
  if (shared) halves_ = map_shared_notes(file);
  if (wanted != Notes::nothing && halves_[0].empty()) return ENOMEM;
  if (wanted == Notes::profile && !map_counters()) return ENOMEM;
  if (wanted == Notes::profile && !translator_->counts_instructions()) translator_->count_instructions(true);
  const bool wants_shadow = wanted == Notes::suspects || wanted == Notes::undefined;
  if (wants_shadow && !inherits && !map_heap_shadow()) return ENOMEM;
  if (wants_shadow) inherits ? translator_->heap().inherit() : translator_->heap().clear();
  if (wanted == Notes::undefined && !inherits) translator_->defined().clear();
  if (wanted == Notes::undefined) translator_->heap().mark_undefined(translator_->defined());
  notes_ = wanted;
  notes_lost_ = 0;
  touches_.clear();
  using Noted = translate::Translator::Noted;
  const Noted noted = wanted == Notes::nothing                ? Noted::nothing
                      : wanted == Notes::calls                ? Noted::calls
                      : wanted == Notes::profile              ? Noted::profile
                      : wanted == Notes::watched_calls        ? Noted::watched_calls
                      : wanted == Notes::accesses_and_entries ? Noted::accesses_and_entries
                      : wanted == Notes::suspects             ? Noted::suspects
                      : wanted == Notes::undefined            ? Noted::undefined
                                                              : Noted::accesses;
  translator_->note(noted, halves_[0]);
  memory::AccessSink* const sink = notes_accesses() ? this : nullptr;
  kernel_.address_space().set_access_sink(sink);
  position_.tell_accesses(sink);
  return 0;
}

u32 ControlServer::watch_heap(const ControlRequest& request) {
  if (!tests()) return EINVAL;
  const std::span<const u64> words(question_.addresses, request.size_bytes / sizeof(u64));
  translate::HeapWatch& heap = translator_->heap();
  if (request.op == ControlOp::watch_allocators) {
    translator_->watch_allocators(
        {reinterpret_cast<const translate::AllocatorEntry*>(words.data()), words.size() / 3});
    return 0;
  }
  if (words.size() != 2 || words[0] > words[1]) return EINVAL;
  const memory::layout::Range range{words[0], words[1]};
  if (request.op == ControlOp::mark_heap_code)
    static_cast<HeapCode>(request.argument) == HeapCode::allocators ? heap.leave_out(range)
                                                                    : heap.read_vectors(range);
  else if (notes_ == Notes::suspects)
    request.argument != 0 ? heap.hold(request.task, range) : heap.let_go(range);
  return 0;
}

void ControlServer::make_room(kernel::Task& task) {
  if (notes_ == Notes::nothing || translator_->has_room_for_notes()) return;
  if (notes_ == Notes::first_touches) return filter_notes();
  serve(StopReason::notes_full, task, 0);
  if (counts_full()) translator_->clear_stretches();
  half_ ^= 1;
  translator_->note_into(halves_[half_]);
}

void ControlServer::filter_notes() {
  touches_.take_in(translator_->noted(), translator_->access_points());
  translator_->forget_noted();
}

void ControlServer::take_touches(u64 from, ControlReply& reply) {
  if (notes_ != Notes::first_touches) return;
  filter_notes();
  const std::vector<ControlTouch>& touches = touches_.found();
  const u64 bytes = touches.size() * sizeof(ControlTouch);
  reply.value = bytes;
  const u64 begin = std::min(from, bytes);
  constexpr u64 kMost = kControlBytesMost / sizeof(ControlTouch) * sizeof(ControlTouch);
  const u64 count = std::min(bytes - begin, kMost);
  std::memcpy(packet_.payload, reinterpret_cast<const u8*>(touches.data()) + begin, count);
  reply.payload_bytes = static_cast<u32>(count);
  if (from >= bytes) touches_.found().clear();
}

bool ControlServer::counts_full() const {
  return notes_ == Notes::profile && !translator_->stretches().has_room();
}

void ControlServer::take_counts(u64 from, ControlReply& reply) {
  if (notes_ != Notes::profile) return;
  if (from == ~u64{0}) return translator_->forget_counts();
  u32 row = static_cast<u32>(from);
  auto* const counts = reinterpret_cast<translate::StretchCount*>(packet_.payload);
  const std::size_t count =
      translator_->stretches().read(row, {counts, kControlBytesMost / sizeof(translate::StretchCount)});
  reply.value = row;
  reply.payload_bytes = static_cast<u32>(count * sizeof(translate::StretchCount));
}

u32 ControlServer::list_points(u64 from) {
  const std::span<const translate::AccessPoint> points = translator_->access_points();
  const u64 begin = std::min<u64>(from, points.size());
  const u64 count = std::min<u64>(points.size() - begin, kControlBytesMost / sizeof(translate::AccessPoint));
  std::memcpy(packet_.payload, points.data() + begin, count * sizeof(translate::AccessPoint));
  return static_cast<u32>(count * sizeof(translate::AccessPoint));
}

/// How much of what the kernel reads there it looks at: of a socket's address, the name, or the address
/// itself (as Memcheck has it).
u64 ControlServer::bytes_looked_at(u64 address, u64 size_bytes) const {
  const bool names = (call_number_ == __NR_connect || call_number_ == __NR_bind) && address == call_name_;
  const bool sends = call_number_ == __NR_sendto && address == call_target_;
  if ((!names && !sends) || size_bytes < sizeof(u16)) return size_bytes;
  constexpr u16 kUnix = 1, kInternet = 2;
  constexpr u64 kInternetBytes = 8;
  const u8* const at = reinterpret_cast<const u8*>(address);
  const u16 family = static_cast<u16>(at[0] | at[1] << 8);
  if (family == kInternet) return std::min(size_bytes, kInternetBytes);
  if (family != kUnix || size_bytes == sizeof family || at[sizeof family] == 0) return size_bytes;
  u64 end = sizeof family;
  while (end < size_bytes && at[end] != 0) ++end;
  return std::min(size_bytes, end + 1);
}

/// In the midst of a system call nobody can be stopped for: what has no room is counted.
void ControlServer::accessed(u64 address, u64 size_bytes, bool writes) {
  if (size_bytes == 0) return;
  if (notes_ == Notes::undefined && !writes) size_bytes = bytes_looked_at(address, size_bytes);
  const u64 pc = gate_pc_ != 0 || !tests() ? gate_pc_ : call_pc_;
  const translate::Access access{
      address, size_bytes, pc, writes ? translate::AccessKind::write : translate::AccessKind::read,
      gate_pc_ != 0 ? translate::AccessBy::instruction : translate::AccessBy::kernel};
  if (translator_->note_engine(access)) return;
  if (notes_ == Notes::first_touches) filter_notes();
  if (!translator_->note_engine(access)) ++notes_lost_;
}

void ControlServer::pages_gone(u64 address, u64 size_bytes) {
  if (notes_ == Notes::undefined) return translator_->defined().fill(address, size_bytes, false);
  if (notes_ != Notes::first_touches) return;
  filter_notes();
  touches_.forget(address, size_bytes);
}

void ControlServer::pages_moved(u64 from, u64 from_bytes, u64 to) {
  if (notes_ == Notes::undefined && from != to) {
    translator_->defined().copy(to, from, from_bytes);
    translator_->defined().fill(from, from_bytes, false);
    return translator_->heap().moved();
  }
  if (notes_ != Notes::first_touches || from == to) return;
  filter_notes();
  touches_.move(from, from_bytes, to);
}

void ControlServer::pages_lent() {
  if (notes_ != Notes::first_touches) return;
  filter_notes();
  touches_.forget_writes();
}

// --- breakpoints ---

u32 ControlServer::change_breakpoints(const ControlRequest& request) {
  const std::span<const u64> addresses(question_.addresses, request.size_bytes / sizeof(u64));
  if (request.op == ControlOp::break_at) {
    if (translator_->breakpoints().size() + addresses.size() > kBreakpointsMost) return E2BIG;
    translator_->add_breakpoints(addresses);
  } else if (addresses.empty()) {
    remove_all_breakpoints();
  } else {
    translator_->remove_breakpoints(addresses);
  }
  return 0;
}

void ControlServer::remove_all_breakpoints() {
  const std::vector<u64> all = translator_->breakpoints().addresses();
  translator_->remove_breakpoints(all);
}

u32 ControlServer::read_memory(u64 address, u64 size_bytes) {
  const u64 wanted = std::min<u64>(size_bytes, kControlBytesMost);
  const memory::AddressSpace& space = kernel_.address_space();
  u64 done = 0;
  while (done < wanted) {  // also what the guest may only execute, or not touch: a debugger may
    const memory::Region* region = space.find(address + done);
    if (region == nullptr) break;
    const u64 piece = std::min(wanted - done, region->end - (address + done));
    const u64 copied =
        memory::guarded_copy(packet_.payload + done, reinterpret_cast<const u8*>(address + done), piece);
    done += copied;
    if (copied < piece) break;
  }
  return static_cast<u32>(done);
}

u32 ControlServer::list_regions(u64 above) {
  const memory::AddressSpace& space = kernel_.address_space();
  u32 bytes = 0;
  while (bytes + sizeof(ControlRegion) <= kControlBytesMost) {
    const memory::Region* region = space.find_at_or_above(above);
    if (region == nullptr) break;
    above = region->end;
    ControlRegion out{};
    out.start = region->start;
    out.end = region->end;
    out.offset = region->offset;
    out.protection = static_cast<u32>(region->protection);
    out.flags = static_cast<u32>(region->flags);
    out.kind = static_cast<u32>(region->kind);
    out.file = region->file;
    out.object = region->object;
    if (region->file != 0) {
      const memory::MappedFile& file = space.files()[region->file - 1];
      out.inode = file.inode;
      std::memcpy(out.path, file.path.data(), std::min(file.path.size(), sizeof out.path - 1));
    }
    std::memcpy(packet_.payload + bytes, &out, sizeof out);
    bytes += static_cast<u32>(sizeof out);
  }
  return bytes;
}

u32 ControlServer::vector_state(i32 wanted, kernel::Task& current, ControlReply& reply) {
  const kernel::Task* const other = wanted == 0 ? &current : current.process.find_task(TaskId{wanted});
  if (other == nullptr || other->ended()) return ESRCH;
  cpu::VectorImage image;  // aligned as XSAVE wants it, which a packet is not
  std::span<const u8> bytes(image.bytes);
  if (other == &current)
    cpu::save_vector_state(image, vector_components_);
  else
    bytes = current.process.scheduler.vector_state(*other);
  reply.payload_bytes = static_cast<u32>(std::min<u64>(bytes.size(), kControlBytesMost));
  std::memcpy(packet_.payload, bytes.data(), reply.payload_bytes);
  return 0;
}

namespace {

TaskState state_of(const kernel::Task& task) {
  if (task.ended()) return TaskState::ended;
  if (std::holds_alternative<kernel::Stopped>(task.state)) return TaskState::stopped;
  return std::holds_alternative<kernel::Blocked>(task.state) ? TaskState::waits : TaskState::ready;
}

ControlTask shown_task(const kernel::Task& task, bool is_current) {
  ControlTask out{.task = task.id.value,
                  .state = is_current ? TaskState::runs : state_of(task),
                  .call = task.call.number,
                  .blocked_signals = task.blocked,
                  .pending_signals = task.pending.set(),
                  .ticks = task.cpu.ticks,
                  .rip = task.cpu.regs.rip,
                  .rflags = task.cpu.regs.rflags,
                  .fs_base = task.cpu.regs.fs_base,
                  .gs_base = task.cpu.regs.gs_base};
  std::memcpy(out.gpr, task.cpu.regs.gpr, sizeof out.gpr);
  std::memcpy(out.name, task.comm.data(), sizeof out.name);
  out.alternate_stack = task.altstack.address;
  out.alternate_bytes = task.altstack.size_bytes;
  out.traced = task.trace && task.trace->stop_status != 0 ? 1 : 0;
  if (const auto* exited = std::get_if<kernel::Exited>(&task.state)) out.status = exited->status;
  if (const auto* stopped = std::get_if<kernel::Stopped>(&task.state)) out.status = stopped->signal;
  return out;
}

}  // namespace

u32 ControlServer::list_tasks(u64 from, const kernel::Task& current) {
  const auto& tasks = current.process.tasks;
  u32 bytes = 0;
  for (u64 i = from; i < tasks.size() && bytes + sizeof(ControlTask) <= kControlBytesMost; ++i) {
    const ControlTask out = shown_task(*tasks[i], tasks[i].get() == &current);
    std::memcpy(packet_.payload + bytes, &out, sizeof out);
    bytes += static_cast<u32>(sizeof out);
  }
  return bytes;
}

void ControlServer::send(const ControlReply& reply) {
  host::raw_syscall(__NR_write, socket_, &packet_, sizeof reply + reply.payload_bytes);
}

}  // namespace orrery::machine
