// The address space of every process: the pieces of its map with their meanings, every change with who made
// it, and the threads' stacks. The map is compared before and after each system call that may change it; a
// stack that has grown by itself is seen at the next of them.
#include <asm/prctl.h>
#include <asm/unistd.h>
#include <elf.h>
#include <linux/sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "base/base_name.h"
#include "elf/symbolizer_hosted.h"
#include "elf/unwind_hosted.h"
#include "lens/call_set.h"
#include "lens/code_place.h"
#include "lens/lens.h"
#include "lens/load/start_stack.h"
#include "lens/memory/map_pieces.h"
#include "lens/memory/map_rows.h"

namespace orrery::lens {
namespace memory {
namespace {

constexpr int kFramesMost = 32;
constexpr std::size_t kNamesMost = 4;  ///< in memory_map; map_change has all

/// Who made a call.
struct Maker {
  std::string chain{};
  std::optional<std::string> function{}, line{}, stack{};
};

constexpr u64 kChangesMap[] = {__NR_mmap,          __NR_munmap,   __NR_mremap,          __NR_mprotect,
                               __NR_pkey_mprotect, __NR_brk,      __NR_shmat,           __NR_shmdt,
                               __NR_execve,        __NR_execveat, __NR_remap_file_pages};

bool changes_map(const Call& call) {
  return std::find(std::begin(kChangesMap), std::end(kChangesMap), call.number) != std::end(kChangesMap);
}

/// The range that a call has mapped anew.
std::pair<u64, u64> fresh_range(const Call& call) {
  if (call.failed() || !call.returned) return {0, 0};
  const u64 start = static_cast<u64>(call.result);
  const auto pages = [](u64 bytes) { return (bytes + kPageBytes - 1) & ~(kPageBytes - 1); };
  if (call.name == "mmap") return {start, start + pages(call.arguments[1])};
  const bool is_moved = call.name == "mremap" && start != call.arguments[0];
  return is_moved ? std::pair(start, start + pages(call.arguments[2])) : std::pair(u64{0}, u64{0});
}

class MapWatcher final : public Watcher {
 public:
  MapWatcher(const TreeProcess& process, Rows& rows)
      : process_(process), rows_(rows), calls_(set_of(kChangesMap)) {
    for (const u64 number : {__NR_arch_prctl, __NR_clone, __NR_clone3, __NR_exit}) calls_.set(number);
  }

  const CallSet* calls() const override { return &calls_; }

  void begin(ReplaySession& session, const Instant& now) override {
    begin_map(session, now, process_.parent ? "the parent" : "exec");
    note_program(session, process_.parent.has_value());
  }
  void enter(ReplaySession& session, const WalkedCall& walked) override {
    const std::string& name = walked.call.name;
    if (changes_map(walked.call)) {
      change(session, walked.entry, "growth", {}, {0, 0});
      makers_[walked.entry.task] = maker_of(session);
    }
    if (name == "clone" || name == "clone3") note_clone(session, walked);
    if (name == "exit") end_stack(walked.entry);
  }
  void leave(ReplaySession& session, const WalkedCall& walked) override {
    const Call& call = walked.call;
    if (walked.replaced_program()) return replace(session, walked.exit);
    if (call.name == "arch_prctl" && !call.failed() && call.arguments[0] == ARCH_SET_FS)
      return set_tls(walked.exit.task, call.arguments[1]);
    if (call.name == "clone" || call.name == "clone3") return begin_thread(session, walked);
    if (!changes_map(call)) return;
    const auto maker = makers_.extract(walked.entry.task);
    change(session, walked.exit, call.name, maker ? maker.mapped() : Maker{}, fresh_range(call));
  }
  void reach(ReplaySession&, u64 pc, const Instant&) override {
    if (!breakpoints().contains(pc)) return;
    has_started_ = true;
    break_nowhere();
  }
  void end(ReplaySession& session, const Instant& now) override {
    change(session, now, "growth", {}, {0, 0});
    finish(std::nullopt);
  }

 private:
  struct Piece {
    PieceRow row;
    elf::MappedRegion region;
  };

