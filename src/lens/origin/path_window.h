// The last part of what a process executed before some instant, to be gone through backwards: each stretch of
// code with the accesses that it made.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "translate/access_stream.h"

namespace orrery::lens {

/// A stretch of code that a task executed, or an access of the engine, which has no bytes.
struct PathStep {
  i32 task = 0;
  u64 event = 0, ticks = 0;  ///< the instant of its beginning
  u64 pc = 0, bytes = 0;
  bool incomplete = false;  ///< the last instruction was not completed
  u64 first_access = 0, accesses = 0;
};

class PathWindow {
 public:
  /// Records as ReplaySession::note_accesses() hands them over; `points` lives as long as the session.
  void take(std::span<const u64> records, std::span<const translate::AccessPoint> points);

  /// To the step before; the first time to the last one. False at the beginning of what is kept.
  bool back();
  const PathStep& step() const { return steps_[at_]; }
  std::span<const translate::Access> accesses() const {
    return std::span(accesses_).subspan(step().first_access, step().accesses);
  }
  /// How many instructions the process executed before what is kept, since records were taken.
  u64 instructions_before() const { return instructions_before_; }

  // --- what the reader calls ---
  void access(const translate::Access& access);
  void block(translate::AccessHeader header, const translate::AccessPoint& block);

 private:
  static constexpr u64 kWordsMost = 8 << 20;

  struct Chunk {
    std::vector<u64> records;
    translate::AccessReader reader;  ///< as it stands at its beginning
  };
  bool decode_last();
  void see_take_back();

  std::deque<Chunk> chunks_;
  u64 words_ = 0;
  u64 instructions_before_ = 0;
  std::span<const translate::AccessPoint> points_;
  translate::AccessReader reader_;  ///< where the last chunk ends

  // Of the chunk that is gone through.
  std::vector<PathStep> steps_;
  std::vector<translate::Access> accesses_;
  u64 at_ = 0;  ///< in steps_; those from there on are behind us
  translate::AccessReader* decoding_ = nullptr;
  u64 instructions_ = 0;  ///< that the blocks decoded so far say
};

}  // namespace orrery::lens
