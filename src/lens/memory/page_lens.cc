// Pages: which pages of its memory each program touched, when first, and what they were for. A page counts
// from its first access on, by the program's instructions or by the kernel for it (read() into a buffer, a
// signal's frame), as demand paging has it; a page that is unmapped or given back is a new one after that.
//
// The engine filters the stream of accesses (machine/first_touches.h). What it found is fetched before each
// system call that changes the map, while the map still says what the pages are.
//
// A child begins with what its parent had at the fork (memory/page_frames.h), which the parent's watcher
// leaves for it before the fork is made.
#include <asm/unistd.h>
#include <elf.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

#include "lens/call_set.h"
#include "lens/code_place.h"
#include "lens/lens.h"
#include "lens/load/start_stack.h"
#include "lens/memory/meanings.h"
#include "lens/memory/page_frames.h"
#include "trace/trace_file_hosted.h"

namespace orrery::lens {
namespace {

struct PageRow {
  u32 process = 0, program = 0;
  u64 page = 0;
  std::string meaning{};
  std::optional<std::string> object{};
  std::optional<u64> file_offset{};
  bool is_read = false, is_written = false, is_executed = false, by_kernel = false;
  u64 event = 0, ticks = 0, instructions = 0, time_ns = 0, pc = 0;
  i32 task = 0;
  std::optional<u64> written_event{}, written_ticks{}, written_ns{};
  std::optional<u64> gone_event{}, gone_ticks{}, gone_ns{};
};

constexpr db::Column<PageRow> kColumns[] = {
    db::column<&PageRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&PageRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&PageRow::page>("page", "Address of its first byte."),
    db::column<&PageRow::meaning>(
        "meaning", "code, rodata, data, bss, heap, stack, vdso, mapped file, shared or anonymous."),
    db::column<&PageRow::object>("object",
                                 "The file that is mapped there, or whose bss it is; NULL if none."),
    db::column<&PageRow::file_offset>("file_offset", "Of the page in the file; NULL if it shows none."),
    db::column<&PageRow::is_read>("is_read", "1 if it was read."),
    db::column<&PageRow::is_written>("is_written", "1 if it was written."),
    db::column<&PageRow::is_executed>("is_executed", "1 if instructions on it were executed."),
    db::column<&PageRow::by_kernel>("by_kernel",
                                    "1 if the kernel was first, in a system call or for a signal."),
    db::column<&PageRow::event>("event", "The process's next event at the first access: the instant."),
    db::column<&PageRow::ticks>("ticks", "Ticks of the task then."),
    db::column<&PageRow::instructions>("instructions",
                                       "Instructions of the process until then; a repeated one is one."),
    db::column<&PageRow::time_ns>("time_ns", "Time of the event before it, in ns since the recording began."),
    db::column<&PageRow::pc>("pc", "The instruction that was first; 0 if it was the kernel."),
    db::column<&PageRow::task>("task", "The task that was first."),
    db::column<&PageRow::written_event>(
        "written_event", "The process's next event at the first write: the instant; NULL if there was none."),
    db::column<&PageRow::written_ticks>("written_ticks", "Ticks of the task then; NULL likewise."),
    db::column<&PageRow::written_ns>("written_ns", "Time of the event before it; NULL likewise."),
    db::column<&PageRow::gone_event>(
        "gone_event",
        "The process's next event when the page was unmapped or given back; NULL: "
        "it was there to the end of its program."),
    db::column<&PageRow::gone_ticks>("gone_ticks", "Ticks of the task then; NULL likewise."),
    db::column<&PageRow::gone_ns>("gone_ns", "That instant, in ns since the recording began; NULL likewise."),
};
constexpr db::Table<PageRow> kPage = {
    "page", "Pages of memory that programs touched, with the first access to each.", kColumns};

struct MappedFileRow {
  u32 process = 0, program = 0;
  std::string path{};
  bool is_program = false;
  std::optional<u64> file_bytes{};
  u64 mapped_bytes = 0;
};

constexpr db::Column<MappedFileRow> kFileColumns[] = {
    db::column<&MappedFileRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&MappedFileRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&MappedFileRow::path>("path", "The file."),
    db::column<&MappedFileRow::is_program>("is_program", "1 if it is the program's own."),
    db::column<&MappedFileRow::file_bytes>("file_bytes", "Its size; NULL if the recording did not keep it."),
    db::column<&MappedFileRow::mapped_bytes>("mapped_bytes",
                                             "How much address space showed it, at most at one time."),
};
constexpr db::Table<MappedFileRow> kMappedFile = {"mapped_file", "The files that programs mapped.",
                                                  kFileColumns};

/// When the events of a process were written, for questions that go forward.
class EventTimes {
 public:
  EventTimes(const Recording& recording, u32 process)
      : recording_(recording), reader_(recording.trace, process) {
    advance();
    before_ = next_;
  }

