#include "machine/first_touches.h"

#include <algorithm>

namespace orrery::machine {

void FirstTouches::touch(u64 page, u8 how, const translate::Access& access) {
  u8& seen = touched_[page];
  const u8 added = static_cast<u8>(how & ~seen);
  seen = static_cast<u8>(seen | how);
  recent_[page / kPageBytes % kRecentPages] = {page, seen};
  if (added == 0) return;
  found_.push_back({.page = page,
                    .pc = access.pc,
                    .event = reader_.event,
                    .ticks = reader_.ticks,
                    .instructions = reader_.instructions,
                    .task = reader_.task,
                    .how = added,
                    .by_kernel = access.by == translate::AccessBy::kernel});
}

void FirstTouches::forget(u64 address, u64 size_bytes) {
  const u64 first = page_floor(address), end = page_ceil(address + size_bytes);
  std::fill(std::begin(recent_), std::end(recent_), Recent{});
  if ((end - first) / kPageBytes <= touched_.size()) {
    for (u64 page = first; page < end; page += kPageBytes) touched_.erase(page);
    return;
  }
  std::vector<u64> pages;
  touched_.for_each([&](u64 page, u8) {
    if (page >= first && page < end) pages.push_back(page);
  });
  for (const u64 page : pages) touched_.erase(page);
}

void FirstTouches::move(u64 from, u64 from_bytes, u64 to) {
  std::vector<ControlTouch> moved;
  touched_.for_each([&](u64 page, u8 how) {
    if (page >= from && page - from < from_bytes) moved.push_back({.page = page, .how = how});
  });
  forget(from, from_bytes);
  forget(to, from_bytes);
  for (const ControlTouch& page : moved) touched_[page.page - from + to] = page.how;
}

void FirstTouches::forget_writes() {
  std::vector<std::pair<u64, u8>> written;
  touched_.for_each([&](u64 page, u8 how) {
    if ((how & kWritten) != 0) written.emplace_back(page, how);
  });
  for (const auto& [page, how] : written) touched_[page] = static_cast<u8>(how & ~kWritten);
  std::fill(std::begin(recent_), std::end(recent_), Recent{});
}

void FirstTouches::clear() {
  touched_.clear();
  found_.clear();
  std::fill(std::begin(recent_), std::end(recent_), Recent{});
  reader_ = {};
}

}  // namespace orrery::machine
