// The heap: every block that a program was given by an allocator, from the stream of calls. Allocators are
// known by their entry points, wherever they are defined; what they do inside is theirs.
#include "lens/heap/heap_lens.h"

#include <asm/unistd.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "elf/symbolizer_hosted.h"
#include "lens/clock.h"
#include "lens/code_place.h"
#include "lens/heap/allocators.h"
#include "lens/heap/growth.h"
#include "lens/heap/heap_tables.h"
#include "lens/heap/heap_tracker.h"
#include "lens/heap/heritage.h"

namespace orrery::lens {
namespace heap {
namespace {

/// Numbers of the registers that hold arguments (System V ABI, 3.2.3).
constexpr int kArgumentRegisters[] = {7, 6, 2};

const char* name_of(FunctionKind kind) {
  switch (kind) {
    case FunctionKind::allocate:
      return "allocate";
    case FunctionKind::reallocate:
      return "reallocate";
    case FunctionKind::release:
      return "release";
    case FunctionKind::measure:
      return "measure";
    case FunctionKind::allocate_to:
      return "allocate_to";
  }
  return "";
}

class HeapWatcher final : public Watcher {
 public:
  HeapWatcher(const Recording& recording, const TreeProcess& process, Rows& rows, Allocators& allocators,
              Heritages& heritages)
      : tree_process_(process),
        process_(process.process),
        rows_(rows),
        clock_(recording, process.process),
        allocators_(allocators),
        heritages_(heritages) {
    for (const u64 number : {__NR_execve, __NR_execveat, __NR_mmap, __NR_mprotect, __NR_munmap, __NR_brk,
                             __NR_mremap, __NR_madvise, __NR_fork, __NR_clone, __NR_clone3})
      calls_.set(number);
  }

  const CallSet* calls() const override { return &calls_; }

  void begin(ReplaySession& session, const Instant& now) override {
    begin_program(now);
    inherit(now);
    asked_ = static_cast<bool>(session.note_watched_calls(
        [this](std::span<const u64> records) { translate::read_calls(records, *tracker_); }));
    look_at_files(session);
  }

  void enter(ReplaySession& session, const WalkedCall& walked) override {
    session.catch_up();
    const std::string_view name = walked.call.name;
    if (name == "execve" || name == "execveat" || name == "munmap") resolve(session);
    if (asked_ && forks(session, walked.call))
      heritages_.leave(process_, walked.call.event,
                       std::make_shared<const Heritage>(Heritage{.process = process_,
                                                                 .program = program_,
                                                                 .blocks = tracker_->inheritance(),
                                                                 .held = growth_->held()}));
  }

  void leave(ReplaySession& session, const WalkedCall& walked) override {
    session.catch_up();
    if (walked.replaced_program()) {
      finish_program();
      ++program_;
      begin_program(walked.exit);
      look_at_files(session);
    } else if (walked.call.name == "mmap" || walked.call.name == "mprotect") {
      constexpr int kProtection = 2;
      if ((walked.call.arguments[kProtection] & PROT_EXEC) != 0) look_at_files(session);
    }
    if (!walked.replaced_program()) growth_->note(session, walked, *tracker_);
  }

  /// At a function that stores the block's address, or behind a call of one.
  void reach(ReplaySession& session, u64 pc, const Instant& now) override {
    session.catch_up();
    constexpr int kRax = 0, kRsp = 4;
    const elf::MachineRegisters& registers = session.registers();
    if (const auto function = storing_.find(pc); function != storing_.end()) {
      const u64 return_address = word_at(session, registers.gpr[kRsp]);
      if (return_address == 0) return;
      stores_.push_back({now.task, registers.gpr[kRsp], return_address,
                         registers.gpr[kArgumentRegisters[function->second]]});
      break_at(return_address);
      return;
    }
    const auto store = std::find_if(stores_.rbegin(), stores_.rend(), [&](const Store& each) {
      return each.task == now.task && each.return_address == pc && each.rsp < registers.gpr[kRsp];
    });
    if (store == stores_.rend()) return;
    if (registers.gpr[kRax] == 0) tracker_->stored(word_at(session, store->to));
    stores_.erase(std::next(store).base());
  }