  u64 before(u64 event) {
    for (; more_ && next_.number < event; advance()) before_ = next_;
    return recording_.since_begin(before_.time_ns);
  }

 private:
  void advance() {
    trace::EventView view;
    more_ = reader_.next(view) == trace::ReadStatus::event;
    if (more_) next_ = *view.header;
  }

  const Recording& recording_;
  trace::TraceReader reader_;
  trace::EventHeader before_, next_;
  bool more_ = false;
};

/// While one of these begins, the map still says what the pages are, or a child is given them.
constexpr u64 kCalls[] = {__NR_mmap,    __NR_munmap,     __NR_mremap,           __NR_mprotect, __NR_brk,
                          __NR_madvise, __NR_execve,     __NR_execveat,         __NR_shmat,    __NR_shmdt,
                          __NR_exit,    __NR_exit_group, __NR_remap_file_pages, __NR_fork,     __NR_vfork,
                          __NR_clone,   __NR_clone3};

/// What parents leave for their children.
class Inheritances {
 public:
  using Inheritance = memory::PageFrames::Inheritance;

  /// `event`: the parent's next one before the fork.
  void leave(u32 parent, u64 event, Inheritance given) {
    const std::lock_guard lock(mutex_);
    given_[{parent, event}] = std::move(given);
  }
  std::optional<Inheritance> take(const TreeProcess& child) {
    if (!child.parent || !child.fork_event) return std::nullopt;
    const std::lock_guard lock(mutex_);
    const auto above = given_.upper_bound({*child.parent, *child.fork_event});
    if (above == given_.begin() || std::prev(above)->first.first != *child.parent) return std::nullopt;
    return std::move(given_.extract(std::prev(above)).mapped());
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<u32, u64>, Inheritance> given_;
};

/// The flags of clone(2); those that fork(2) and vfork(2) stand for.
u64 clone_flags(ReplaySession& session, const Call& call) {
  u64 flags = 0;
  if (call.number == __NR_clone) return call.arguments[0];
  if (call.number == __NR_clone3) session.read_value(call.arguments[0], flags);  // clone_args begins with it
  if (call.number == __NR_vfork) flags = CLONE_VM | CLONE_VFORK;
  return flags;
}

bool makes_tasks(u64 number) {
  return number == __NR_fork || number == __NR_vfork || number == __NR_clone || number == __NR_clone3;
}

class PageWatcher final : public Watcher {
 public:
  PageWatcher(const Recording& recording, const TreeProcess& process, Rows& rows, Inheritances& inheritances)
      : tree_(process),
        process_(process.process),
        times_(recording, process.process),
        rows_(rows),
        inheritances_(inheritances),
        calls_(set_of(kCalls)),
        frames_(process.process, rows) {}

