// The calls of the running task that have not returned, kept where emitted code can reach them. A replay that
// is asked only for some functions (Translator::Noted::watched_calls) notes of the calls those that led
// there: a call that returns before a watched function is entered costs a push and a pop here, and no record.
//
// A frame is pushed at each call and popped at the return that fits it: whose stack pointer then is as before
// the call. At the entry of a watched function all frames that were not noted yet are, outermost first, after
// a record that says which call is still on of those noted before (CallRecord::outer); so a reader knows the
// path as if it had seen everything. Mostly one frame was not noted, the one of the call that led there: then
// all is one record (CallRecord::led). The frame that led there is marked if its return is wanted, and that
// is noted too.
//
// A return that does not fit leaves for the engine, which notes every frame that was not, drops those that
// are over and has the return done again: behind frames that were left without returning (longjmp, an
// exception, another stack), and where no call was seen of it (a signal handler's, one to a frame that was
// dropped). A call is pushed without a look at what lies there: frames that it shows to be over, those whose
// stack pointer is not above its own, a reader drops by the same rule (call_stream.h), and the engine where
// the path is full, which is a fault.
//
// None of the code touches a flag. It borrows r11 and, but for calls, rcx and, at entries, rax for its own
// few instructions.
#pragma once

#include <span>
#include <vector>

#include "base/hash_map.h"
#include "memory/layout.h"
#include "translate/call_noter.h"
#include "translate/call_stream.h"
#include "translate/emitter.h"