  // --- programs ---

  void begin_map(ReplaySession& session, const Instant& now, const char* by) {
    known_ = session.regions();
    for (const elf::MappedRegion& region : known_) insert({region.start, region.end, {}, region}, now, by);
    const elf::MappedRegion* stack = session.find_region(session.registers().gpr[elf::kRspIndex]);
    if (stack == nullptr) return;
    const u64 top = session.registers().gpr[elf::kRspIndex];
    StackRow& row = begin_stack(now, now.task, top);
    const u64 thread_pointer = session.registers().fs_base;
    if (thread_pointer != 0) row.tls = thread_pointer;
  }

  /// `is_forked`: it goes on in the midst of its parent's program.
  void note_program(ReplaySession& session, bool is_forked) {
    has_started_ = is_forked;
    linker_.clear();
    program_path_ = process_.program;
    if (is_forked) return;
    const load::StartStack stack = load::read_start_stack(session);
    const elf::MappedRegion* linker = session.find_region(stack.auxiliary_value(AT_BASE));
    if (stack.auxiliary_value(AT_BASE) != 0 && linker != nullptr) linker_ = linker->path;
    const u64 entry = stack.auxiliary_value(AT_ENTRY);
    if (const elf::MappedRegion* region = session.find_region(entry)) program_path_ = region->path;
    break_at(entry);
  }

  void replace(ReplaySession& session, const Instant& now) {
    finish(now);
    break_nowhere();
    ++program_;
    images_.clear();
    begin_map(session, now, "exec");
    note_program(session, false);
  }

  void finish(const std::optional<Instant>& now) {
    for (auto& [start, piece] : pieces_) write(piece.row, now);
    pieces_.clear();
    for (auto& [task, row] : stacks_) write_stack(row, now);
    stacks_.clear();
  }

  // --- who ---

  Maker maker_of(ReplaySession& session) {
    const elf::MappedRegion* region = session.find_region(session.registers().rip);
    if (!has_started_ && region != nullptr && region->path == linker_) {
      Maker maker;
      maker.chain = base_name(linker_);
      return maker;
    }
    Maker maker;
    std::vector<std::string> names;
    std::size_t users = 0;  // the first of these that is the program's own
    const elf::Stack frames = elf::unwind(session, session.images(), kFramesMost);
    for (const elf::Frame& frame : frames.frames) {
      const elf::Location place = elf::locate(session.images(), frame.lookup_pc());
      const std::string name = place.symbol.empty() ? "" : short_function(place.symbol);
      if (name == "_start" || name.starts_with("__libc_start_")) break;
      const bool is_users = place.image != nullptr &&
                            (place.image->path == program_path_ || !is_system_file(place.image->path));
      if (is_users && !maker.function && !name.empty()) {
        users = names.size();
        maker.function = name;
        if (!place.frames.empty() && place.frames.front().source.line != 0)
          maker.line =
              place.frames.front().source.file + ":" + std::to_string(place.frames.front().source.line);
      }
      if (!name.empty()) names.push_back(name);
    }
    if (names.empty()) return maker;
    maker.stack = chain_of(names);
    // The ways within libraries are left out, but for the function that the program called.
    if (users > 1) names.erase(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(users) - 1);
    names.front() = public_name(names.front());
    names.resize(std::min(names.size(), kNamesMost));
    maker.chain = chain_of(names);
    return maker;
  }

  static std::string chain_of(const std::vector<std::string>& names) {
    std::string chain;
    for (const std::string& name : names) chain += (chain.empty() ? "" : " < ") + name;
    return chain;
  }

  /// As a program calls it: malloc for __libc_malloc.
  static std::string public_name(const std::string& name) {
    for (const std::string_view prefix : {"__libc_", "__GI_", "__"})
      if (name.starts_with(prefix) && name.size() > prefix.size()) return name.substr(prefix.size());
    return name;
  }

  // --- changes ---

