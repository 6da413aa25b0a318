#include "lens/cache/object_map.h"

#include <algorithm>

#include "cpu/registers.h"

namespace orrery::lens::cache {
namespace {

/// As far as the main stack may have grown since the regions were looked at (RLIMIT_STACK's usual value).
constexpr u64 kGrowsBytes = 8 << 20;

}  // namespace

void ObjectMap::look(ReplaySession& session) {
  ++epoch_;
  regions_.clear();
  for (const elf::MappedRegion& region : session.regions())
    regions_.push_back({.start = region.start,
                        .end = region.end,
                        .name = region.path,
                        .stack_of = 0,
                        .grows = region.path == "[stack]"});
  for (const machine::ControlTask& task : session.tasks()) {
    if (task.state == machine::TaskState::ended) continue;
    // A thread that has just been made has all of its stack above it.
    const u64 rsp = task.gpr[static_cast<int>(cpu::Gpr::rsp)];
    for (Region& region : regions_)
      if (rsp > region.start && rsp <= region.end && !region.name.starts_with("/"))
        region.stack_of = task.task;
  }
}

const ObjectMap::Region* ObjectMap::region_at(u64 address) const {
  const auto at = std::upper_bound(regions_.begin(), regions_.end(), address,
                                   [](u64 wanted, const Region& region) { return wanted < region.end; });
  if (at == regions_.end()) return nullptr;
  const bool may_have_grown = at->grows && at->start - address <= kGrowsBytes;
  return address >= at->start || may_have_grown ? &*at : nullptr;
}

FoundObject ObjectMap::find(u64 address, u64 pc) {
  if (const DataSymbol* const symbol = data_.symbol_at(address))
    return {.site = number_of_global(*symbol), .begin = symbol->begin, .end = symbol->end};
  const Region* const region = region_at(address);
  if (region != nullptr && region->stack_of != 0) {
    const u32 site =
        number_of({.kind = SiteKind::stack, .task = region->stack_of, .function = code_.function_at(pc)});
    return {.site = site, .begin = std::min(address, region->start), .end = region->end};
  }
  FoundObject found{.begin = address, .end = address + 1};
  std::string name;
  // A file's mapping ends where its variables without bytes in it begin, which are the file's as well.
  if (const elf::Image* const image = code_.image_at(address)) {
    name = image->path;
    std::tie(found.begin, found.end) = data_.gap_at(address);
  } else if (region != nullptr) {
    name = region->name;
    found.begin = std::min(address, region->start), found.end = region->end;
    found.may_hold_blocks = true;
  }
  found.site = number_of({.kind = SiteKind::mapping, .name = name});
  return found;
}

u32 ObjectMap::number_of(Site site) {
  const u64 number = site.kind == SiteKind::stack ? site.function : site.node;
  const auto [known, is_new] =
      site_numbers_.try_emplace({site.kind, number, static_cast<u32>(site.task), site.name, site.object},
                                static_cast<u32>(sites_.size()));
  if (is_new) sites_.push_back(std::move(site));
  return known->second;
}

u32 ObjectMap::number_of_global(const DataSymbol& symbol) {
  const elf::Image* const image = code_.image_at(symbol.begin);
  Site site{.kind = SiteKind::global, .name = symbol.name, .object = image != nullptr ? image->path : ""};
  CodeTypes* const types = data_.types_at(symbol.begin);
  if (const elf::GlobalVariable* const variable =
          types != nullptr ? types->types().global_at(symbol.begin) : nullptr) {
    const auto [element, offset] = in_element(types->types(), variable->type, 0);
    site.layout = fields_.layout_of(types->types(), element);
  }
  return number_of(std::move(site));
}

void ObjectMap::change_heap(u64 event, i32 task, u64 ticks) {
  history_.go_to(
      event, task, ticks, [this](const heap::LoggedBlock& block) { allocate(block); },
      [this](const heap::LoggedBlock& block) { release(block); });
}

void ObjectMap::allocate(const heap::LoggedBlock& block) {
  if (block.node >= heap_sites_.size())
    heap_sites_.resize(std::max<std::size_t>(block.node + 1, heap_sites_.size() * 2));
  u32& site = heap_sites_[block.node];
  if (site == 0) site = number_of({.kind = SiteKind::heap, .node = block.node});
  u32 number = 0;
  if (free_blocks_.empty()) {
    number = static_cast<u32>(blocks_.size());
    blocks_.emplace_back();
  } else {
    number = free_blocks_.back();
    free_blocks_.pop_back();
  }
  blocks_[number] = {
      .site = site, .begin = block.address, .end = block.address + block.size_bytes, .is_block = true};
  block_numbers_[block.address] = number;
  pages_.set(block.address, block.size_bytes, number);
}

void ObjectMap::release(const heap::LoggedBlock& block) {
  const u32* const number = block_numbers_.find(block.address);
  if (number == nullptr) return;
  pages_.set(block.address, block.size_bytes, BlockPages::kNone);
  free_blocks_.push_back(*number);
  block_numbers_.erase(block.address);
}

}  // namespace orrery::lens::cache