  void begin(ReplaySession& session, const Instant& now) override {
    asked_ = static_cast<bool>(session.note_first_touches());
    if (asked_ && !tree_.parent) note_start(session, now);
    if (const auto given = inheritances_.take(tree_)) {
      frames_.inherit(*given, session.regions(), now);
      break_ = given->break_end;
    }
    note_program(session);
  }
  const CallSet* calls() const override { return &calls_; }
  void enter(ReplaySession& session, const WalkedCall& walked) override {
    take(session);
    if (makes_tasks(walked.call.number)) return lend(session, walked);
    note_files(session);
  }
  void leave(ReplaySession& session, const WalkedCall& walked) override {
    if (!walked.replaced_program()) return forget(session, walked);
    finish_program();
    frames_.finish(walked.exit, false);
    ++program_;
    take(session, true);
    note_program(session);
  }
  void end(ReplaySession& session, const Instant& now) override {
    take(session);
    note_files(session);
    finish_program();
    frames_.finish(now, true);
  }

 private:
  /// The kernel has laid out the stack before the process could be asked.
  void note_start(ReplaySession& session, const Instant& now) {
    constexpr int kRsp = 4;
    const u64 rsp = session.registers().gpr[kRsp];
    const elf::MappedRegion* stack = session.find_region(rsp);
    if (stack == nullptr || stack->path != "[stack]") return;
    for (u64 page = page_floor(rsp); page < stack->end; page += kPageBytes)
      add(session, {.page = page,
                    .event = now.event,
                    .ticks = now.ticks,
                    .task = now.task,
                    .how = 2,
                    .by_kernel = true});
  }

  void lend(ReplaySession& session, const WalkedCall& walked) {
    const u64 flags = clone_flags(session, walked.call);
    if ((flags & CLONE_THREAD) != 0) return;
    const bool borrows = (flags & CLONE_VM) != 0;
    Inheritances::Inheritance given;
    if (!borrows) {
      given = frames_.lend(session.regions());
      for (auto& [address, page] : pages_) page.is_lent = page.row.is_written;
    }
    given.borrows_memory = given.borrows_memory || borrows;
    given.break_end = break_;
    given.time_ns = walked.entry.time_ns;
    inheritances_.leave(process_, walked.entry.event, std::move(given));
  }

  void note_program(ReplaySession& session) {
    note_files(session);
    const u64 entry = load::read_start_stack(session).auxiliary_value(AT_ENTRY);
    const elf::MappedRegion* region = session.find_region(entry);
    if (region == nullptr) return;
    if (const auto found = files_.find(region->path); found != files_.end()) found->second.is_program = true;
  }

  void note_files(ReplaySession& session) {
    std::map<std::string, u64> mapped;
    for (const elf::MappedRegion& region : session.regions()) {
      if (!region.path.starts_with("/")) continue;
      mapped[region.path] += region.end - region.start;
      MappedFileRow& row = files_[region.path];
      struct stat status {};
      if (!row.file_bytes && !region.kept_file.empty() && stat(region.kept_file.c_str(), &status) == 0)
        row.file_bytes = static_cast<u64>(status.st_size);
    }
    for (const auto& [path, bytes] : mapped)
      files_[path].mapped_bytes = std::max(files_[path].mapped_bytes, bytes);
  }

  /// In an exec the kernel reads of the program that goes, and writes for the one that comes.
  void take(ReplaySession& session, bool in_exec = false) {
    if (!asked_) return;
    auto touches = session.take_first_touches();
    if (!touches) return;
    for (const machine::ControlTouch& touch : touches.value())
      if (!in_exec || (touch.how & 2) != 0) add(session, touch);
  }

