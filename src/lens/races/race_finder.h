// Finds data races: accesses of the same bytes by two tasks, of which one writes, that nothing orders. Reads
// the stream of accesses with the entries and returns of functions of threads (translate/access_stream.h).
//
// What orders (docs/races.md tells it to users): the functions of thread_functions.h; instructions that are
// atomic as such (lock prefix, xchg with memory) release and acquire what is at their address; and so do
// plain loads and stores there, since on this processor every store is a release and every load an acquire.
// Where an access would be a race, the code is asked whether it is a load or store of an atomic type
// (CodeFacts), and if so its bytes are atomic from there on.
//
// What the C library does to its own is not looked at: only what its functions for strings, and system calls
// that the program makes by its functions, do to the program's memory.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/hash_map.h"
#include "lens/errors/heap_blocks.h"
#include "lens/heap/allocator_functions.h"
#include "lens/races/access_shadow.h"
#include "lens/races/filtered_items.h"
#include "lens/races/lock_book.h"
#include "lens/races/point_row.h"
#include "lens/races/thread_functions.h"
#include "lens/races/vector_clock.h"
#include "translate/access_stream.h"

namespace orrery::lens::races {

/// What code is, by its address alone. Asked in the midst of the stream: it must not ask the replay.
class CodeFacts {
 public:
  enum class Kind : u8 {
    program,      ///< it and its libraries
    library,      ///< the C library
    loader,       ///< the dynamic linker
    string_stub,  ///< the program's entry for one of the C library's functions for strings
  };
  virtual ~CodeFacts() = default;
  virtual Kind kind_of(u64 pc) = 0;
  /// An instruction that reads and writes memory does so as one.
  virtual bool is_locked(u64 pc) = 0;
  /// A load or store that is meant to be atomic, as far as debug information and source tell.
  virtual bool is_atomic(u64 pc) = 0;
};

struct RaceAccess {
  Place place{};  ///< of the instruction; of what a function or system call did, of the call
  u8 flags = 0;   ///< Slot's
  u64 size_bytes = 0;
  u32 locks = 0;  ///< LockBook::set()
};

/// Where what was raced for lies.
struct RaceObject {
  std::optional<errors::HeapBlock> block{};
  bool freed = false;  ///< the block had been given back
  i32 stack_of = 0;    ///< the task whose stack it is; 0: it is none's that is known
};

struct Race {
  RaceAccess first{}, second{};  ///< in the order of the recorded run
  u64 address = 0;               ///< of the first byte that both access
  u64 times = 1;
  RaceObject object{};
};

class RaceFinder {
 public:
  explicit RaceFinder(CodeFacts& code) : code_(code) {}

  /// Functions that are watched from here on.
  void watch(const heap::FileFunctions& allocators);
  void watch(const std::map<u64, const ThreadFunction*>& functions);
  /// All points of the stream so far.
  void learn(std::span<const translate::AccessPoint> points);
  void read(std::span<const u64> records);
  /// What a RepeatFilter leaves of a batch.
  void read_filtered(std::span<const u64> records, ItemQueue& items);

  // Of tasks: what only the kernel knows.

  /// The task is about to make another one.
  void creating(i32 task);
  /// It has. `thread`: what pthread_self() is there; 0: not known.
  void created(i32 task, i32 child, u64 thread, u64 stack, u64 stack_bytes);
  void ends(i32 task);
  /// Other memory is there from now on.
  void mapped(u64 address, u64 size_bytes) { clear(address, size_bytes); }
  /// The program ends.
  void finish();