  void end(ReplaySession& session, const Instant&) override {
    session.catch_up();
    resolve(session);
    finish_program();
  }

 private:
  /// 0 if it cannot be read.
  static u64 word_at(ReplaySession& session, u64 address) {
    u64 word = 0;
    const u64 read = session.read(address, {reinterpret_cast<u8*>(&word), sizeof word});
    return read == sizeof word ? word : 0;
  }

  /// Into a process with memory of its own.
  static bool forks(ReplaySession& session, const Call& call) {
    if (call.name == "fork") return true;
    if (call.name == "clone") return (call.arguments[0] & CLONE_VM) == 0;
    return call.name == "clone3" && (word_at(session, call.arguments[0]) & CLONE_VM) == 0;
  }

  void inherit(const Instant& now) {
    const std::shared_ptr<const Heritage> heritage = heritages_.take(tree_process_);
    if (heritage == nullptr) return;
    const LiveHeap::Inherited& heap = heritage->blocks->heap;
    inherited_ = {.inherited_from = heritage->process,
                  .inherited_program = heritage->program,
                  .inherited_blocks = heap.live_blocks,
                  .inherited_bytes = heap.live_bytes,
                  .inherited_entries = heap.log_entries,
                  .first_block = heap.next_block,
                  .inherited_nodes = heritage->blocks->tree.size()};
    tracker_->inherit(*heritage->blocks, {.event = now.event, .task = now.task, .ticks = now.ticks});
    growth_->inherit(heritage->held, now);
  }

  struct Store {
    i32 task;
    u64 rsp, return_address, to;
  };

  void begin_program(const Instant& now) {
    begin_event_ = now.event;
    inherited_ = {};
    chunks_ = 0;
    seen_.clear();
    storing_.clear();
    stores_.clear();
    places_.clear();
    break_nowhere();
    growth_ = std::make_unique<Growth>(process_, program_, rows_);
    tracker_ = std::make_unique<HeapTracker>(
        [this](LogChunk chunk) {
          rows_.add(kHeapLog, {.process = process_,
                               .program = program_,
                               .chunk = chunks_++,
                               .entries = chunk.entries,
                               .first_event = chunk.first_event,
                               .columns = std::move(chunk.columns)});
        },
        [this](u64 event, i32 task) { return clock_.stretch_at(event, task); });
  }

  /// Files whose code is mapped since the last look.
  void look_at_files(ReplaySession& session) {
    if (!asked_) return;
    for (const elf::MappedRegion& region : session.regions()) {
      if ((region.protection & PROT_EXEC) == 0 || !region.path.starts_with("/")) continue;
      if (!seen_.emplace(region.path, region.start).second) continue;
      const FileFunctions functions = allocators_.find(session, region);
      std::vector<u64> wanted;
      for (const auto& [address, function] : functions.by_address) {
        wanted.push_back(translate::WatchedFunction::of(address, function->arguments_used(),
                                                        function->kind != FunctionKind::release)
                             .word);
        if (function->kind != FunctionKind::allocate_to) continue;
        storing_[address] = function->pointer;
        break_at(address);
      }
      if (session.watch_functions(wanted)) tracker_->watch(functions);
      growth_->note_file(functions);
    }
  }

  /// The nodes that allocated, and those that led to them.
  std::vector<bool> wanted_nodes() const {
    std::vector<bool> wanted(tracker_->tree().size());
    const auto want = [&](CallTree::Node node) {
      for (CallTree::Node at = node; at != CallTree::kRoot && !wanted[at]; at = tracker_->tree().parent(at))
        wanted[at] = true;
    };
    const std::vector<NodeSums>& nodes = tracker_->heap().nodes();
    for (CallTree::Node node = 1; node < std::min<std::size_t>(nodes.size(), wanted.size()); ++node)
      if (nodes[node].allocations != 0) want(node);
    for (const CallTree::Node node : growth_->nodes()) want(node);
    return wanted;
  }

