// Which frame of memory each page of a process stands for, from when to when, as the kernel's page tables
// have it: a file's page or one of shared memory until it is written in private, a frame of its own once it
// is, and its parent's after a fork until one of the two writes it. Pages of equal frame at an instant are
// one piece of memory, so what is shared and what is private follows.
//
// A process's frames are told from its own accesses alone: a frame's number says by whom it was made, or
// which page of which file it is, so that nobody need wait for another process.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "db/table.h"
#include "elf/stopped_machine_hosted.h"
#include "lens/lens.h"

namespace orrery::lens::memory {

struct FrameRow {
  u32 process = 0, program = 0;
  u64 page = 0;
  std::string meaning{};
  std::optional<std::string> object{};
  std::string kind{}, came{};
  u64 frame = 0;
  std::optional<u64> from_frame{};
  u64 begin_event = 0, begin_ticks = 0, begin_instructions = 0, begin_ns = 0;
  i32 task = 0;
  u64 pc = 0;
  std::optional<std::string> function{}, line{};
  std::optional<u64> written_event{}, written_ticks{}, written_ns{};
  u64 end_event = 0, end_ticks = 0, end_ns = 0;
  bool to_end = false;
};

inline constexpr db::Column<FrameRow> kFrameColumns[] = {
    db::column<&FrameRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&FrameRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&FrameRow::page>("page", "Address of the page's first byte."),
    db::column<&FrameRow::meaning>("meaning", "What the page is for, as in the table page."),
    db::column<&FrameRow::object>("object",
                                  "The file that is mapped there, or whose bss it is; NULL if none."),
    db::column<&FrameRow::kind>("kind",
                                "file (a page of a file), shared (of shared memory) or anonymous (its own, "
                                "or its parent's before a fork)."),
    db::column<&FrameRow::came>("came",
                                "touched (it was there), zero-filled (first write of memory without a "
                                "file), copied (a write broke copy-on-write), forked (the parent's) or "
                                "moved (by mremap)."),
    db::column<&FrameRow::frame>(
        "frame", "Which memory it is: equal numbers at an instant are one page of memory.", db::Key::indexed),
    db::column<&FrameRow::from_frame>("from_frame", "What it was copied from; NULL if it was not."),
    db::column<&FrameRow::begin_event>("begin_event",
                                       "The process's next event when this began: the instant."),
    db::column<&FrameRow::begin_ticks>("begin_ticks", "Ticks of the task then."),
    db::column<&FrameRow::begin_instructions>("begin_instructions",
                                              "Instructions of the process until then."),
    db::column<&FrameRow::begin_ns>("begin_ns",
                                    "Time of the event before it, in ns since the recording began."),
    db::column<&FrameRow::task>("task", "The task that touched or wrote it; of a child, its first."),
    db::column<&FrameRow::pc>("pc", "The instruction that did; 0: the kernel, or a fork."),
    db::column<&FrameRow::function>("function",
                                    "The function of that instruction, if it was copied; else NULL."),
    db::column<&FrameRow::line>("line", "Its source file and line; NULL likewise, or if not known."),
    db::column<&FrameRow::written_event>("written_event",
                                         "Of a file's page and shared memory: the process's next event when "
                                         "it first wrote there; NULL: it did "
                                         "not."),
    db::column<&FrameRow::written_ticks>("written_ticks", "Ticks of the task then; NULL likewise."),
    db::column<&FrameRow::written_ns>("written_ns", "Time of the event before it; NULL likewise."),
    db::column<&FrameRow::end_event>(
        "end_event",
        "The process's next event when the page went, or became another frame, or the process ended."),
    db::column<&FrameRow::end_ticks>("end_ticks", "Ticks of the task then."),
    db::column<&FrameRow::end_ns>("end_ns", "That instant, in ns since the recording began."),
    db::column<&FrameRow::to_end>("to_end", "1 if it was there to the end of the process."),
};
inline constexpr db::Table<FrameRow> kFrame = {
    "page_frame", "Which memory each page stood for over time: what was shared, and what a write copied.",
    kFrameColumns};

/// An access that was the first of its kind, or the first write since a fork.
struct FrameTouch {
  u64 page = 0, pc = 0;
  bool writes = false;
  i32 task = 0;
  u64 event = 0, ticks = 0, instructions = 0, time_ns = 0;
  const elf::MappedRegion* region = nullptr;  ///< that holds it
  std::string meaning{};
  std::optional<std::string> object{};
};

/// Of one process.
class PageFrames {
 public:
  /// What a child begins with.
  struct Inheritance {
    std::vector<FrameRow> pages{};
    std::map<u64, u32> shared_makers{};
    u64 time_ns = 0;              ///< of the fork, since the recording began
    u64 break_end = 0;            ///< where the heap ended
    bool borrows_memory = false;  ///< it has no memory of its own until it runs a program (vfork)
  };

  PageFrames(u32 process, Rows& rows) : process_(process), rows_(rows) {}

  /// The child has the regions `regions`.
  void inherit(const Inheritance& from, const std::vector<elf::MappedRegion>& regions, const Instant& now);
  /// A child is being made; from here on what both have is copied when it is written.
  Inheritance lend(const std::vector<elf::MappedRegion>& regions);

  /// Whether it began a copy: then name_copier() may say who made it.
  bool touch(const FrameTouch& touch);
  void name_copier(u64 page, std::optional<std::string> function, std::optional<std::string> line);
  void forget(u64 start, u64 end, const Instant& now);
  void move(u64 from, u64 from_bytes, u64 to, u64 to_bytes, const Instant& now);
  /// Children find zeros there, or do again (MADV_WIPEONFORK, MADV_KEEPONFORK).
  void wipe_in_children(u64 start, u64 end, bool wipes);
  /// The program is replaced, or the process has ended.
  void finish(const Instant& now, bool to_end);

 private:
  struct Shown {
    FrameRow row{};
    bool is_lent = false;    ///< a fork gave it to somebody else too, and it was not written since
    bool is_shared = false;  ///< of a shared mapping
  };
  using Pages = std::map<u64, Shown>;

  u64 new_frame() { return u64{process_ + 1} << 36 | ++frames_; }
  u64 frame_of(const elf::MappedRegion& region, u64 page);
  FrameRow row_of(const FrameTouch& touch) const;
  void begin(const FrameTouch& touch);
  bool write(Shown& shown, const FrameTouch& touch);
  void write_out(Shown& shown, u64 event, u64 ticks, u64 time_ns);
  bool is_wiped(u64 page) const;

  u32 process_;
  Rows& rows_;
  u32 program_ = 0;
  u64 frames_ = 0;
  bool borrows_memory_ = false;
  Pages pages_{};
  std::map<u64, u32> shared_makers_{};  ///< of shared memory without a file, by object: who mapped it first
  std::map<u64, u64> wiped_{};          ///< ranges, start to end
};

}  // namespace orrery::lens::memory
