// Which bytes of the heap nobody may touch, as emitted code tests it (access_tester.h), and what allocator
// functions do to it. A replay has one that is asked for suspects; nobody else does.
//
// There is a byte of shadow for each byte of memory, at a fixed distance, so that a test is one load with the
// operand's own address: zero where the program may go. What is not an allocator's memory is zero too, and
// has never been written, so all of it is the host's one page of zeros. While a task is in an allocator
// function, tests read another shadow, which is zero everywhere.
#pragma once

#include <span>
#include <vector>

#include "base/hash_map.h"
#include "cpu/registers.h"
#include "memory/layout.h"
#include "translate/defined_shadow.h"

namespace orrery::translate {

using memory::layout::Range;

/// What is added to an address for its shadow. Both lead from all three windows to where nothing else lies.
inline constexpr u64 kShadowOffset = 0x6880'0000'0000;
inline constexpr u64 kNoShadowOffset = 0x6780'0000'0000;
/// A word of zeros at this distance from either offset, the last of its page, behind which nothing is mapped
/// as far as a test can get: to shadow bytes of kForbidden, loaded as a word of eight.
inline constexpr i32 kZeroWord = -0x7000'0008;
inline constexpr u8 kForbidden = 0x40;
/// A byte for each page of the high window: whether it is known to be an allocator's.
inline constexpr Range kHeldPages{0x70bc'0000'0000,
                                  0x70bc'0000'0000 + memory::layout::kHighWindow.size_bytes() / kPageBytes};

constexpr Range shadow_of(Range memory, u64 offset) { return {memory.start + offset, memory.end + offset}; }
static_assert(shadow_of(memory::layout::kLowWindow, kNoShadowOffset).start > memory::layout::kHighShadow.end);
static_assert(shadow_of(memory::layout::kMiddleWindow, kShadowOffset).end <
              memory::layout::kEngineHigh.start);
static_assert(shadow_of(memory::layout::kHighWindow, kNoShadowOffset).start >
              memory::layout::kEngineHigh.end);
static_assert(shadow_of(memory::layout::kHighWindow, kShadowOffset).end < memory::layout::kHostHigh.start);

enum class AllocatorKind : u8 {
  allocate,     ///< returns a block
  reallocate,   ///< takes a block back and returns another, or null and takes nothing
  release,      ///< takes a block back
  allocate_to,  ///< stores the block's address where an argument points, and returns 0
  measure       ///< returns how many bytes of a block may be used
};

/// An allocator's function, by which of its first three arguments say what.
struct AllocatorEntry {
  static constexpr u8 kNone = 0xff;
  u64 address = 0;
  AllocatorKind kind = AllocatorKind::allocate;
  u8 size = kNone;     ///< bytes wanted
  u8 count = kNone;    ///< times this
  u8 pointer = kNone;  ///< the block, or where its address goes
  u32 reserved = 0;
  u64 size_bytes = 0;  ///< where no argument tells
};
static_assert(sizeof(AllocatorEntry) == 3 * sizeof(u64));

class HeapWatch {
 public:
  /// Nothing is known; the shadow is to be all zeros.
  void clear() { *this = {}; }
  /// The shadow is this one, of which bits are undefined: nothing is forbidden, and what is given out is
  /// undefined, but by functions that clear it.
  void mark_undefined(DefinedShadow& shadow) { defined_ = &shadow; }
  bool marks_undefined() const { return defined_ != nullptr; }
  /// The kernel has moved a block with what is undefined of it.
  void moved() { moved_ = true; }
  /// In a process that was forked: whose shadow it is, and its blocks, stay.
  void inherit();

  void watch(std::span<const AllocatorEntry> functions);
  /// Code that is not tested at all: the allocators' own.
  void leave_out(Range code) { left_out_.push_back(code); }
  bool leaves_out(u64 pc) const { return contains(left_out_, pc); }
  /// Code whose reads of whole vectors are right if their first byte is: that of string functions.
  void read_vectors(Range code) { vectors_.push_back(code); }
  bool reads_vectors(u64 pc) const { return contains(vectors_, pc); }

  /// An allocator, in which the task is, has got this memory: nobody may touch what it has not given out.
  void hold(i32 task, Range memory);
  void let_go(Range memory);

  /// This task runs from here on.
  void run(i32 task);
  bool in_allocator() const { return slots_shadow() == kNoShadowOffset; }
  bool forbids(u64 address, u64 size_bytes) const;

  /// The task that runs is at the entry of this function. Returns where it will return to; 0 if it is none of
  /// those watched, or the task is in one already.
  u64 enter(const cpu::Registers& regs);
  /// It stands where a function of theirs may have returned to. False if none has.
  bool leave(const cpu::Registers& regs);
  /// The address that the function just left has given out; 0: none.
  u64 given() const { return given_; }

 private:
  struct Pending {
    u64 rsp = 0;  ///< points at the return address; 0: in none
    u32 function = 0;
    u64 arguments[3] = {};
    /// What it has got, and a large block that it was given, until it returns or somebody else runs: it is
    /// often given out, or to the kernel, at once.
    std::vector<Range> held{};
    Range released{0, 0};
  };

  static u64 slots_shadow();
  static void use_shadow(u64 offset);
  static bool contains(const std::vector<Range>& code, u64 pc);
  Pending& pending() { return pending_[static_cast<u64>(task_)]; }
  void settle(Pending& pending, Range given);
  void hold_now(Range memory);
  void give(u64 address, u64 size_bytes);
  void take_back(Pending& by, u64 address);
  bool leave_marking(Pending& made, const cpu::Registers& regs);

  i32 task_ = 0;
  u64 given_ = 0;
  bool moved_ = false;
  DefinedShadow* defined_ = nullptr;
  HashMap<u32> functions_;  ///< index by address
  std::vector<AllocatorEntry> entries_;
  std::vector<Range> left_out_, vectors_;
  HashMap<Pending> pending_;  ///< by task
  HashMap<u64> blocks_;       ///< bytes by address
};

}  // namespace orrery::translate
