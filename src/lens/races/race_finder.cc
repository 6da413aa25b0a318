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

void RaceFinder::read(std::span<const u64> records) {
  for (const u64* at = records.data(); at < records.data() + records.size();) {
    record(at);
    at += 1 + AccessHeader{*at}.words();
  }
}

inline void RaceFinder::record(const u64* at) {
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
      block(header, words);
      break;
  }
}

/// Where a segment begins within an epoch of the filter, what it left out of the rest may be new.
void RaceFinder::read_filtered(std::span<const u64> records, ItemQueue& items) {
  Epoch epoch = begin_epoch(records.data());
  bool looks = false;
  for (;;) {
    const FilteredItem* item = &items.next();
    const u64* const at = records.data() + item->at;
    ticks_ += static_cast<u64>(static_cast<i64>(static_cast<i32>(item->ticks - static_cast<u32>(ticks_))));
    fetch_ahead(items);
    switch (item->kind) {
      case FilteredItem::Kind::access:
      case FilteredItem::Kind::inside:
        if (looks || item->kind == FilteredItem::Kind::inside) filtered_access(*item, at);
        break;
      case FilteredItem::Kind::odd: {
        Run run = run_of(at);
        const bool is_library = (run.own->how & PointRow::kLibrary) != 0;
        run.looks = looks || is_library;
        is_library ? odd_row<true>(run.own[item->row], run) : odd_row<false>(run.own[item->row], run);
        break;
      }
      case FilteredItem::Kind::block:
        looks = begin_program_block(points_[AccessHeader{*at}.point()]);
        break;
      case FilteredItem::Kind::state:
        told(*item, records);
        break;
      case FilteredItem::Kind::record:
        record(at);
        break;
      case FilteredItem::Kind::end:
        return;
    }
    const u64* const next =
        at + 1 + (item->kind == FilteredItem::Kind::record ? AccessHeader{*at}.words() : 0);
    if (stamp_ != epoch.stamp && !item->ends) [[unlikely]] {
      const u64* const from =
          item->kind == FilteredItem::Kind::record ? next : rest_of_block(at, item->row, epoch);
      while (!item->ends) item = &items.next();
      const u64* upto = records.data() + item->at;
      const bool is_end = item->kind == FilteredItem::Kind::end;
      if (!is_end) upto += 1 + AccessHeader{*upto}.words();
      read({from, upto});
      if (is_end) return;
      epoch = begin_epoch(upto);
    } else if (item->ends) {
      epoch = begin_epoch(next);
    }
  }
}

RaceFinder::Run RaceFinder::run_of(const u64* at) const {
  const AccessHeader header{*at};
  return {.own = &points_[header.point()],
          .words = at + 1,
          .points = &access_points_[header.point()],
          .guest_bytes = header.guest_bytes(),
          .looks = checks_ && !in_allocator(),
          .last = last_read_,
          .stamp = stamp_};
}

/// What is new is as a rule not in the processor's caches.
inline void RaceFinder::fetch_ahead(const ItemQueue& items) {
  const FilteredItem* item = items.ahead(kAhead);
  if (item != nullptr && item->kind == FilteredItem::Kind::access)
    __builtin_prefetch(&shadow_.at(item->address).summary(), 1);
  item = items.ahead(kAhead / 2);
  if (item != nullptr && item->kind == FilteredItem::Kind::access)
    __builtin_prefetch(&shadow_.at(item->address).slots(), 1);
}

inline void RaceFinder::filtered_access(const FilteredItem& item, const u64* at) {
  const u64 from = item.address % kWordBytes;
  const PointRow* const own = &points_[AccessHeader{*at}.point()];
  const PointRow& row = own[item.row];
  const u64 pc = item.kind == FilteredItem::Kind::inside ? task().call.pc : own->address + row.offset;
  if (from + item.size_bytes > kWordBytes) return access(item.address, item.size_bytes, pc, row.how);
  const auto bytes = static_cast<u8>(((1u << item.size_bytes) - 1) << from);
  const ShadowWord word = shadow_.at(item.address);
  if (word.summary().is_new(now(), bytes, item.how != 0))
    touch(word, item.address - from, bytes, pc, row.how, item.size_bytes);
}

RaceFinder::Epoch RaceFinder::begin_epoch(const u64* at) const {
  const Task& own = tasks_[current_];
  return {.at = at, .ticks = ticks_, .stamp = stamp_, .call = own.call, .depth = own.depth};
}

/// Where the task is.
void RaceFinder::told(const FilteredItem& state, std::span<const u64> records) {
  Task& own = task();
  if (state.at != FilteredItem::kNoRecord) called(AccessHeader{records[state.at]});
  own.depth += static_cast<i32>(state.row);
  own.in_library = (state.how & FilteredItem::kInLibrary) != 0;
  if ((state.how & FilteredItem::kKnowsString) != 0)
    own.in_string = (state.how & FilteredItem::kInString) != 0;
}

/// By the block's last instruction.
void RaceFinder::called(AccessHeader header) {
  const PointRow& own = points_[header.point()];
  task().call = place(own.address + (&own + own.word)->offset);
  task().depth = 0;
}

/// Of a record whose accesses all have been looked at, or need not be, what it says of where the task is.
void RaceFinder::follow(AccessHeader header) {
  if (header.record() == AccessRecord::take_back) ticks_ -= header.tick() ? 1 : 0;
  if (header.record() != AccessRecord::block) return;
  const PointRow& own = points_[header.point()];
  const bool is_library = (own.how & PointRow::kLibrary) != 0;
  Task& by = task();
  by.in_library = is_library;
  if (!is_library) by.in_string = (own.how & PointRow::kStub) != 0;
  const PointRow& last = *(&own + own.word);
  if (own.word != 0 && last.offset < header.guest_bytes()) {
    const AccessPoint& point = access_points_[header.point() + own.word];
    if (point.call && !is_library) called(header);
    if (point.call && is_library) ++by.depth;
    if (last.kind == PointRow::Kind::value && is_library) --by.depth;
  }
  ticks_ += header.tick() ? 1 : 0;
}