  /// Pages that the call took away begin anew, if the memory comes back.
  void forget(ReplaySession& session, const WalkedCall& walked) {
    const Call& call = walked.call;
    const auto& arguments = call.arguments;
    if (call.failed() || !call.returned) return;
    const u64 result = static_cast<u64>(call.result);
    if (call.name == "madvise" && (arguments[2] == MADV_WIPEONFORK || arguments[2] == MADV_KEEPONFORK))
      frames_.wipe_in_children(arguments[0], arguments[0] + arguments[1], arguments[2] == MADV_WIPEONFORK);
    if (call.name == "shmdt") forget_unmapped(session, walked.exit);
    if (call.name == "munmap" || (call.name == "madvise" && gives_back(arguments[2])))
      forget(arguments[0], arguments[1], walked.exit);
    else if (call.name == "mmap")
      forget(result, arguments[1], walked.exit);
    else if (call.name == "mremap" && result != arguments[0])
      move(arguments[0], arguments[1], result, arguments[2], walked.exit);
    else if (call.name == "mremap" && arguments[2] < arguments[1])
      forget(arguments[0] + arguments[2], arguments[1] - arguments[2], walked.exit);
    else if (call.name == "brk" && result < break_)
      forget(result + kPageBytes - 1, break_ - result, walked.exit);
    if (call.name == "brk") break_ = result;
  }

  static bool gives_back(u64 advice) {
    return advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE;
  }

  void forget_unmapped(ReplaySession& session, const Instant& now) {
    u64 free_from = 0;
    for (const elf::MappedRegion& region : session.regions()) {
      if (free_from < region.start) forget(free_from, region.start - free_from, now);
      free_from = region.end;
    }
  }

  void forget(u64 start, u64 bytes, const Instant& now) {
    const u64 end = start + bytes;
    frames_.forget(page_floor(start), end, now);
    for (auto page = pages_.lower_bound(page_floor(start)); page != pages_.end() && page->first < end;) {
      PageRow& row = page->second.row;
      row.gone_event = now.event;
      row.gone_ticks = now.ticks;
      row.gone_ns = now.time_ns;
      rows_.add(kPage, row);
      page = pages_.erase(page);
    }
  }

  /// What was touched at the old place counts as touched at the new one.
  void move(u64 from, u64 from_bytes, u64 to, u64 to_bytes, const Instant& now) {
    std::vector<Page> moved;
    frames_.move(from, from_bytes, to, to_bytes, now);
    for (auto page = pages_.lower_bound(from); page != pages_.end() && page->first < from + from_bytes;
         ++page)
      if (page->first - from < to_bytes) moved.push_back(page->second);
    forget(from, from_bytes, now);
    forget(to, to_bytes, now);
    for (Page& page : moved) {
      page.row.page = to + (page.row.page - from);
      pages_[page.row.page] = page;
    }
  }

  void add(ReplaySession& session, const machine::ControlTouch& touch) {
    const bool reads = (touch.how & 1) != 0, writes = (touch.how & 2) != 0, executes = (touch.how & 4) != 0;
    const auto [found, is_new] = pages_.try_emplace(touch.page);
    PageRow& row = found->second.row;
    // The engine tells of the first write after a fork once more.
    const bool rewrites = writes && std::exchange(found->second.is_lent, found->second.is_lent && !writes);
    const bool again =
        !is_new && ((reads && row.is_read) || (writes && row.is_written && !row.by_kernel && !rewrites) ||
                    (executes && row.is_executed));
    if (again) rows_.add(kPage, row);
    if (!is_new && !again) {
      row.is_read = row.is_read || reads;
      if (writes && !row.is_written) note_written(row, touch);
      row.is_written = row.is_written || writes;
      row.is_executed = row.is_executed || executes;
      if (writes) note_frame(session, touch, row);
      return;
    }
    row = {.process = process_,
           .program = program_,
           .page = touch.page,
           .is_read = reads,
           .is_written = writes,
           .is_executed = executes,
           .by_kernel = touch.by_kernel,
           .event = touch.event,
           .ticks = touch.ticks,
           .instructions = touch.instructions,
           .time_ns = times_.before(touch.event),
           .pc = touch.pc,
           .task = touch.task};
    if (writes) note_written(row, touch);
    const memory::Meaning meaning = memory::Meanings(session.regions(), images_).of(touch.page);
    // What is relocated is read-only afterwards, and data before: one word for both.
    row.meaning = meaning.word == "relro" ? "data" : meaning.word;
    row.object = meaning.object;
    row.file_offset = meaning.file_offset;
    note_frame(session, touch, row);
  }

