// The heap: every block that a program was given by an allocator, from the stream of calls. Allocators are
// known by their entry points, wherever they are defined; what they do inside is theirs.
#include <asm/unistd.h>
#include <sys/mman.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "elf/symbolizer_hosted.h"
#include "lens/clock.h"
#include "lens/code_place.h"
#include "lens/heap/heap_tables.h"
#include "lens/heap/heap_tracker.h"
#include "lens/lens.h"

namespace orrery::lens {
namespace heap {
namespace {

/// Times of places, which come in the order of the run.
class Times {
 public:
  Times(const Recording& recording, u32 process) : clock_(recording, process) {}
  u64 of(const LoggedPlace& place) { return clock_.time_at(place.event, place.task, place.ticks); }

 private:
  Clock clock_;
};

class HeapWatcher final : public Watcher {
 public:
  HeapWatcher(const Recording& recording, const TreeProcess& process, Rows& rows)
      : recording_(recording), process_(process.process), rows_(rows) {
    for (const u64 number : {__NR_execve, __NR_execveat, __NR_mmap, __NR_mprotect, __NR_munmap})
      calls_.set(number);
  }

  const CallSet* calls() const override { return &calls_; }

  void begin(ReplaySession& session, const Instant&) override {
    begin_program();
    asked_ = static_cast<bool>(session.note_watched_calls(
        [this](std::span<const u64> records) { translate::read_calls(records, *tracker_); }));
    look_at_files(session);
  }

  void enter(ReplaySession& session, const WalkedCall& walked) override {
    const std::string_view name = walked.call.name;
    if (name == "execve" || name == "execveat" || name == "munmap") resolve(session);
  }

  void leave(ReplaySession& session, const WalkedCall& walked) override {
    if (walked.replaced_program()) {
      finish_program();
      ++program_;
      begin_program();
      look_at_files(session);
    } else if (walked.call.name == "mmap" || walked.call.name == "mprotect") {
      constexpr int kProtection = 2;
      if ((walked.call.arguments[kProtection] & PROT_EXEC) != 0) look_at_files(session);
    }
  }

  /// At a function that stores the block's address, or behind a call of one.
  void reach(ReplaySession& session, u64 pc, const Instant& now) override {
    constexpr int kRax = 0, kRsp = 4, kRdi = 7;
    const elf::MachineRegisters& registers = session.registers();
    if (const auto function = storing_.find(pc); function != storing_.end()) {
      const u64 return_address = word_at(session, registers.gpr[kRsp]);
      if (return_address == 0) return;
      stores_.push_back({now.task, registers.gpr[kRsp], return_address, registers.gpr[kRdi]});
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

  struct Store {
    i32 task;
    u64 rsp, return_address, to;
  };

  void begin_program() {
    chunks_ = 0;
    seen_.clear();
    storing_.clear();
    stores_.clear();
    places_.clear();
    break_nowhere();
    tracker_ = std::make_unique<HeapTracker>([this](LogChunk chunk) {
      rows_.add(kHeapLog, {.process = process_,
                           .program = program_,
                           .chunk = chunks_++,
                           .entries = chunk.entries,
                           .first_event = chunk.first_event,
                           .columns = std::move(chunk.columns)});
    });
  }

  /// Files whose code is mapped since the last look.
  void look_at_files(ReplaySession& session) {
    if (!asked_) return;
    for (const elf::MappedRegion& region : session.regions()) {
      if ((region.protection & PROT_EXEC) == 0 || !region.path.starts_with("/")) continue;
      if (!seen_.emplace(region.path, region.start).second) continue;
      const FileFunctions functions = find_allocator_functions(session, region);
      std::vector<u64> addresses;
      for (const auto& [address, function] : functions.by_address) {
        addresses.push_back(address);
        if (function->kind != FunctionKind::allocate_to) continue;
        storing_.insert(address);
        break_at(address);
      }
      if (session.watch_functions(addresses)) tracker_->watch(functions);
    }
  }

  /// The nodes that allocated, and those that led to them.
  std::vector<bool> wanted_nodes() const {
    std::vector<bool> wanted(tracker_->tree().size());
    const std::vector<NodeSums>& nodes = tracker_->heap().nodes();
    for (CallTree::Node node = 1; node < std::min<std::size_t>(nodes.size(), wanted.size()); ++node) {
      if (nodes[node].allocations == 0) continue;
      for (CallTree::Node at = node; at != CallTree::kRoot && !wanted[at]; at = tracker_->tree().parent(at))
        wanted[at] = true;
    }
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
    add_sums();
    add_nodes();
    Times times(recording_, process_);
    for (const HeapSample& sample : tracker_->heap().samples())
      rows_.add(kHeapSample, {.process = process_,
                              .program = program_,
                              .event = sample.place.event,
                              .task = sample.place.task,
                              .ticks = sample.place.ticks,
                              .time_ns = times.of(sample.place),
                              .live_blocks = sample.live_blocks,
                              .live_bytes = sample.live_bytes});
    Times again(recording_, process_);
    for (const LiveBlock& live : tracker_->heap().live())
      rows_.add(kHeapBlock, {.process = process_,
                             .program = program_,
                             .number = live.block.number,
                             .address = live.block.address,
                             .size_bytes = live.block.size_bytes,
                             .node = live.block.node,
                             .event = live.made.event,
                             .task = live.made.task,
                             .ticks = live.made.ticks,
                             .time_ns = again.of(live.made)});
  }

  void add_sums() {
    const HeapSums& sums = tracker_->heap().sums();
    Times times(recording_, process_);
    rows_.add(kHeap, {.process = process_,
                      .program = program_,
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
                      .peak_ns = times.of(sums.peak),
                      .live_blocks = sums.live_blocks,
                      .live_bytes = sums.live_bytes});
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

  const Recording& recording_;
  u32 process_;
  Rows& rows_;
  CallSet calls_;
  bool asked_ = false;
  u32 program_ = 0, chunks_ = 0;
  std::unique_ptr<HeapTracker> tracker_;
  std::set<std::pair<std::string, u64>> seen_;  ///< mapped code, by path and address
  std::set<u64> storing_;                       ///< functions of kind allocate_to
  std::vector<Store> stores_;                   ///< that have not returned
  std::map<u64, std::vector<PlaceRow>> places_;
};

std::unique_ptr<Watcher> watch(const Recording& recording, const TreeProcess& process, Rows& rows) {
  return std::make_unique<HeapWatcher>(recording, process, rows);
}

std::vector<db::TableDescription> tables() {
  return {db::describe(kHeap),       db::describe(kHeapNode),  db::describe(kHeapPlace),
          db::describe(kHeapSample), db::describe(kHeapBlock), db::describe(kHeapLog)};
}

}  // namespace
}  // namespace heap

extern const Lens kHeapLens;
const Lens kHeapLens = {.name = "heap",
                        .version = 1,
                        .sentence = "Every block that the program was given by an allocator, and who asked.",
                        .tables = heap::tables,
                        .read = nullptr,
                        .watch = heap::watch,
                        .notes = machine::Notes::watched_calls};

}  // namespace orrery::lens