namespace orrery::translate {

struct PathFrame {
  /// Before the return address was pushed; one less if the call led to a watched function, so that its return
  /// does not fit. The outermost frame stands for all that is not known: whatever lies below it is over.
  u64 rsp = 0;
  u64 note = 0;  ///< the call's header; 0: it has been noted
};

/// At a fixed address below 2 GiB, as the slots are.
inline constexpr u64 kPathStart = memory::layout::kEngineState.start + 0x80'0000;
inline constexpr u64 kPathFrames = 1 << 16;
inline constexpr u64 kPathEnd = kPathStart + kPathFrames * sizeof(PathFrame);  ///< nobody can write there
static_assert(kPathEnd <= memory::layout::kEngineState.end && kPathEnd < 0x8000'0000);
static_assert(sizeof(PathFrame) == 16 && offsetof(PathFrame, note) == 8, "emitted code knows them");

/// Where the way out for what does not fit is to be bound.
struct PathExit {
  u8* displacement = nullptr;
};

/// Before a call at `pc`. `mark` is called before the store that faults where the path is full, with r11
/// borrowed, and `done` behind it.
template <class Mark, class Done>
void emit_path_call(Emitter& emit, u64 pc, Mark mark, Done done);
/// Before a return, in two parts: between them and behind `watched()` comes its record (call_noter.h).
class PathReturn {
 public:
  PathExit begin(Emitter& emit);
  void end(Emitter& emit);

 private:
  u8* fits_ = nullptr;
};
/// What comes before the record of a watched function's entry, in two parts. `mark` is called before each
/// store that faults where the stream ends, with rax, rcx and r11 borrowed.
///
/// What mostly comes: one record for all, behind which the code goes on at what is returned. Else the code
/// goes on behind this, with all three borrowed.
template <class Mark>
u8* emit_path_led(Emitter& emit, u64 pc, WatchedFunction wanted, TickHome home, Mark mark);
template <class Mark>
void emit_path_entry(Emitter& emit, WatchedFunction wanted, Mark mark);
/// Gives back what calls and returns borrow.
void emit_path_give_back(Emitter& emit);

/// The paths of all tasks: that of the running one is in its place, the others' are copies.
class CallPaths {
 public:
  /// From here on nothing is known of any task.
  void begin();
  void switch_to(i32 task);

  /// The frames that were not noted yet, outermost first.
  std::span<PathFrame> not_noted();
  /// Drops the frames that are over: later ones lie at or above them.
  void drop_those_over();
  /// The word of CallRecord::outer.
  u64 innermost_noted() { return (not_noted().data() - 1)->rsp; }
  bool is_full() const { return top() == reinterpret_cast<PathFrame*>(kPathEnd); }
  /// Of a path that is full. All frames have been noted.
  void make_room();
  /// Before a return with this stack pointer is done again. All frames have been noted.
  void mend_for_return(u64 rsp);

 private:
  static PathFrame* first() { return reinterpret_cast<PathFrame*>(kPathStart); }
  static PathFrame* top() { return reinterpret_cast<PathFrame*>(slots().path_top); }
  static void set_top(PathFrame* top) { slots().path_top = reinterpret_cast<u64>(top); }
  void drop_those_below(u64 rsp);

  i32 task_ = 0;
  HashMap<u32> numbers_;  ///< of tasks that have run, index of saved_
  std::vector<std::vector<PathFrame>> saved_;
};

// --- the code of calls and entries ---

namespace path_code {

inline constexpr u8 kLoadNote[] = {0x49, 0x8b, 0x4b, 0xf8};              // mov rcx, [r11 - 8]
inline constexpr u8 kLoadRsp[] = {0x49, 0x8b, 0x4b, 0xf0};               // mov rcx, [r11 - 16]
inline constexpr u8 kDown[] = {0x4d, 0x8d, 0x5b, 0xf0};                  // lea r11, [r11 - 16]
inline constexpr u8 kUp[] = {0x4d, 0x8d, 0x5b, 0x10};                    // lea r11, [r11 + 16]
inline constexpr u8 kNot[] = {0x48, 0xf7, 0xd1};                         // not rcx
inline constexpr u8 kBehindReturn[] = {0x48, 0x8d, 0x4c, 0x0c, 9};       // lea rcx, [rsp + rcx + 9]
inline constexpr u8 kPutWord[] = {0x48, 0x89, 0x48, 0x08};               // mov [rax + 8], rcx
inline constexpr u8 kPutHeader[] = {0x48, 0x89, 0x08};                   // mov [rax], rcx
inline constexpr u8 kPutHeaderNumber[] = {0x48, 0xc7, 0x00};             // mov qword [rax], imm32
inline constexpr u8 kNextRecord[] = {0x48, 0x8d, 0x40, 0x10};            // lea rax, [rax + 16]
inline constexpr u8 kFrameRsp[] = {0x49, 0x8b, 0x0b};                    // mov rcx, [r11]
inline constexpr u8 kFrameNote[] = {0x49, 0x8b, 0x4b, 0x08};             // mov rcx, [r11 + 8]
inline constexpr u8 kNoted[] = {0x49, 0xc7, 0x43, 0x08, 0, 0, 0, 0};     // mov qword [r11 + 8], 0
inline constexpr u8 kFromTop[] = {0x49, 0x8d, 0x4c, 0x0b, 1};            // lea rcx, [r11 + rcx + 1]
inline constexpr u8 kMarked[] = {0x48, 0x8d, 0x4c, 0x24, 7};             // lea rcx, [rsp + 7]
inline constexpr u8 kPutRsp[] = {0x49, 0x89, 0x4b, 0xf0};                // mov [r11 - 16], rcx
inline constexpr u8 kLoadTopNote[] = {0x48, 0x8b, 0x48, 0xf8};           // mov rcx, [rax - 8]
inline constexpr u8 kLoadTopRsp[] = {0x48, 0x8b, 0x48, 0xf0};            // mov rcx, [rax - 16]
inline constexpr u8 kLoadNoteBelow[] = {0x48, 0x8b, 0x48, 0xe8};         // mov rcx, [rax - 24]
inline constexpr u8 kPutTopRsp[] = {0x48, 0x89, 0x48, 0xf0};             // mov [rax - 16], rcx
inline constexpr u8 kTopNoted[] = {0x48, 0xc7, 0x40, 0xf8, 0, 0, 0, 0};  // mov qword [rax - 8], 0
inline constexpr u8 kPushRsp[] = {0x49, 0x89, 0x23};                     // mov [r11], rsp
inline constexpr u8 kPushNoteLow[] = {0x41, 0xc7, 0x43, 0x08};           // mov dword [r11 + 8], imm32
inline constexpr u8 kPushNoteHigh[] = {0x41, 0xc7, 0x43, 0x0c};          // mov dword [r11 + 12], imm32
inline constexpr u8 kJrcxz = 0xe3, kJmp = 0xeb;

/// A short jump to what was emitted before.
inline void jump_back(Emitter& emit, u8 opcode, const u8* target) {
  emit.byte(opcode);
  emit.byte(static_cast<u8>(target - (emit.at() + 1)));
}

}  // namespace path_code

template <class Mark, class Done>
void emit_path_call(Emitter& emit, u64 pc, Mark mark, Done done) {
  using namespace path_code;
  emit.store_slot(ORRERY_SLOT_NOTES_PLACE, Gpr::r11);
  emit.load_slot(Gpr::r11, ORRERY_SLOT_PATH_TOP);
  mark();
  emit.bytes(kPushRsp);
  const u64 note = CallHeader::of(CallRecord::call, pc).word;
  emit.bytes(kPushNoteLow);
  emit.word32(static_cast<u32>(note));
  emit.bytes(kPushNoteHigh);
  emit.word32(static_cast<u32>(note >> 32));
  emit.bytes(kUp);
  emit.store_slot(ORRERY_SLOT_PATH_TOP, Gpr::r11);
  emit.load_slot(Gpr::r11, ORRERY_SLOT_NOTES_PLACE);
  done();
}

template <class Mark>
u8* emit_path_led(Emitter& emit, u64 pc, WatchedFunction wanted, TickHome home, Mark mark) {
  using namespace path_code;
  emit.store_slot(ORRERY_SLOT_NOTES_PLACE, Gpr::r11);
  emit.store_slot(ORRERY_SLOT_NOTES_ADDRESS, Gpr::rcx);
  emit.store_slot(ORRERY_SLOT_SPILL_RAX, Gpr::rax);
  // The innermost frame is the first that was not noted, and the return of this function fits it.
  emit.load_slot(Gpr::rax, ORRERY_SLOT_PATH_TOP);
  emit.bytes(kLoadTopNote);
  u8* const was_noted = emit.short_branch(kJrcxz);
  emit.bytes(kLoadNoteBelow);
  u8* const first = emit.short_branch(kJrcxz);
  emit.bind8(was_noted);
  const u8* const is_other = emit.at();
  u8* const other = emit.jmp_relative();
  emit.bind8(first);
  emit.bytes(kLoadTopRsp);
  emit.bytes(kNot);
  emit.bytes(kBehindReturn);
  u8* const called = emit.short_branch(kJrcxz);
  jump_back(emit, kJmp, is_other);
  emit.bind8(called);
  mark();
  emit_led_trial(emit, wanted);
  emit_led_note(emit, pc, wanted, home);
  emit.bytes(kTopNoted);
  if (wanted.returns()) {
    emit.bytes(kMarked);
    emit.bytes(kPutTopRsp);
  }
  emit.load_slot(Gpr::rax, ORRERY_SLOT_SPILL_RAX);
  emit_path_give_back(emit);
  u8* const done = emit.jmp_relative();
  Emitter::bind32(other, emit.at());
  return done;
}

template <class Mark>
void emit_path_entry(Emitter& emit, WatchedFunction wanted, Mark mark) {
  using namespace path_code;
  // Down to the innermost frame that was noted: the record of what is still on.
  emit.load_slot(Gpr::r11, ORRERY_SLOT_PATH_TOP);
  const u8* const down = emit.at();
  emit.bytes(kLoadNote);
  u8* const is_noted = emit.short_branch(kJrcxz);
  emit.bytes(kDown);
  jump_back(emit, kJmp, down);
  emit.bind8(is_noted);
  emit.bytes(kLoadRsp);
  emit.load_slot(Gpr::rax, ORRERY_SLOT_NOTES_AT);
  mark();
  emit.bytes(kPutWord);
  emit.bytes(kPutHeaderNumber);
  emit.word32(static_cast<u32>(CallHeader::of(CallRecord::outer, 0).word));
  emit.bytes(kNextRecord);
  emit.store_slot(ORRERY_SLOT_NOTES_AT, Gpr::rax);
  // Up again, a record for each. What is noted stays so if the stream ends on the way.
  const u8* const up = emit.at();
  emit.load_slot(Gpr::rcx, ORRERY_SLOT_PATH_TOP);
  emit.bytes(kNot);
  emit.bytes(kFromTop);
  u8* const at_top = emit.short_branch(kJrcxz);
  emit.bytes(kFrameRsp);
  emit.bytes(kPutWord);
  emit.bytes(kFrameNote);
  emit.bytes(kPutHeader);
  emit.bytes(kNoted);
  emit.bytes(kNextRecord);
  emit.store_slot(ORRERY_SLOT_NOTES_AT, Gpr::rax);
  emit.bytes(kUp);
  jump_back(emit, kJmp, up);
  emit.bind8(at_top);
  if (wanted.returns()) {
    // The call that led here is marked, if it did: the function may have been jumped to.
    emit.bytes(kLoadRsp);
    emit.bytes(kNot);
    emit.bytes(kBehindReturn);
    u8* const called = emit.short_branch(kJrcxz);
    u8* const jumped = emit.short_branch(kJmp);
    emit.bind8(called);
    emit.bytes(kMarked);
    emit.bytes(kPutRsp);
    emit.bind8(jumped);
  }
  emit.load_slot(Gpr::rax, ORRERY_SLOT_SPILL_RAX);
  emit_path_give_back(emit);
}

}  // namespace orrery::translate
