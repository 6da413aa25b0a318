#include "translate/call_path.h"

#include <algorithm>
#include <cstring>

namespace orrery::translate {

using path_code::kBehindReturn;
using path_code::kDown;
using path_code::kJrcxz;
using path_code::kLoadRsp;
using path_code::kNot;

namespace {

/// Of a task of which nothing is known: any call lies below it, by less than 2^56, and no return fits it.
constexpr PathFrame kOutermost = {.rsp = u64{1} << 50, .note = 0};

void borrow(Emitter& emit) {
  emit.store_slot(ORRERY_SLOT_NOTES_PLACE, Gpr::r11);
  emit.store_slot(ORRERY_SLOT_NOTES_ADDRESS, Gpr::rcx);
  emit.load_slot(Gpr::r11, ORRERY_SLOT_PATH_TOP);
  emit.bytes(kLoadRsp);
  emit.bytes(kNot);
}

}  // namespace

void emit_path_give_back(Emitter& emit) {
  emit.load_slot(Gpr::r11, ORRERY_SLOT_NOTES_PLACE);
  emit.load_slot(Gpr::rcx, ORRERY_SLOT_NOTES_ADDRESS);
}

PathExit PathReturn::begin(Emitter& emit) {
  borrow(emit);
  emit.bytes(kBehindReturn);
  fits_ = emit.short_branch(kJrcxz);
  static constexpr u8 kLessOne[] = {0x48, 0x8d, 0x49, 0xff};  // lea rcx, [rcx - 1]
  emit.bytes(kLessOne);
  u8* const watched = emit.short_branch(kJrcxz);
  const PathExit exit{emit.jmp_relative()};
  emit.bind8(watched);
  emit.load_slot(Gpr::r11, ORRERY_SLOT_NOTES_AT);
  return exit;
}

void PathReturn::end(Emitter& emit) {
  emit.load_slot(Gpr::r11, ORRERY_SLOT_PATH_TOP);
  emit.bind8(fits_);
  emit.bytes(kDown);
  emit.store_slot(ORRERY_SLOT_PATH_TOP, Gpr::r11);
  emit_path_give_back(emit);
}

void CallPaths::begin() {
  numbers_.clear();
  saved_.clear();
  task_ = 0;
  *first() = kOutermost;
  set_top(first() + 1);
}

void CallPaths::switch_to(i32 task) {
  if (task == task_) return;
  drop_those_over();
  if (task_ != 0) saved_[*numbers_.find(static_cast<u32>(task_))].assign(first(), top());
  task_ = task;
  if (const u32* const known = numbers_.find(static_cast<u32>(task))) {
    const std::vector<PathFrame>& path = saved_[*known];
    std::copy(path.begin(), path.end(), first());
    return set_top(first() + path.size());
  }
  numbers_[static_cast<u32>(task)] = static_cast<u32>(saved_.size());
  saved_.emplace_back();
  *first() = kOutermost;
  set_top(first() + 1);
}

std::span<PathFrame> CallPaths::not_noted() {
  PathFrame* from = top();
  while (from[-1].note != 0) --from;
  return {from, top()};
}

/// From the innermost outwards a frame is on that lies above all before. A mark makes it one less.
void CallPaths::drop_those_over() {
  constexpr u64 kMark = 1;
  PathFrame* kept = top();
  u64 above = 0;
  for (PathFrame* frame = top(); frame > first() + 1;) {
    const PathFrame each = *--frame;
    const u64 rsp = (each.rsp + kMark) & ~kMark;
    if (rsp <= above) continue;
    above = rsp;
    *--kept = each;
  }
  const u64 count = static_cast<u64>(top() - kept);
  std::memmove(static_cast<void*>(first() + 1), kept, count * sizeof *kept);
  set_top(first() + 1 + count);
}

/// A reader drops the same by the same rule. Frames of another stack that lies higher stay.
void CallPaths::drop_those_below(u64 rsp) {
  while (top() > first() + 1 && top()[-1].rsp < rsp) set_top(top() - 1);
  if (first()->rsp < rsp) first()->rsp = rsp;
}

/// The outer half goes: returns there are noted as they come.
void CallPaths::make_room() {
  PathFrame* const inner = first() + kPathFrames / 2;
  first()->rsp = inner[-1].rsp - 2;  // which no return fits, marked or not
  std::memmove(static_cast<void*>(first() + 1), inner, static_cast<u64>(top() - inner) * sizeof *inner);
  set_top(top() - (inner - first() - 1));
}

/// Done again it fits a marked frame, so that it is noted.
void CallPaths::mend_for_return(u64 rsp) {
  constexpr u64 kReturnAddressBytes = 8;
  const u64 behind = rsp + kReturnAddressBytes;
  drop_those_below(behind + 1);
  if (is_full()) make_room();
  *top() = {.rsp = behind - 1, .note = 0};
  set_top(top() + 1);
}

}  // namespace orrery::translate