  void note_frame(ReplaySession& session, const machine::ControlTouch& touch, const PageRow& row) {
    const bool copies = frames_.touch({.page = touch.page,
                                       .pc = touch.by_kernel ? 0 : touch.pc,
                                       .writes = (touch.how & 2) != 0,
                                       .task = touch.task,
                                       .event = touch.event,
                                       .ticks = touch.ticks,
                                       .instructions = touch.instructions,
                                       .time_ns = times_.before(touch.event),
                                       .region = session.find_region(touch.page),
                                       .meaning = row.meaning,
                                       .object = row.object});
    if (!copies || touch.by_kernel) return;
    auto [place, is_new] = places_.try_emplace(touch.pc);
    if (is_new) {
      const elf::Location found = elf::locate(session.images(), touch.pc);
      if (!found.symbol.empty()) place->second.function = short_function(found.symbol);
      if (!found.frames.empty() && found.frames.front().source.line != 0)
        place->second.line =
            found.frames.front().source.file + ":" + std::to_string(found.frames.front().source.line);
    }
    frames_.name_copier(touch.page, place->second.function, place->second.line);
  }

  void note_written(PageRow& row, const machine::ControlTouch& touch) {
    row.written_event = touch.event;
    row.written_ticks = touch.ticks;
    row.written_ns = times_.before(touch.event);
  }

  void finish_program() {
    for (const auto& [address, page] : pages_) rows_.add(kPage, page.row);
    pages_.clear();
    places_.clear();
    for (auto& [path, row] : files_) {
      row.process = process_;
      row.program = program_;
      row.path = path;
      rows_.add(kMappedFile, row);
    }
    files_.clear();
    images_.clear();
  }

  struct Page {
    PageRow row{};
    bool is_lent = false;  ///< written before a fork, and not since
  };
  struct Place {
    std::optional<std::string> function{}, line{};
  };

  const TreeProcess& tree_;
  u32 process_;
  EventTimes times_;
  Rows& rows_;
  Inheritances& inheritances_;
  CallSet calls_;
  memory::PageFrames frames_;
  bool asked_ = false;
  u32 program_ = 0;
  u64 break_ = 0;  ///< where the heap ends, as brk told last
  std::map<u64, Page> pages_;
  std::map<u64, Place> places_;  ///< of instructions that made copies
  memory::ImageFiles images_;
  std::map<std::string, MappedFileRow> files_;
};

class PageInquiry final : public Inquiry {
 public:
  PageInquiry(const Recording& recording, Rows& rows) : recording_(recording), rows_(rows) {}

  std::unique_ptr<Watcher> watch(const TreeProcess& process) override {
    return std::make_unique<PageWatcher>(recording_, process, rows_, inheritances_);
  }

 private:
  const Recording& recording_;
  Rows& rows_;
  Inheritances inheritances_;
};

std::unique_ptr<Inquiry> inquire(const Recording& recording, Rows& rows) {
  return std::make_unique<PageInquiry>(recording, rows);
}

std::vector<db::TableDescription> tables() {
  return {db::describe(kPage), db::describe(memory::kFrame), db::describe(kMappedFile)};
}

}  // namespace

extern const Lens kPageLens;
const Lens kPageLens = {.name = "pages",
                        .version = 3,
                        .sentence = "Which pages of memory each program touched, and what processes shared.",
                        .tables = tables,
                        .read = nullptr,
                        .watch = nullptr,
                        .inquire = inquire,
                        .notes = machine::Notes::first_touches};

}  // namespace orrery::lens
