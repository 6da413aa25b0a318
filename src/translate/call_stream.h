// The stream of calls of a replay that is asked for them: what emitted code writes, and what a reader makes
// of it. Nothing of it is emitted unless somebody asks.
//
// Each call and each return writes a record, and so does the entry of each function that is watched. With the
// stack pointer in every record a reader knows at any time which calls have not returned, whatever the
// program did to its stack: a call whose stack pointer is not above the present one is over.
//
// Or only watched functions are noted (call_path.h): their entries, the calls that led there, and the returns
// of these, if they are wanted; then a record before each entry says which calls have returned since.
#pragma once

#include <span>

#include "base/types.h"

namespace orrery::translate {

enum class CallRecord : u8 {
  turn = 0,   ///< whose code runs now; words: event, ticks
  call = 1,   ///< words: rsp before the return address is pushed
  ret = 2,    ///< words: rsp, which points at the return address; rax
  entry = 3,  ///< of a watched function; words: rsp, ticks, as many arguments as are wanted
  /// Words: rsp of the innermost call, of those noted before, that is still on, or one less; calls below it
  /// have returned. More than any rsp if there is none.
  outer = 4,
  /// Three in one, as they mostly come: outer, the call that led to a watched function, and its entry, where
  /// rsp is 8 less than before that call; words: that of outer, the call's header, those of the entry.
  led = 5,
};

/// At the first instruction of a watched function.
struct EnteredFunction {
  static constexpr u32 kArgumentsMost = 3;
  u64 rsp = 0;                         ///< points at the return address, if it was called
  u64 ticks = 0;                       ///< of the task
  u64 arguments[kArgumentsMost] = {};  ///< 0 those that are not wanted
};

/// A function that is to be watched, and what is wanted of it. An address alone stands for all.
struct WatchedFunction {
  u64 word = 0;

  static constexpr WatchedFunction of(u64 address, u32 arguments, bool returns) {
    return {address | u64{EnteredFunction::kArgumentsMost - arguments} << kUnwantedArguments |
            u64{!returns} << kUnwantedReturn};
  }
  constexpr u64 address() const { return word & ((u64{1} << kUnwantedArguments) - 1); }
  constexpr u32 arguments() const {
    return EnteredFunction::kArgumentsMost - static_cast<u32>(word >> kUnwantedArguments & 3);
  }
  /// If not, its returns are not noted where only watched functions are: a call that led there is over when
  /// the next record that tells so.
  constexpr u8 wanted() const { return static_cast<u8>(word >> kUnwantedArguments); }
  constexpr bool returns() const { return (word >> kUnwantedReturn & 1) == 0; }

 private:
  static constexpr u32 kUnwantedArguments = 56, kUnwantedReturn = 58;
};

struct CallHeader {
  u64 word = 0;

  /// `arguments`: of an entry.
  static constexpr CallHeader of(CallRecord record, u64 pc, u32 arguments = 0) {
    return {pc << 8 | u64{words_of(record) + arguments} << 4 | static_cast<u64>(record)};
  }
  static constexpr u32 words_of(CallRecord record) {
    switch (record) {
      case CallRecord::turn:
      case CallRecord::ret:
      case CallRecord::entry:
        return 2;
      case CallRecord::call:
      case CallRecord::outer:
        return 1;
      case CallRecord::led:
        return 4;
    }
    return 0;
  }

  CallRecord record() const { return static_cast<CallRecord>(word & 15); }
  u32 words() const { return word >> 4 & 15; }
  u64 pc() const { return word >> 8; }  ///< of the instruction; of a turn, the task
};

/// Goes through records and shows each to `Sink`: void turn(i32 task, u64 event, u64 ticks),
/// void call(u64 pc, u64 rsp), void ret(u64 pc, u64 rsp, u64 rax), void entry(u64 pc, const
/// EnteredFunction&), and, if only watched functions are noted, void outer(u64 rsp).
template <class Sink>
void read_calls(std::span<const u64> records, Sink& sink) {
  const auto entered = [](const u64* words, u32 count) {
    return EnteredFunction{
        words[0], words[1], {count > 2 ? words[2] : 0, count > 3 ? words[3] : 0, count > 4 ? words[4] : 0}};
  };
  constexpr u64 kReturnAddressBytes = 8;
  const u64* const end = records.data() + records.size();
  constexpr u32 kWordsAhead = 64;  // what another processor has written comes late
  for (const u64* at = records.data(); at < end;) {
    __builtin_prefetch(at + kWordsAhead);
    const CallHeader header{*at};
    const u64* words = at + 1;
    switch (header.record()) {
      case CallRecord::call:
        sink.call(header.pc(), words[0]);
        // Many come in a row.
        for (; words + 2 < end && CallHeader{words[1]}.record() == CallRecord::call; words += 2)
          sink.call(CallHeader{words[1]}.pc(), words[2]);
        break;
      case CallRecord::ret:
        sink.ret(header.pc(), words[0], words[1]);
        break;
      case CallRecord::entry:
        sink.entry(header.pc(), entered(words, header.words()));
        break;
      case CallRecord::outer:
        if constexpr (requires { sink.outer(words[0]); }) sink.outer(words[0]);
        break;
      case CallRecord::led:
        if constexpr (requires { sink.outer(words[0]); }) sink.outer(words[0]);
        sink.call(CallHeader{words[1]}.pc(), words[2] + kReturnAddressBytes);
        sink.entry(header.pc(), entered(words + 2, header.words() - 2));
        break;
      case CallRecord::turn:
        sink.turn(static_cast<i32>(header.pc()), words[0], words[1]);
        break;
    }
    at = words + header.words();
  }
}

}  // namespace orrery::translate