  void change(ReplaySession& session, const Instant& now, const std::string& call, const Maker& maker,
              const std::pair<u64, u64>& fresh) {
    const std::vector<elf::MappedRegion>& present = session.regions();
    for (const Difference& each : find_differences(known_, present, fresh.first, fresh.second)) {
      const bool is_fresh = each.start >= fresh.first && each.start < fresh.second;
      note_change(each, now, call, maker, is_fresh, Meanings(present, images_));
      std::string made_by = maker.chain;
      // What only changes its permissions is still whose it was.
      if (each.before && each.after && !is_fresh) made_by = piece_at(each.start)->row.made_by;
      remove(each.start, each.end, now);
      if (each.after) insert(each, now, made_by, &present);
    }
    known_ = present;
  }

  void note_change(const Difference& each, const Instant& now, const std::string& call, const Maker& maker,
                   bool is_fresh, const Meanings& meanings) {
    ChangeRow row{.process = process_.process,
                  .program = program_,
                  .number = changes_++,
                  .task = now.task,
                  .event = now.event,
                  .ticks = now.ticks,
                  .time_ns = now.time_ns,
                  .call = call,
                  .start = each.start,
                  .end = each.end};
    row.change = !each.after    ? "unmapped"
                 : !each.before ? (call == "mremap" && is_fresh ? "moved" : "mapped")
                 : is_fresh || each.before->path != each.after->path ? "replaced"
                                                                     : "protected";
    if (each.before) row.before = permissions_of(*each.before);
    if (each.after) {
      row.permissions = permissions_of(*each.after);
      const Meaning meaning = meanings.of(each.start);
      row.meaning = meaning.word;
      row.object = meaning.object;
    } else if (const Piece* piece = piece_at(each.start)) {
      row.meaning = piece->row.meaning;
      row.object = piece->row.object;
    }
    row.caller_function = maker.function;
    row.caller_line = maker.line;
    row.stack = maker.stack;
    rows_.add(kChange, row);
  }

  // --- pieces ---

  Piece* piece_at(u64 address) {
    const auto above = pieces_.upper_bound(address);
    if (above == pieces_.begin()) return nullptr;
    Piece& piece = std::prev(above)->second;
    return address < piece.row.end ? &piece : nullptr;
  }

  /// What lies behind goes on as a piece of its own.
  void split(u64 address) {
    Piece* piece = piece_at(address);
    if (piece == nullptr || piece->row.start == address) return;
    Piece rest = *piece;
    rest.row.start = address;
    if (rest.row.file_offset) *rest.row.file_offset += address - piece->row.start;
    piece->row.end = address;
    pieces_.emplace(address, std::move(rest));
  }

  void remove(u64 start, u64 end, const Instant& now) {
    split(start);
    split(end);
    for (auto each = pieces_.lower_bound(start); each != pieces_.end() && each->first < end;) {
      write(each->second.row, now);
      each = pieces_.erase(each);
    }
  }

  void insert(const Difference& from, const Instant& now, const std::string& by,
              const std::vector<elf::MappedRegion>* present = nullptr) {
    const Meanings meanings(present != nullptr ? *present : known_, images_);
    Piece piece{.row = {.process = process_.process,
                        .program = program_,
                        .start = from.start,
                        .end = from.end,
                        .permissions = permissions_of(*from.after),
                        .made_by = by,
                        .begin_event = now.event,
                        .begin_ticks = now.ticks,
                        .begin_ns = now.time_ns},
                .region = *from.after};
    describe(piece, meanings);
    // The first mapping of a library spans all of it: what is left of that is known by the others.
    const bool is_file = piece.row.object && (from.after->protection & PROT_EXEC) != 0;
    const auto object = piece.row.object;
    pieces_.insert_or_assign(from.start, std::move(piece));
    if (!is_file) return;
    for (auto& [start, each] : pieces_)
      if (each.row.object == object) describe(each, meanings);
  }

  static void describe(Piece& piece, const Meanings& meanings) {
    const Meaning meaning = meanings.of(piece.row.start);
    piece.row.meaning = meaning.word;
    piece.row.object = meaning.object;
    piece.row.file_offset = meaning.file_offset;
  }

