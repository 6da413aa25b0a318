#include "lens/races/race_finder.h"

#include <algorithm>

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
      case AccessRecord::entered:
      case AccessRecord::returned:
      case AccessRecord::undefined:
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
  now_ = static_cast<u32>(segments_.size() - 1);
  task().clock.set(current_, now_);
  ++stamp_;
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
  checks_ = checks_ || number != 0;
  for (Task& each : tasks_)
    if (each.creates >= 0) tasks_[number].clock.join(snapshots_[static_cast<std::size_t>(each.creates)]);
  return number;
}

void RaceFinder::turn(i32 id, u64 event, u64 ticks) {
  current_ = number_of(id);
  event_ = event;
  ticks_ = ticks;
  begin_segment();
  turn_ = now();
}

void RaceFinder::creating(i32 id) {
  Task& maker = tasks_[number_of(id)];
  if (current_ == kNever || maker.id != task().id) return;
  maker.creates = static_cast<i32>(snapshots_.size());
  snapshots_.push_back(maker.clock);
  checks_ = true;
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
  clear(stack, end - stack);
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
    u8 flags = 0;
    switch (code_.kind_of(own.pc)) {
      case CodeFacts::Kind::program:
        break;
      case CodeFacts::Kind::library:
        flags = kLibrary;
        break;
      case CodeFacts::Kind::loader:
        flags = kLibrary | kLoader;
        break;
      case CodeFacts::Kind::string_stub:
        flags = kStub;
        break;
    }
    points_.push_back({.address = own.pc, .word = own.points});
    for (const AccessPoint& point : points.subspan(first + 1, own.points)) {
      if (point.kind == AccessKind::none || point.call) flags |= kValues;
      points_.push_back(row_of(point, own.pc, (flags & kLibrary) != 0));
    }
    points_[first].how = flags;
    latest_.resize(points_.size());
    mark_repeated(std::span(points_).subspan(first + 1));
  }
}

/// Whether an access of the other is no new one where this has just been done.
bool RaceFinder::PointRow::covers(const PointRow& other) const {
  return kind <= Kind::repeated && has_word == other.has_word && word == other.word &&
         other.address - address <= size_bytes && other.address - address + other.size_bytes <= size_bytes &&
         ((how & Slot::kWrites) != 0 || (other.how & Slot::kWrites) == 0);
}

/// Of a block. What comes before a value stays: where it lies is asked for.
void RaceFinder::mark_repeated(std::span<PointRow> rows) {
  for (std::size_t at = 1; at < rows.size(); ++at) {
    PointRow& row = rows[at];
    const bool stays = at + 1 < rows.size() && rows[at + 1].kind == PointRow::Kind::value;
    if (row.kind != PointRow::Kind::simple || stays) continue;
    const auto before = rows.first(at);
    if (std::any_of(before.begin(), before.end(), [&](const PointRow& each) { return each.covers(row); }))
      row.kind = PointRow::Kind::repeated;
  }
}

RaceFinder::PointRow RaceFinder::row_of(const AccessPoint& point, u64 block_pc, bool is_library) {
  PointRow row{.address = point.address, .offset = static_cast<u16>(point.pc - block_pc)};
  if (point.kind == AccessKind::none) {
    row.kind = PointRow::Kind::value;
    return row;
  }
  if (point.kind != AccessKind::read) row.how |= Slot::kWrites;
  if (is_library) row.how |= Slot::kInside;
  if (point.kind == AccessKind::modify && !is_library)
    row.how |= static_cast<u8>(Slot::kModifies | (code_.is_locked(point.pc) ? Slot::kAtomic : 0));
  row.has_word = point.word != translate::kNoWord;
  row.word = row.has_word ? point.word : u16{0};
  constexpr u64 kBytesMost = 64;
  const bool is_simple = point.base_word == translate::kNoWord && point.end_word == translate::kNoWord &&
                         !point.narrow && !point.call && point.size_bytes != 0 &&
                         point.size_bytes <= kBytesMost && (row.how & Slot::kAtomic) == 0;
  row.kind = is_simple ? PointRow::Kind::simple : PointRow::Kind::odd;
  row.size_bytes = is_simple ? static_cast<u8>(point.size_bytes) : u8{0};
  row.mask = row.size_bytes <= kWordBytes ? static_cast<u8>((1u << row.size_bytes) - 1) : u8{0};
  return row;
}

