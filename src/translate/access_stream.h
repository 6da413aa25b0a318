// The stream of memory accesses of a replay that is asked for them: what emitted code and the engine write,
// and what a reader makes of it. Nothing of it is emitted unless somebody asks.
//
// A block is described once, when it is translated: one AccessPoint for each access it makes. When it runs it
// writes a record of what only the run knows: one word for each address that is not known beforehand, behind
// a header that says how far the block got. So an access costs one or two instructions, and a reader has the
// pc, size and direction of each, and the instructions and ticks that passed.
//
// Who asks for suspects only gets the accesses of what HeapWatch forbids (heap_watch.h), as engine records
// with a turn before each, and entered and returned records of allocators' functions.
//
// If functions are watched, registers are noted as accesses are: at their entries those of EnteredValues,
// and rax before each return, whose access of the return address comes just before.
#pragma once

#include <span>
#include <vector>

#include "base/types.h"
#include "cpu/registers.h"
#include "x86/accesses.h"

namespace orrery::translate {

using x86::AccessKind;

inline constexpr u16 kNoWord = 0xffff;

/// Noted at the entry of a watched function, in this order, before the accesses of its first instruction.
inline constexpr cpu::Gpr kEnteredValues[] = {cpu::Gpr::rsp, cpu::Gpr::rdi, cpu::Gpr::rsi, cpu::Gpr::rdx};

/// An access, or a register whose value is noted: kind none, and nothing but its word and `end_reg`.
struct AccessPoint {
  u64 pc = 0;
  u64 address = 0;          ///< added to its word, if it has one
  u16 word = kNoWord;       ///< in the block's record
  u16 base_word = kNoWord;  ///< the segment's base
  u16 end_word = kNoWord;   ///< repeated: the register behind it; `word` is the register before
  u16 size_bytes = 0;       ///< of one element, if repeated
  u16 points = 0;           ///< of the block's own row, which comes first: how many follow
  AccessKind kind = AccessKind::none;
  bool narrow = false;               ///< addresses have 32 bits
  bool call = false;                 ///< a call puts its return address there
  cpu::Gpr end_reg = cpu::Gpr::rax;  ///< repeated, or noted for its value: which register that is
};

/// What a record's header is.
enum class AccessRecord : u8 {
  block = 0,
  turn = 1,       ///< whose code runs now: task in the header; words: event, ticks
  engine = 2,     ///< an access of the engine in the program's place; words: address, size, pc
  take_back = 3,  ///< the last instruction was not completed: neither it nor, if it was one, its tick counts
  entered = 4,    ///< a watched function; words: pc, rsp, rdi, rsi, rdx, return address
  returned = 5,   ///< of one: rsp at its entry, rax, the address that it has given out
  undefined = 6,  ///< an undefined value decides: words: pc, UndefinedUse::Kind, where it was loaded from
};

/// Who made the access of an `engine` record.
enum class AccessBy : u8 { instruction, kernel };

struct AccessHeader {
  u64 word = 0;

  static AccessHeader block(u32 point, u32 guest_bytes, u32 words, u32 instructions, bool tick) {
    return {u64{point} << 32 | u64{guest_bytes} << 20 | u64{words} << 11 | u64{instructions} << 3 |
            (tick ? 4u : 0u)};
  }
  static AccessHeader turn(i32 task) {
    return {u64{static_cast<u32>(task)} << 32 | u64{2} << 11 | static_cast<u64>(AccessRecord::turn)};
  }
  static AccessHeader engine(AccessKind kind, AccessBy by) {
    return {u64{static_cast<u8>(kind)} << 32 | u64{static_cast<u8>(by)} << 40 | u64{3} << 11 |
            static_cast<u64>(AccessRecord::engine)};
  }
  static AccessHeader entered() { return further(AccessRecord::entered, 6); }
  static AccessHeader returned() { return further(AccessRecord::returned, 3); }
  static AccessHeader undefined() { return further(AccessRecord::undefined, 3); }
  static AccessHeader take_back(bool tick) {
    return {(tick ? 4u : 0u) | static_cast<u64>(AccessRecord::take_back)};
  }

  AccessRecord record() const {
    const u64 low = word & 3;
    return static_cast<AccessRecord>(low < 3 ? low : low + (word >> 32 & 0xff));
  }
  bool tick() const { return (word & 4) != 0; }
  u32 instructions() const { return word >> 3 & 0xff; }
  u32 words() const { return word >> 11 & 0x1ff; }
  u32 guest_bytes() const { return word >> 20 & 0xfff; }
  u32 point() const { return static_cast<u32>(word >> 32); }
  i32 task() const { return static_cast<i32>(word >> 32); }
  AccessKind kind() const { return static_cast<AccessKind>(word >> 32 & 0xff); }
  AccessBy by() const { return static_cast<AccessBy>(word >> 40 & 0xff); }