/// Behind the row, which began a segment in the epoch. Returns the next record.
const u64* RaceFinder::rest_of_block(const u64* block, u32 row, const Epoch& epoch) {
  ticks_ = epoch.ticks;
  task().call = epoch.call;
  task().depth = epoch.depth;
  for (const u64* at = epoch.at; at < block; at += 1 + AccessHeader{*at}.words()) follow(AccessHeader{*at});
  const AccessHeader header{*block};
  Run run = run_of(block);
  run.stamp = epoch.stamp;
  if ((run.own->how & PointRow::kLibrary) != 0) {
    task().in_library = run.looks = true;
    accesses<true>(run, run.own + row + 1);
  } else {
    run.looks = begin_program_block(*run.own);
    if (run.points[row].call) called(header);
    accesses<false>(run, run.own + row + 1);
  }
  ticks_ += header.tick() ? 1 : 0;
  return block + 1 + header.words();
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
  const auto fresh = points.subspan(access_points_.size());
  access_points_.insert(access_points_.end(), fresh.begin(), fresh.end());
  while (points_.size() < points.size()) {
    const std::size_t first = points_.size();
    const AccessPoint& own = points[first];
    u8 flags = 0;
    switch (code_.kind_of(own.pc)) {
      case CodeFacts::Kind::program:
        break;
      case CodeFacts::Kind::library:
        flags = PointRow::kLibrary;
        break;
      case CodeFacts::Kind::loader:
        flags = PointRow::kLibrary | PointRow::kLoader;
        break;
      case CodeFacts::Kind::string_stub:
        flags = PointRow::kStub;
        break;
    }
    points_.push_back({.address = own.pc, .word = own.points});
    for (const AccessPoint& point : points.subspan(first + 1, own.points)) {
      if (point.kind == AccessKind::none || point.call) flags |= PointRow::kValues;
      points_.push_back(row_of(point, own.pc, (flags & PointRow::kLibrary) != 0));
    }
    points_[first].how = flags;
    latest_.resize(points_.size());
    mark_repeated(std::span(points_).subspan(first + 1));
  }
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

PointRow RaceFinder::row_of(const AccessPoint& point, u64 block_pc, bool is_library) {
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

/// Returns whether its accesses count.
inline bool RaceFinder::begin_program_block(const PointRow& row) {
  Task& own = task();
  own.in_library = false;
  own.in_string = (row.how & PointRow::kStub) != 0;
  if (!own.frames.empty() && !own.frames.back().ran_program) runs_program(own.frames.back());
  return checks_ && !in_allocator();
}

void RaceFinder::block(AccessHeader header, const u64* words) {
  const PointRow& row = points_[header.point()];
  if (current_ != kNever) {
    Task& own = task();
    const bool has_values = (row.how & PointRow::kValues) != 0;
    Run run = run_of(words - 1);
    if ((row.how & PointRow::kLibrary) != 0) {
      own.in_library = true;
      run.looks = checks_ && own.in_string && (row.how & PointRow::kLoader) == 0;
      if (has_values || run.looks) accesses<true>(run, &row + 1);
    } else {
      run.looks = begin_program_block(row);
      if (has_values || run.looks) accesses<false>(run, &row + 1);
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
/// same, that is nothing new. What the library does is done by the program's call.
template <bool kByLibrary>
void RaceFinder::accesses(Run run, const PointRow* from) {
  const PointRow* const own = run.own;
  u64* const latest = &latest_[static_cast<std::size_t>(own - points_.data())];
  if (latest[0] != run.stamp) {
    std::fill_n(latest + 1, own->word, kNowhere);
    latest[0] = run.stamp;
  }
  for (const PointRow* row = from; row <= own + own->word && row->offset < run.guest_bytes; ++row) {
    if (row->kind > PointRow::Kind::repeated) [[unlikely]] {
      odd_row<kByLibrary>(*row, run);
      continue;
    }
    if (row->kind == PointRow::Kind::repeated && stamp_ == run.stamp) continue;
    run.last = row->address + (row->has_word ? run.words[row->word] : 0);
    u64& before = latest[row - own];
    if (!run.looks || (before == run.last && stamp_ == run.stamp)) continue;
    before = run.last;
    simple_access(*row, run.last, kByLibrary ? task().call.pc : own->address + row->offset);
  }
  if (stamp_ != run.stamp) latest[0] = 0;
}

template <bool kByLibrary>
void RaceFinder::odd_row(const PointRow& row, Run& run) {
  const AccessPoint& point = run.points[&row - run.own];
  Task& by = task();
  if (row.kind == PointRow::Kind::value) {
    last_read_ = run.last;
    if (kByLibrary && point.end_reg == Gpr::rax) --by.depth;
    value(point, run.words[point.word]);
    if (!kByLibrary) run.looks = checks_ && !in_allocator();
    return;
  }
  const translate::Access made = translate::access_at(point, run.words);
  if (made.size_bytes == 0) return;
  run.last = made.address;
  if (made.call && kByLibrary) {
    ++by.depth;
    return;
  }
  if (made.call) {
    by.call = place(made.pc);
    by.depth = 0;
  }
  if (run.looks) access(made.address, made.size_bytes, kByLibrary ? by.call.pc : made.pc, row.how);
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
