#include "lens/races/race_finder.h"

namespace orrery::lens::races {

using cpu::Gpr;
using translate::AccessBy;
using translate::AccessHeader;
using translate::AccessKind;
using translate::AccessPoint;
using translate::AccessRecord;

void RaceFinder::watch(const heap::FileFunctions& allocators) {
  for (const auto& [address, function] : allocators.by_address) {
    functions_[address] = static_cast<u32>(by_number_.size());
    by_number_.push_back({.allocator = function});
  }
}

void RaceFinder::watch(const std::map<u64, const ThreadFunction*>& functions) {
  for (const auto& [address, function] : functions) {
    functions_[address] = static_cast<u32>(by_number_.size());
    by_number_.push_back({.thread = function});
  }
}

void RaceFinder::read(std::span<const u64> records, std::span<const AccessPoint> points) {
  learn(points);
  for (const u64* at = records.data(); at < records.data() + records.size();) {
    const AccessHeader header{*at};
    const u64* const words = at + 1;
    switch (header.record()) {
      case AccessRecord::turn:
        turn(header.task(), words[0], words[1]);
        break;
      case AccessRecord::engine:
        engine(header, words);
        break;
      case AccessRecord::take_back:
        ticks_ -= header.tick() ? 1 : 0;
        break;
      case AccessRecord::block:
        block(header, words, points.data() + header.point());
        break;
    }
    at += 1 + header.words();
  }
}

// --- tasks ---

void RaceFinder::begin_segment() {
  segments_.push_back(
      {.event = event_, .ticks = ticks_, .task = current_, .locks = locks_.held_by(current_)});
  task().clock.set(current_, now());
}

TaskNumber RaceFinder::add_task(i32 id) {
  const auto number = static_cast<TaskNumber>(tasks_.size());
  task_numbers_[static_cast<u64>(id)] = number;
  tasks_.emplace_back().id = id;
  return number;
}

TaskNumber RaceFinder::number_of(i32 id) {
  const TaskNumber* const known = task_numbers_.find(static_cast<u64>(id));
  if (known != nullptr) return *known;
  // It runs before whoever made it has come back from that.
  const TaskNumber number = add_task(id);
  for (Task& each : tasks_)
    if (each.creates >= 0) tasks_[number].clock.join(snapshots_[static_cast<std::size_t>(each.creates)]);
  return number;
}

void RaceFinder::turn(i32 id, u64 event, u64 ticks) {
  current_ = number_of(id);
  event_ = event;
  ticks_ = ticks;
  begin_segment();
}

void RaceFinder::creating(i32 id) {
  Task& maker = tasks_[number_of(id)];
  if (current_ == kNever || maker.id != task().id) return;
  maker.creates = static_cast<i32>(snapshots_.size());
  snapshots_.push_back(maker.clock);
  begin_segment();
}

void RaceFinder::created(i32 id, i32 child, u64 thread, u64 stack, u64 stack_bytes) {
  Task& maker = tasks_[number_of(id)];
  const i32 snapshot = maker.creates;
  maker.creates = -1;
  const TaskNumber* known = task_numbers_.find(static_cast<u64>(child));
  // Its number may have been another's, which has ended.
  const bool runs_already = known != nullptr && tasks_[*known].stack == 0 && tasks_[*known].frames.empty() &&
                            *known + 1 == tasks_.size() && tasks_[*known].id != tasks_.front().id;
  const TaskNumber number = runs_already ? *known : add_task(child);
  if (snapshot >= 0) tasks_[number].clock.join(snapshots_[static_cast<std::size_t>(snapshot)]);
  tasks_[number].stack = stack;
  tasks_[number].stack_bytes = stack_bytes;
  if (thread != 0) threads_[thread] = number;
  // The stack may have been another's, too: what is above it belongs to the thread as well.
  constexpr u64 kDescriptorBytes = 0x1000;
  if (runs_already || stack == 0) return;
  const u64 end = thread > stack ? thread + kDescriptorBytes : stack + stack_bytes;
  shadow_.clear(stack, end - stack);
}

void RaceFinder::ends(i32 id) {
  const TaskNumber number = number_of(id);
  locks_.end(number, {event_, id, ticks_, tasks_[number].call.pc});
}

void RaceFinder::finish() {
  for (TaskNumber number = 0; number < tasks_.size(); ++number)
    for (const Frame& frame : tasks_[number].frames) {
      const ThreadFunction* const function = by_number_[frame.function].thread;
      if (function != nullptr && function->kind == ThreadFunctionKind::lock && !function->tries)
        locks_.stuck(number, frame.arguments[0], frame.call);
    }
}

// --- the stream ---

void RaceFinder::learn(std::span<const AccessPoint> points) {
  while (points_.size() < points.size()) {
    const std::size_t first = points_.size();
    const AccessPoint& own = points[first];
    u8 flags = kKnown;
    switch (code_.kind_of(own.pc)) {
      case CodeFacts::Kind::program:
        break;
      case CodeFacts::Kind::library:
        flags |= kLibrary;
        break;
      case CodeFacts::Kind::loader:
        flags |= kLibrary | kLoader;
        break;
      case CodeFacts::Kind::string_stub:
        flags |= kStub;
        break;
    }
    points_.push_back(flags);
    for (u32 at = 1; at <= own.points && points_.size() < points.size(); ++at) {
      const AccessPoint& point = points[first + at];
      u8 each = kKnown;
      if (point.kind == AccessKind::none || point.call) points_[first] |= kValues;
      if (point.kind == AccessKind::modify && (flags & kLibrary) == 0 && code_.is_locked(point.pc))
        each |= kLocked;
      points_.push_back(each);
    }
  }
}

void RaceFinder::block(AccessHeader header, const u64* words, const AccessPoint* points) {
  const u8 flags = points_[header.point()];
  const AccessPoint* const from = points + 1;
  const AccessPoint* const to = from + points->points;
  const u64 past = points->pc + header.guest_bytes();
  if (current_ != kNever) {
    if ((flags & kLibrary) != 0) {
      task().in_library = true;
      if ((flags & kValues) != 0 || task().in_string) library_block(from, to, past, words, flags);
    } else {
      Task& own = task();
      own.in_library = false;
      own.in_string = (flags & kStub) != 0;
      if (!own.frames.empty() && !own.frames.back().ran_program) runs_program(own.frames.back());
      program_block(from, to, past, words, points_.data() + header.point() + 1);
    }
  }
  ticks_ += header.tick() ? 1 : 0;
}

void RaceFinder::program_block(const AccessPoint* from, const AccessPoint* to, u64 past, const u64* words,
                               const u8* flags) {
  for (const AccessPoint* point = from; point < to && point->pc < past; ++point, ++flags) {
    if (point->kind == AccessKind::none) {
      value(*point, words[point->word]);
      continue;
    }
    const translate::Access made = translate::access_at(*point, words);
    if (made.size_bytes == 0) continue;
    last_read_ = made.address;
    if (made.call) {
      task().call = place(made.pc);
      task().depth = 0;
    }
    u8 how = made.kind == AccessKind::read ? 0 : Slot::kWrites;
    if (made.kind == AccessKind::modify) how |= Slot::kModifies;
    if ((*flags & kLocked) != 0) how |= Slot::kAtomic;
    if (!in_allocator()) access(made.address, made.size_bytes, made.pc, how);
  }
}

void RaceFinder::library_block(const AccessPoint* from, const AccessPoint* to, u64 past, const u64* words,
                               u8 flags) {
  Task& own = task();
  for (const AccessPoint* point = from; point < to && point->pc < past; ++point) {
    if (point->kind == AccessKind::none) {
      if (point->end_reg == Gpr::rax) --own.depth;
      value(*point, words[point->word]);
      continue;
    }
    const translate::Access made = translate::access_at(*point, words);
    last_read_ = made.address;
    if (made.call) {
      ++own.depth;
    } else if (own.in_string && made.size_bytes != 0 && (flags & kLoader) == 0) {
      u8 how = Slot::kInside;
      if (made.kind != AccessKind::read) how |= Slot::kWrites;
      access(made.address, made.size_bytes, own.call.pc, how);
    }
  }
}

/// What the kernel reads and writes counts where the program's own call is the system call.
void RaceFinder::engine(AccessHeader header, const u64* words) {
  if (current_ == kNever || words[1] == 0) return;
  const bool writes = header.kind() != AccessKind::read;
  Task& own = task();
  if (header.by() == AccessBy::instruction) {
    if (!own.in_library) access(words[0], words[1], words[2], writes ? Slot::kWrites : u8{0});
    return;
  }
  if (own.in_library && own.depth <= 0 && own.frames.empty())
    access(words[0], words[1], own.call.pc,
           static_cast<u8>(Slot::kInside | (writes ? Slot::kWrites : u8{0})));
}

void RaceFinder::value(const AccessPoint& point, u64 word) {
  switch (point.end_reg) {
    case Gpr::rsp:
      entering_ = {.pc = point.pc, .rsp = word};
      return;
    case Gpr::rdi:
      entering_.arguments[0] = word;
      return;
    case Gpr::rsi:
      entering_.arguments[1] = word;
      return;
    case Gpr::rdx:
      entering_.arguments[2] = word;
      return entered();
    default:
      break;
  }
  // rax before a return, whose return address was read just before.
  Task& own = task();
  while (!own.frames.empty() && own.frames.back().rsp < last_read_) own.frames.pop_back();  // longjmp
  if (!own.frames.empty() && own.frames.back().rsp == last_read_) returned(own, static_cast<i64>(word));
}

void RaceFinder::entered() {
  const u32* const number = functions_.find(entering_.pc);
  if (number == nullptr) return;
  Task& own = task();
  while (!own.frames.empty() && own.frames.back().rsp < entering_.rsp) own.frames.pop_back();
  // What such a function does inside is its own, but for the program's code that `once` calls.
  if (!own.frames.empty() && (!own.frames.back().ran_program || in_allocator())) return;
  Frame& frame = own.frames.emplace_back();
  frame.rsp = entering_.rsp;
  frame.function = *number;
  for (int argument = 0; argument < 3; ++argument) frame.arguments[argument] = entering_.arguments[argument];
  frame.call = own.call;
  const Watched& watched = by_number_[*number];
  if (watched.thread != nullptr) return enter(*watched.thread, frame);
  if (watched.allocator->kind == heap::FunctionKind::release)
    take_back(frame.arguments[watched.allocator->pointer], frame);
}

void RaceFinder::returned(Task& own, i64 result) {
  const Frame frame = own.frames.back();
  own.frames.pop_back();
  const Watched& watched = by_number_[frame.function];
  if (watched.thread != nullptr) return leave(*watched.thread, frame, result);
  const heap::AllocatorFunction& function = *watched.allocator;
  if (function.kind == heap::FunctionKind::release || function.kind == heap::FunctionKind::allocate_to)
    return;
  const bool takes_back =
      function.kind == heap::FunctionKind::reallocate && frame.arguments[function.pointer] != 0;
  if (takes_back && (result != 0 || function.size_asked(frame.arguments) == 0))
    take_back(frame.arguments[function.pointer], frame);
  if (result != 0) give(static_cast<u64>(result), function.size_asked(frame.arguments), frame);
}

}  // namespace orrery::lens::races