  const std::vector<Race>& races() const { return races_; }
  const LockBook& locks() const { return locks_; }
  /// There were two tasks. All that the first did alone comes before what others do.
  bool checks() const { return checks_ && current_ != kNever; }
  std::size_t points() const { return points_.size(); }
  /// Of the block whose own row has that number, which is the first.
  std::span<const PointRow> block_rows(std::size_t own) const {
    return std::span(points_).subspan(own, std::size_t{1} + points_[own].word);
  }
  i32 current_task() const { return tasks_[current_].id; }
  u64 ticks() const { return ticks_; }
  /// Shows where the return addresses lie of watched functions that tasks are in, the outermost first:
  /// visit(task, address).
  template <class Visit>
  void show_open(Visit visit) const {
    for (const Task& each : tasks_)
      for (const Frame& frame : each.frames) visit(each.id, frame.rsp);
  }
  u32 tasks() const { return static_cast<u32>(tasks_.size()); }

 private:
  /// A stretch of a task's run (vector_clock.h).
  struct Segment {
    u64 event = 0, ticks = 0;
    TaskNumber task = 0;
    u32 locks = 0;
  };
  /// A call that the program made of a function that is watched.
  struct Frame {
    u64 rsp = 0;  ///< points at the return address
    u32 function = 0;
    u64 arguments[3] = {};
    Place call{};
    u32 round = 0;             ///< of a barrier
    bool ran_program = false;  ///< of `once`: the program's code ran inside
  };
  struct Task {
    i32 id = 0;
    VectorClock clock;
    std::vector<Frame> frames;
    Place call{};             ///< the last call instruction of the program
    bool in_library = false;  ///< in a function of the C library that it called
    bool in_string = false;   ///< in one for strings
    i32 depth = 0;            ///< calls inside it that have not returned
    i32 creates = -1;         ///< in snapshots_: what the task that it makes will know
    u64 stack = 0, stack_bytes = 0;
  };
  struct Block {
    errors::HeapBlock block{};
    bool live = true;
  };
  struct Watched {
    const heap::AllocatorFunction* allocator = nullptr;  ///< or
    const ThreadFunction* thread = nullptr;
  };
  /// What those who come to an object learn of those who came before.
  struct Sync {
    VectorClock clock;
    VectorClock readers;    ///< of a lock: those who held it for reading
    VectorClock rounds[2];  ///< of a barrier: even and odd ones
    u64 parties = 0;        ///< of a barrier; 0: not known
    u64 arrived = 0;
    u32 round = 0;
    std::optional<TaskNumber> runner{};  ///< of `once`: who does it just now
  };
  static constexpr u32 kNever = ~u32{0};
  static constexpr u64 kNowhere = ~u64{0};

  Task& task() { return tasks_[current_]; }
  bool in_allocator() const {
    const Task& own = tasks_[current_];
    return !own.frames.empty() && by_number_[own.frames.back().function].allocator != nullptr;
  }
  u32 now() const { return now_; }
  Place place(u64 pc) const { return {event_, tasks_[current_].id, ticks_, pc}; }
  /// Other objects are there from now on.
  void clear(u64 address, u64 size_bytes) {
    shadow_.clear(address, size_bytes);
    ++stamp_;
  }
  /// Begins a segment of the current task.
  void begin_segment();
  void turn(i32 id, u64 event, u64 ticks);
  TaskNumber add_task(i32 id);
  TaskNumber number_of(i32 id);
  bool is_before(const Slot& slot) const;

  PointRow row_of(const translate::AccessPoint& point, u64 block_pc, bool is_library);
  static void mark_repeated(std::span<PointRow> rows);
  void record(const u64* at);
  void block(translate::AccessHeader header, const u64* words);
  bool begin_program_block(const PointRow& row);
  void called(translate::AccessHeader header);
  /// Where an epoch of the filter begins.
  struct Epoch {
    const u64* at = nullptr;  ///< its first record
    u64 ticks = 0, stamp = 0;
    Place call{};
    i32 depth = 0;
  };
  /// A block's run.
  struct Run {
    const PointRow* own = nullptr;
    const u64* words = nullptr;
    const translate::AccessPoint* points = nullptr;
    u32 guest_bytes = 0;
    bool looks = false;  ///< accesses count
    u64 last = 0;        ///< where the last access was
    u64 stamp = 0;       ///< when it began
  };
  Run run_of(const u64* at) const;
  void fetch_ahead(const ItemQueue& items);
  static constexpr u32 kAhead = 16;  ///< items
  void filtered_access(const FilteredItem& item, const u64* at);
  const u64* rest_of_block(const u64* block, u32 row, const Epoch& epoch);
  void told(const FilteredItem& state, std::span<const u64> records);
  void follow(translate::AccessHeader header);
  Epoch begin_epoch(const u64* at) const;
  template <bool kByLibrary>
  void accesses(Run run, const PointRow* from);
  template <bool kByLibrary>
  void odd_row(const PointRow& row, Run& run);
  void simple_access(const PointRow& row, u64 address, u64 pc);
  void engine(translate::AccessHeader header, const u64* words);
  void value(const translate::AccessPoint& point, u64 word);
  void entered();
  void returned(Task& task, i64 result);