  /// While the code is still mapped.
  void resolve(ReplaySession& session) {
    tracker_->settle();
    const std::vector<bool> wanted = wanted_nodes();
    for (CallTree::Node node = 1; node < wanted.size(); ++node) {
      const u64 pc = tracker_->tree().pc(node);
      if (!wanted[node] || places_.contains(pc)) continue;
      const elf::MappedRegion* const region = session.find_region(pc);
      if (region == nullptr) continue;
      places_[pc] = lines_of(elf::locate(session.images(), pc), region->path);
    }
  }

  static std::vector<PlaceRow> lines_of(const elf::Location& location, const std::string& path) {
    std::vector<PlaceRow> lines;
    const auto object = path.starts_with("/") ? std::optional(path) : std::nullopt;
    for (const elf::SourceFrame& frame : location.frames) {
      PlaceRow& row = lines.emplace_back(PlaceRow{.depth = static_cast<u32>(lines.size()), .object = object});
      const std::string& function = frame.function.empty() ? location.symbol : frame.function;
      if (!function.empty()) row.function = short_function(function);
      if (frame.source.line == 0) continue;
      row.file = frame.source.file;
      row.line = static_cast<u32>(frame.source.line);
    }
    if (!lines.empty()) return lines;
    PlaceRow& row = lines.emplace_back(PlaceRow{.object = object});
    if (!location.symbol.empty()) row.function = short_function(location.symbol);
    return lines;
  }

  void finish_program() {
    if (!asked_) return;
    tracker_->finish();
    growth_->finish();
    add_sums();
    add_functions();
    add_nodes();
    for (const HeapSample& sample : tracker_->heap().samples())
      rows_.add(kHeapSample, {.process = process_,
                              .program = program_,
                              .event = sample.place.event,
                              .task = sample.place.task,
                              .ticks = sample.place.ticks,
                              .time_ns = sample.time_ns,
                              .live_blocks = sample.live_blocks,
                              .live_bytes = sample.live_bytes});
    for (const LiveBlock& live : tracker_->take_live())
      rows_.add(kHeapBlock, {.process = process_,
                             .program = program_,
                             .number = live.block.number,
                             .address = live.block.address,
                             .size_bytes = live.block.size_bytes,
                             .node = live.block.node,
                             .event = live.made.event,
                             .task = live.made.task,
                             .ticks = live.made.ticks,
                             .time_ns = live.made_ns});
  }

  void add_sums() {
    const HeapSums& sums = tracker_->heap().sums();
    rows_.add(kHeap, {.process = process_,
                      .program = program_,
                      .begin_event = begin_event_,
                      .inherited_from = inherited_.inherited_from,
                      .inherited_program = inherited_.inherited_program,
                      .inherited_blocks = inherited_.inherited_blocks,
                      .inherited_bytes = inherited_.inherited_bytes,
                      .inherited_entries = inherited_.inherited_entries,
                      .first_block = inherited_.first_block,
                      .inherited_nodes = inherited_.inherited_nodes,
                      .allocations = sums.allocations,
                      .bytes = sums.bytes,
                      .releases = sums.releases,
                      .temporary = sums.temporary,
                      .failed = tracker_->failed(),
                      .unknown_releases = sums.unknown_releases,
                      .peak_blocks = sums.peak_blocks,
                      .peak_bytes = sums.peak_bytes,
                      .peak_event = sums.peak.event,
                      .peak_task = sums.peak.task,
                      .peak_ticks = sums.peak.ticks,
                      .peak_ns = sums.peak_ns,
                      .live_blocks = sums.live_blocks,
                      .live_bytes = sums.live_bytes});
  }