 private:
  static AccessHeader further(AccessRecord record, u64 words) {
    return {(static_cast<u64>(record) - 3) << 32 | words << 11 | 3};
  }
};
inline constexpr u32 kRecordWordsMost = 480;  ///< of one record, without what AccessHeader adds

/// One access as a reader sees it.
struct Access {
  u64 address = 0, size_bytes = 0, pc = 0;
  AccessKind kind = AccessKind::none;
  AccessBy by = AccessBy::instruction;
  bool call = false;  ///< a call puts its return address there
};

/// A watched function at its entry, among suspects.
struct EnteredAllocator {
  u64 pc = 0, rsp = 0;
  u64 arguments[3] = {};
  u64 return_address = 0;
};

/// Of a block that ran, by its record's words.
inline Access access_at(const AccessPoint& point, const u64* words) {
  u64 address = point.address + (point.word == kNoWord ? 0 : words[point.word]);
  u64 bytes = point.size_bytes;
  if (point.end_word != kNoWord) {
    const u64 difference = words[point.end_word] - words[point.word];
    const i64 moved = point.narrow ? static_cast<i32>(difference) : static_cast<i64>(difference);
    if (moved < 0) address += static_cast<u64>(moved) + point.size_bytes;
    bytes = static_cast<u64>(moved < 0 ? -moved : moved);
  }
  if (point.narrow) address &= 0xffff'ffff;
  if (point.base_word != kNoWord) address += words[point.base_word];
  return {address, bytes, point.pc, point.kind, AccessBy::instruction, point.call};
}

/// Goes through records and shows each access to `Sink`: void access(const Access&), and void block(header,
/// points) for each stretch of a block that was executed, before its accesses; if it has it, void
/// value(const AccessPoint&, u64) for each register, entered(const EnteredAllocator&), returned(rsp, rax,
/// given) and undefined(pc, kind, origin). Keeps count of the instant.
class AccessReader {
 public:
  i32 task = 0;
  u64 event = 0, ticks = 0;  ///< of the task, where the last record ends
  u64 instructions = 0;      ///< of all records read

  /// `records` ends with a whole one.
  template <class Sink>
  void read(std::span<const u64> records, std::span<const AccessPoint> points, Sink& sink) {
    for (const u64* at = records.data(); at < records.data() + records.size();) {
      const AccessHeader header{*at};
      one(header, at + 1, points, sink);
      at += 1 + header.words();
    }
  }

 private:
  template <class Sink>
  void one(AccessHeader header, const u64* words, std::span<const AccessPoint> points, Sink& sink) {
    switch (header.record()) {
      case AccessRecord::turn:
        task = header.task();
        event = words[0], ticks = words[1];
        return;
      case AccessRecord::engine:
        sink.access(Access{words[0], words[1], words[2], header.kind(), header.by()});
        return;
      case AccessRecord::take_back:
        --instructions;
        ticks -= header.tick() ? 1 : 0;
        return;
      case AccessRecord::entered:
        if constexpr (requires { sink.entered(EnteredAllocator{}); })
          sink.entered({words[0], words[1], {words[2], words[3], words[4]}, words[5]});
        return;
      case AccessRecord::returned:
        if constexpr (requires { sink.returned(u64{}, u64{}, u64{}); })
          sink.returned(words[0], words[1], words[2]);
        return;
      case AccessRecord::undefined:
        if constexpr (requires { sink.undefined(u64{}, u64{}, u64{}); })
          sink.undefined(words[0], words[1], words[2]);
        return;
      case AccessRecord::block:
        break;
    }
    const AccessPoint& block = points[header.point()];
    sink.block(header, block);
    const u64 past = block.pc + header.guest_bytes();
    for (const AccessPoint* point = &block + 1; point <= &block + block.points && point->pc < past; ++point) {
      if (point->kind == AccessKind::none) {
        if constexpr (requires { sink.value(*point, u64{}); }) sink.value(*point, words[point->word]);
        continue;
      }
      const Access access = access_at(*point, words);
      if (access.size_bytes != 0) sink.access(access);
    }
    instructions += header.instructions();
    ticks += header.tick() ? 1 : 0;
  }
};

}  // namespace orrery::translate