void RaceFinder::block(AccessHeader header, const u64* words, const AccessPoint* points) {
  const PointRow& row = points_[header.point()];
  if (current_ != kNever) {
    Task& own = task();
    const bool has_values = (row.how & kValues) != 0;
    if ((row.how & kLibrary) != 0) {
      own.in_library = true;
      const bool looks = checks_ && own.in_string && (row.how & kLoader) == 0;
      if (has_values || looks) accesses<true>(header, words, points, looks);
    } else {
      own.in_library = false;
      own.in_string = (row.how & kStub) != 0;
      if (!own.frames.empty() && !own.frames.back().ran_program) runs_program(own.frames.back());
      const bool looks = checks_ && !in_allocator();
      if (has_values || looks) accesses<false>(header, words, points, looks);
    }
  }
  ticks_ += header.tick() ? 1 : 0;
}

/// Most accesses are of what the task has accessed a moment ago.
inline void RaceFinder::simple_access(const PointRow& row, u64 address, u64 pc) {
  const u64 from = address % kWordBytes;
  if (from + row.size_bytes > kWordBytes) return access(address, row.size_bytes, pc, row.how);
  const auto bytes = static_cast<u8>(row.mask << from);
  const ShadowWord word = shadow_.at(address);
  // They are further away than the summary, and both take their time.
  __builtin_prefetch(&word.slots(), 1);
  if (word.summary().is_new(now(), bytes, (row.how & Slot::kWrites) != 0)) [[unlikely]]
    touch(word, address - from, bytes, pc, row.how, row.size_bytes);
}

/// Of a block. Where an instruction accesses what it did when the block last ran, and the segment is the
/// same, that is nothing new. What the library does is done by the program's call. `looks`: accesses count.
template <bool kByLibrary>
void RaceFinder::accesses(AccessHeader header, const u64* words, const AccessPoint* points, bool looks) {
  const PointRow* const own = &points_[header.point()];
  const u32 guest_bytes = header.guest_bytes();
  u64* const latest = &latest_[header.point()];
  const u64 stamp = stamp_;
  if (latest[0] != stamp) {
    std::fill_n(latest + 1, own->word, kNowhere);
    latest[0] = stamp;
  }
  Task& by = task();
  u64 last = last_read_;
  for (const PointRow* row = own + 1; row <= own + own->word && row->offset < guest_bytes; ++row) {
    if (row->kind <= PointRow::Kind::repeated) [[likely]] {
      if (row->kind == PointRow::Kind::repeated && stamp_ == stamp) continue;
      last = row->address + (row->has_word ? words[row->word] : 0);
      u64& before = latest[row - own];
      if (!looks || (before == last && stamp_ == stamp)) continue;
      before = last;
      simple_access(*row, last, kByLibrary ? by.call.pc : own->address + row->offset);
      continue;
    }
    const AccessPoint& point = points[row - own];
    if (row->kind == PointRow::Kind::value) {
      last_read_ = last;
      if (kByLibrary && point.end_reg == Gpr::rax) --by.depth;
      value(point, words[point.word]);
      if (!kByLibrary) looks = checks_ && !in_allocator();
      continue;
    }
    const translate::Access made = translate::access_at(point, words);
    if (made.size_bytes == 0) continue;
    last = made.address;
    if (made.call && kByLibrary) {
      ++by.depth;
      continue;
    }
    if (made.call) {
      by.call = place(made.pc);
      by.depth = 0;
    }
    if (looks) access(made.address, made.size_bytes, kByLibrary ? by.call.pc : made.pc, row->how);
  }
  if (stamp_ != stamp) latest[0] = 0;
}

/// What the kernel reads and writes counts where the program's own call is the system call.
void RaceFinder::engine(AccessHeader header, const u64* words) {
  if (current_ == kNever || words[1] == 0 || !checks_) return;
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