  // Functions of threads (thread_events.cc).
  void enter(const ThreadFunction& function, Frame& frame);
  void runs_program(Frame& frame);
  void leave(const ThreadFunction& function, const Frame& frame, i64 result);
  void arrive(Frame& frame);
  void join_thread(u64 thread);
  Sync& sync(u64 address);
  void acquire(const VectorClock& clock) { task().clock.join(clock); }
  void release(VectorClock& clock);
  void release_lock(const Frame& frame);
  void wait(const Frame& frame);

  // Accesses (race_checks.cc).
  void access(u64 address, u64 size_bytes, u64 pc, u8 flags);
  void touch(ShadowWord word, u64 address, u8 bytes, u64 pc, u8 flags, u64 size_bytes);
  bool is_own(ShadowWord word, const Slot& made);
  void check(ShadowWord word, u64 address, const Slot& made, u64 size_bytes);
  void atomic(ShadowWord word, u64 address, const Slot& made, u64 size_bytes);
  void make_atomic(ShadowWord word, u64 address, u8 bytes);
  bool is_race(const Slot& before, const Slot& made) const;
  void replace(ShadowWord word, const Slot& made);
  void found(const Slot& before, const Slot& made, u64 word, u64 size_bytes);
  RaceAccess told(const Slot& slot, u64 size_bytes) const;
  void give(u64 address, u64 size_bytes, const Frame& by);
  void take_back(u64 address, const Frame& by);
  const Block* block_at(u64 address) const;

  CodeFacts& code_;
  std::vector<PointRow> points_;
  std::vector<translate::AccessPoint> access_points_;
  /// As points_: of each block the stamp of when it last ran, of its simple accesses the addresses.
  std::vector<u64> latest_;
  u64 stamp_ = 1;  ///< changes when a segment begins, and when other objects come to lie somewhere
  bool checks_ = false;
  std::vector<Task> tasks_;
  HashMap<TaskNumber> task_numbers_;  ///< by id
  TaskNumber current_ = kNever;
  u64 event_ = 0, ticks_ = 0;
  u32 turn_ = 0;  ///< the first segment since the current task runs
  std::vector<Segment> segments_{1};
  u32 now_ = 0;  ///< the last of them
  AccessShadow shadow_;
  HashMap<u32> sync_numbers_;  ///< by address
  std::vector<Sync> syncs_{1};
  std::vector<VectorClock> snapshots_;
  std::map<u64, TaskNumber> threads_;  ///< by what pthread_self() is there
  LockBook locks_;
  std::map<u64, Block> blocks_;  ///< by address, also those given back whose memory nobody has since
  HashMap<u32> functions_;       ///< number by address
  std::vector<Watched> by_number_;
  struct Entered {
    u64 pc = 0, rsp = 0;
    u64 arguments[3] = {};
  } entering_;
  u64 last_read_ = 0;  ///< where the access before was: of a return, its address
  std::vector<Race> races_;
  std::map<std::pair<u64, u64>, std::size_t> race_numbers_;  ///< by the two instructions
};

}  // namespace orrery::lens::races
