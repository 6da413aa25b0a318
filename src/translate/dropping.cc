// Dropping blocks whose code has changed, and those on pages that are patched all the time: see
// translator.cc.
#include "translate/code_cache.h"
#include "translate/indirect.h"
#include "translate/translator.h"

namespace orrery::translate {

namespace {

/// A page whose code is changed so often within so many ticks is better not watched.
constexpr u32 kPatchesMost = 16;
constexpr u64 kPatchWindowTicks = 400'000;
constexpr u64 kCalmTicks = 50'000'000;

}  // namespace

void Translator::drop(BlockIndex index) {
  Block& block = blocks_[index];
  if (!block.live) return;
  block.live = false;
  ++dead_;
  ++statistics_.invalidated;
  unlink_incoming(block);
  if (block.cell != 0) {
    Cell& cell = cell_at(block.cell);
    (block.variant == Variant::fast ? cell.fast : cell.exact) =
        block.variant == Variant::fast ? cell_at(0).fast : cell_at(0).exact;
    block.cell = 0;
  }
  if (block.kind >= kFirstTainted && targets_.is_made())
    targets_.remove(block.pc, block.kind, block.variant, reinterpret_cast<u64>(cache_at(block.host_begin)));
}

void Translator::drop_blocks_at(std::span<const u64> addresses) {
  for (const u64 address : addresses) {
    const u64 page = page_floor(address);
    for (BlockIndex index = by_page_.find(page); index != kNone;) {
      const Block& block = blocks_[index];
      if (block.pc <= address && address - block.pc < block.guest_bytes) drop(index);
      index = block.next_in_page[page_floor(block.pc) == page ? 0 : 1];
    }
  }
}

void Translator::add_breakpoints(std::span<const u64> addresses) {
  drop_blocks_at(breakpoints_.add(addresses));
}

/// Blocks that end before one that is gone are still right: the next goes on from there.
void Translator::remove_breakpoints(std::span<const u64> addresses) {
  drop_blocks_at(breakpoints_.remove(addresses));
}

/// Drops every block that was read from the page. False if there was none.
bool Translator::drop_page(u64 page) {
  BlockIndex index = by_page_.find(page);
  if (index == kNone) return false;
  by_page_.set(page, kNone);
  while (index != kNone) {
    drop(index);
    Block& block = blocks_[index];
    const int slot = page_floor(block.pc) == page ? 0 : 1;
    block.listed[slot] = false;
    index = block.next_in_page[slot];
  }
  return true;
}

void Translator::changed_page(u64 page, memory::CodeChange::Cause cause) {
  if (!drop_page(page) || cause != memory::CodeChange::Cause::bytes) return;
  PagePatches& patches = patches_[page];
  if (patches.patched) return;
  if (slots().ticks - patches.since_tick > kPatchWindowTicks) patches = {0, slots().ticks, false};
  if (++patches.count < kPatchesMost) return;
  patches.patched = true;
  ++patched_pages_;
  last_stale_tick_ = slots().ticks;
}

bool Translator::is_patched(u64 page) const {
  const PagePatches* const patches = patches_.find(page);
  return patches != nullptr && patches->patched;
}

/// Self-checking code found other bytes.
void Translator::replace_stale(ExitIndex exit) {
  ++statistics_.stale;
  last_stale_tick_ = slots().ticks;
  slots().regs.rip = exits_[exit].pc;
  drop(exits_[exit].from);
}

/// Nothing was patched for a while: the pages are watched again, and their code need not check itself.
void Translator::calm_patched_pages() {
  if (patched_pages_ == 0 || slots().ticks - last_stale_tick_ < kCalmTicks) return;
  patches_.for_each([&](u64 page, const PagePatches& patches) {
    if (patches.patched) drop_page(page);
  });
  patches_.clear();
  patched_pages_ = 0;
}

/// Page granularity is enough: a changed page is no longer watched, so none of its blocks may stay. A range
/// of more pages than have code (a large reservation) is walked by the pages that have.
void Translator::drop_range(const memory::CodeChange& change) {
  const u64 first = page_floor(change.start), last = page_ceil(change.end);
  if ((last - first) / kPageBytes <= by_page_.size()) {
    for (u64 page = first; page < last; page += kPageBytes) changed_page(page, change.cause);
    return;
  }
  std::vector<u64> pages;
  by_page_.for_each_key([&](u64 page) {
    if (page >= first && page < last) pages.push_back(page);
  });
  for (const u64 page : pages) changed_page(page, change.cause);
}

void Translator::apply_changes() {
  if (space_.code().version() == seen_version_) return;
  seen_version_ = space_.code().version();
  for (const memory::CodeChange& change : space_.code().take()) drop_range(change);
}

void Translator::flush() {
  for (u32 cell = 1; cell < cells_used_; ++cell)
    if (has_entry(cell_pcs_[cell])) shadow_entry(cell_pcs_[cell]) = 0;
  blocks_.clear();
  exits_.clear();
  marks_.clear();
  source_.clear();
  notes_.clear();
  decoded_.clear();
  sets_.clear();
  if (targets_.is_made()) targets_.clear(cell_at(0).fast);
  dead_ = 0;
  by_pc_.clear();
  by_page_.clear();
  cell_pcs_.resize(1);
  cells_used_ = 1;
  cache_used_ = 0;
  ++statistics_.flushes;
}

}  // namespace orrery::translate
