#include "cli/heap_history.h"

#include <algorithm>
#include <string>

namespace orrery::cli {
namespace {

using lens::heap::BlockRow;
using lens::heap::HeapRow;
using lens::heap::LoggedPlace;

std::string of_program(u32 process, u32 program) {
  return "WHERE process = " + std::to_string(process) + " AND program = " + std::to_string(program);
}

}  // namespace

bool is_behind(const LoggedPlace& entry, const LoggedPlace& at) {
  if (entry.event != at.event) return entry.event > at.event;
  return entry.task == at.task && entry.ticks > at.ticks;
}

HeapHistory::HeapHistory(db::Database& database, const lens::Recording& recording, const HeapRow& program,
                         Live inherited)
    : database_(database),
      program_(program),
      clock_(recording, program.process),
      live_(std::move(inherited)),
      next_block_(program.first_block) {}

Fallible<const HeapHistory::Entry*> HeapHistory::look() {
  if (next_) return &*next_;
  while (left_in_chunk_ == 0) {
    auto rows = TRY(database_.read(lens::heap::kHeapLog, of_program(program_.process, program_.program) +
                                                             " AND chunk = " + std::to_string(next_chunk_)));
    if (rows.empty()) return static_cast<const Entry*>(nullptr);
    ++next_chunk_;
    chunk_ = std::move(rows.front());
    reader_ = std::make_unique<lens::heap::LogReader>(chunk_.columns);
    left_in_chunk_ = chunk_.entries;
  }
  next_ = reader_->next(next_block_);
  --left_in_chunk_;
  return &*next_;
}

void HeapHistory::take() {
  next_->is_release ? release(*next_) : allocate(*next_);
  ++entries_;
  next_.reset();
}

Fallible<Nothing> HeapHistory::go_to(const LoggedPlace& place) {
  for (const Entry* next = TRY(look()); next != nullptr && !is_behind(next->place, place); next = TRY(look()))
    take();
  return Nothing{};
}

Fallible<Nothing> HeapHistory::go_behind(u64 entries) {
  while (entries_ < entries && TRY(look()) != nullptr) take();
  return Nothing{};
}

void HeapHistory::allocate(const Entry& entry) {
  BlockRow& block = live_[entry.block.number];
  block = {.process = program_.process,
           .program = program_.program,
           .number = entry.block.number,
           .address = entry.block.address,
           .size_bytes = entry.block.size_bytes,
           .node = entry.block.node,
           .event = entry.place.event,
           .task = entry.place.task,
           .ticks = entry.place.ticks,
           .time_ns = clock_.time_at(entry.place.event, entry.place.task, entry.place.ticks)};
  Counts& counts = given_[block.node];
  ++counts.blocks;
  counts.bytes += block.size_bytes;
  note_found(block);
}

void HeapHistory::release(const Entry& entry) {
  const auto known = live_.find(entry.block.number);
  if (known == live_.end()) return;
  ++releases_;
  live_.erase(known);
  if (!found_ || found_->block.number != entry.block.number) return;
  found_->is_live = false;
  found_->released = entry.place;
  found_->released_ns = clock_.time_at(entry.place.event, entry.place.task, entry.place.ticks);
}

void HeapHistory::look_for(u64 address) {
  wanted_ = address;
  for (const auto& [number, block] : live_) note_found(block);
}

void HeapHistory::note_found(const BlockRow& block) {
  const u64 end = block.address + std::max<u64>(block.size_bytes, 1);
  if (wanted_ && *wanted_ >= block.address && *wanted_ < end) found_ = Found{.block = block};
}

Fallible<std::optional<HeapRow>> HeapHistories::parent(const HeapRow& program) {
  if (!program.inherited_from) return std::optional<HeapRow>();
  auto rows = TRY(database_.read(lens::heap::kHeap,
                                 of_program(*program.inherited_from, program.inherited_program.value_or(0))));
  return rows.empty() ? std::optional<HeapRow>() : std::optional(std::move(rows.front()));
}

Fallible<std::unique_ptr<HeapHistory>> HeapHistories::begin(const HeapRow& program) {
  HeapHistory::Live inherited;
  if (const std::optional<HeapRow> from = TRY(parent(program))) {
    std::unique_ptr<HeapHistory>& history = parents_[{from->process, from->program}];
    if (history == nullptr || history->entries() > program.inherited_entries) history = TRY(begin(*from));
    TRY(history->go_behind(program.inherited_entries));
    inherited = history->live();
  }
  return std::make_unique<HeapHistory>(database_, recording_, program, std::move(inherited));
}

LoggedPlace place_in(const lens::Recording& recording, u32 process, const lens::ExactInstant& instant) {
  if (process == instant.process)
    return {.event = instant.at.event, .task = instant.at.task, .ticks = instant.at.ticks};
  const lens::Instant there = lens::Clock(recording, process).find(instant.at.time_ns);
  return {.event = there.event, .task = there.task, .ticks = there.ticks};
}

}  // namespace orrery::cli
