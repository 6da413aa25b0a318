#include "lens/heap/growth.h"

#include <algorithm>

#include "base/base_name.h"
#include "elf/unwind_hosted.h"
#include "lens/heap/heap_tables.h"

namespace orrery::lens::heap {
namespace {

/// A library that defines malloc and is not the C library, or the dynamic linker with one for itself: all
/// that it asks the kernel for is the heap's.
bool is_library_of_allocator(const FileFunctions& file) {
  const std::string_view name = base_name(file.path);
  const bool is_c_library = name.starts_with("libc.") || name.starts_with("libc-") ||
                            name.starts_with("ld-") || name.starts_with("ld.");
  if (is_c_library || name.find(".so") == std::string_view::npos) return false;
  return std::any_of(file.by_address.begin(), file.by_address.end(),
                     [](const auto& each) { return each.second->name == "malloc"; });
}

}  // namespace

void Growth::note_file(const FileFunctions& file) {
  if (is_library_of_allocator(file)) libraries_.emplace_back(file.begin, file.end);
}

bool Growth::is_in_library(ReplaySession& session) const {
  if (libraries_.empty()) return false;
  const elf::Stack stack = elf::unwind(session, session.images());
  return std::any_of(stack.frames.begin(), stack.frames.end(), [this](const elf::Frame& frame) {
    const u64 pc = frame.lookup_pc();
    return std::any_of(libraries_.begin(), libraries_.end(),
                       [pc](const auto& file) { return pc >= file.first && pc < file.second; });
  });
}

void Growth::finish() {
  for (const HeldMemory::Piece& piece : held_.pieces()) add_piece(piece, nullptr);
}

void Growth::add_piece(const HeldMemory::Piece& piece, const Instant* end) {
  HeldRow row{.process = process_,
              .program = program_,
              .start = piece.start,
              .end = piece.end,
              .is_usable = piece.is_usable,
              .begin_event = piece.begin.event,
              .begin_ticks = piece.begin.ticks,
              .begin_ns = piece.begin.time_ns};
  if (end != nullptr) {
    row.end_event = end->event;
    row.end_ticks = end->ticks;
    row.end_ns = end->time_ns;
  }
  rows_.add(kHeapHeld, row);
}

void Growth::note(ReplaySession& session, const WalkedCall& walked, HeapTracker& tracker) {
  const HeapTracker::Inside inside = tracker.inside(session.registers().gpr[elf::kRspIndex]);
  const bool by_allocator = inside.function != nullptr || is_in_library(session);
  const HeldMemory::Change change = held_.apply(walked.call, walked.entry, by_allocator);
  for (const HeldMemory::Piece& piece : held_.take_gone()) add_piece(piece, &walked.entry);
  if (!change.any()) return;
  tracker.settle();
  GrowthRow row{.process = process_,
                .program = program_,
                .number = count_++,
                .event = walked.entry.event,
                .task = walked.entry.task,
                .ticks = walked.entry.ticks,
                .time_ns = walked.entry.time_ns,
                .call = walked.call.name,
                .address = change.address,
                .mapped = change.mapped,
                .usable = change.usable,
                .dropped = change.dropped,
                .mapped_bytes = held_.mapped_bytes(),
                .usable_bytes = held_.usable_bytes(),
                .live_bytes = tracker.heap().sums().live_bytes};
  if (inside.function != nullptr) {
    row.function = std::string(inside.function->function.name);
    row.node = inside.node;
    nodes_.insert(inside.node);
  }
  rows_.add(kHeapGrowth, row);
}

}  // namespace orrery::lens::heap