  void add_functions() {
    for (const HeapTracker::Watched& each : tracker_->watched())
      rows_.add(kHeapFunction, {.process = process_,
                                .program = program_,
                                .name = allocators_.text_of(each.function),
                                .kind = name_of(each.function.kind),
                                .object = each.path,
                                .address = each.address,
                                .calls = each.calls});
  }

  void add_nodes() {
    const CallTree& tree = tracker_->tree();
    const std::vector<bool> wanted = wanted_nodes();
    for (CallTree::Node node = 1; node < wanted.size(); ++node) {
      if (!wanted[node]) continue;
      const NodeSums sums =
          node < tracker_->heap().nodes().size() ? tracker_->heap().nodes()[node] : NodeSums{};
      const auto [peak_blocks, peak_bytes] = tracker_->heap().blocks_and_bytes_at_peak(sums);
      rows_.add(kHeapNode, {.process = process_,
                            .program = program_,
                            .node = node,
                            .parent = tree.parent(node),
                            .pc = tree.pc(node),
                            .allocations = sums.allocations,
                            .bytes = sums.bytes,
                            .temporary = sums.temporary,
                            .peak_blocks = peak_blocks,
                            .peak_bytes = peak_bytes,
                            .live_blocks = sums.live_blocks,
                            .live_bytes = sums.live_bytes});
    }
    for (auto& [pc, lines] : places_)
      for (PlaceRow& row : lines) {
        row.process = process_;
        row.program = program_;
        row.pc = pc;
        rows_.add(kHeapPlace, row);
      }
  }

  const TreeProcess& tree_process_;
  u32 process_;
  Rows& rows_;
  Clock clock_;  ///< for whichever thread works for the tracker
  Allocators& allocators_;
  Heritages& heritages_;
  CallSet calls_;
  bool asked_ = false;
  u32 program_ = 0, chunks_ = 0;
  u64 begin_event_ = 0;
  HeapRow inherited_{};  ///< of the program that runs, only those columns
  std::unique_ptr<Growth> growth_;
  std::unique_ptr<HeapTracker> tracker_;
  std::set<std::pair<std::string, u64>> seen_;  ///< mapped code, by path and address
  std::map<u64, u8> storing_;  ///< functions of kind allocate_to, and which argument says where
  std::vector<Store> stores_;  ///< that have not returned
  std::map<u64, std::vector<PlaceRow>> places_;
};

class HeapInquiry final : public Inquiry {
 public:
  HeapInquiry(const Recording& recording, Rows& rows, std::optional<OwnAllocator> own)
      : recording_(recording), rows_(rows), allocators_(std::move(own)) {}
  std::unique_ptr<Watcher> watch(const TreeProcess& process) override {
    return std::make_unique<HeapWatcher>(recording_, process, rows_, allocators_, heritages_);
  }
  Fallible<Nothing> finish() override { return allocators_.finish(); }

 private:
  const Recording& recording_;
  Rows& rows_;
  Allocators allocators_;
  Heritages heritages_;
};

std::unique_ptr<Inquiry> inquire(const Recording& recording, Rows& rows) {
  return std::make_unique<HeapInquiry>(recording, rows, std::nullopt);
}

std::vector<db::TableDescription> tables() {
  return {db::describe(kHeap),      db::describe(kHeapFunction), db::describe(kHeapNode),
          db::describe(kHeapPlace), db::describe(kHeapSample),   db::describe(kHeapBlock),
          db::describe(kHeapLog),   db::describe(kHeapGrowth),   db::describe(kHeapHeld)};
}

}  // namespace

std::unique_ptr<Inquiry> inquire_own(const Recording& recording, Rows& rows, OwnAllocator own) {
  return std::make_unique<HeapInquiry>(recording, rows, std::move(own));
}

}  // namespace heap

const Lens kHeapLens = {.name = "heap",
                        .version = 3,
                        .sentence = "Every block that the program was given by an allocator, and who asked.",
                        .tables = heap::tables,
                        .read = nullptr,
                        .watch = nullptr,
                        .inquire = heap::inquire,
                        .notes = machine::Notes::watched_calls};

}  // namespace orrery::lens