  void write(PieceRow& row, const std::optional<Instant>& now) {
    if (now) {
      row.end_event = now->event;
      row.end_ticks = now->ticks;
      row.end_ns = now->time_ns;
    }
    rows_.add(kPiece, row);
  }

  // --- threads ---

  struct Begun {
    u64 flags = 0, top = 0, tls = 0;
  };

  void note_clone(ReplaySession& session, const WalkedCall& walked) {
    const auto& arguments = walked.call.arguments;
    Begun begun{.flags = arguments[0], .top = arguments[1], .tls = arguments[4]};
    if (walked.call.name == "clone3") {
      clone_args asked{};
      if (!session.read_value(arguments[0], asked)) return;
      begun = {.flags = asked.flags, .top = asked.stack + asked.stack_size, .tls = asked.tls};
    }
    if ((begun.flags & CLONE_THREAD) != 0) begun_[walked.entry.task] = begun;
  }

  void begin_thread(ReplaySession&, const WalkedCall& walked) {
    const auto begun = begun_.extract(walked.entry.task);
    if (!begun || walked.call.failed()) return;
    const i32 thread = static_cast<i32>(walked.call.result);
    StackRow& row = begin_stack(walked.exit, thread, begun.mapped().top);
    if ((begun.mapped().flags & CLONE_SETTLS) != 0) row.tls = begun.mapped().tls;
  }

  StackRow& begin_stack(const Instant& now, i32 thread, u64 top) {
    StackRow& row = stacks_[thread];
    row = {.process = process_.process,
           .program = program_,
           .thread = thread,
           .top = top,
           .begin_event = now.event,
           .begin_ticks = now.ticks,
           .begin_ns = now.time_ns};
    Piece* piece = piece_at(top - 1);
    if (piece == nullptr) return row;
    row.start = piece->row.start;
    row.end = piece->row.end;
    piece->row.meaning = "stack";
    piece->row.thread = thread;
    Piece* below = piece_at(piece->row.start - 1);
    if (below == nullptr || below->region.protection != PROT_NONE) return row;
    row.guard_start = below->row.start;
    row.guard_end = below->row.end;
    below->row.meaning = "guard";
    below->row.thread = thread;
    return row;
  }

  void set_tls(i32 thread, u64 address) {
    if (const auto stack = stacks_.find(thread); stack != stacks_.end()) stack->second.tls = address;
    Piece* piece = piece_at(address);
    if (piece == nullptr || piece->row.meaning != "anonymous") return;
    piece->row.meaning = "tls";
    piece->row.thread = thread;
  }

  void end_stack(const Instant& now) {
    auto stack = stacks_.extract(now.task);
    if (stack) write_stack(stack.mapped(), now);
  }

  void write_stack(StackRow& row, const std::optional<Instant>& now) {
    if (now) {
      row.end_event = now->event;
      row.end_ticks = now->ticks;
      row.end_ns = now->time_ns;
    }
    rows_.add(kStack, row);
  }

  const TreeProcess& process_;
  Rows& rows_;
  CallSet calls_;
  u32 program_ = 0;
  u64 changes_ = 0;
  bool has_started_ = false;
  std::string linker_{}, program_path_{};
  std::vector<elf::MappedRegion> known_{};
  std::map<u64, Piece> pieces_{};  ///< by start
  ImageFiles images_{};
  std::map<i32, Maker> makers_{};  ///< of the calls under way, by task
  std::map<i32, Begun> begun_{};   ///< of threads that are being made, by who makes them
  std::map<i32, StackRow> stacks_{};
};

std::unique_ptr<Watcher> watch(const Recording&, const TreeProcess& process, Rows& rows) {
  return std::make_unique<MapWatcher>(process, rows);
}

std::vector<db::TableDescription> tables() {
  return {db::describe(kPiece), db::describe(kChange), db::describe(kStack)};
}

}  // namespace
}  // namespace memory

extern const Lens kMapLens;
const Lens kMapLens = {.name = "memory",
                       .version = 1,
                       .sentence = "The address space: its pieces, who made them, and every change.",
                       .tables = memory::tables,
                       .read = nullptr,
                       .watch = memory::watch};

}  // namespace orrery::lens
