#include "lens/races/access_shadow.h"

#include <algorithm>

namespace orrery::lens::races {

ShadowPage* AccessShadow::find_or_make(u64 page) {
  u32& number = pages_[page];
  if (number == 0) {
    number = static_cast<u32>(by_number_.size());
    by_number_.push_back(std::make_unique<ShadowPage>());
  }
  return by_number_[number].get();
}

void AccessShadow::clear(ShadowWord word, u8 bytes) {
  WordSummary& summary = word.summary();
  for (u8* const each : {&summary.seen, &summary.written, &summary.atomics}) *each &= static_cast<u8>(~bytes);
  summary.is_used = summary.atomics != 0;
  for (Slot& slot : word.slots()) {
    if (slot.segment != 0) take(slot, bytes);
    summary.is_used = summary.is_used || slot.segment != 0;
  }
  if (!summary.has_more) return;
  std::vector<Slot>& list = lists_[word.more()];
  for (Slot& slot : list) take(slot, bytes);
  std::erase_if(list, [](const Slot& slot) { return slot.segment == 0; });
  summary.is_used = summary.is_used || !list.empty();
  if (!list.empty()) return;
  free_lists_.push_back(word.more());
  summary.has_more = false;
}

void AccessShadow::add(ShadowWord word, const Slot& slot) {
  for (Slot& place : word.slots()) {
    if (place.segment != 0) continue;
    place = slot;
    return;
  }
  if (!word.summary().has_more) {
    word.summary().has_more = true;
    if (free_lists_.empty()) {
      word.more() = static_cast<u32>(lists_.size());
      lists_.emplace_back();
    } else {
      word.more() = free_lists_.back();
      free_lists_.pop_back();
      lists_[word.more()].clear();
    }
  }
  std::vector<Slot>& list = lists_[word.more()];
  const auto hole =
      std::find_if(list.begin(), list.end(), [](const Slot& each) { return each.segment == 0; });
  if (hole != list.end())
    *hole = slot;
  else
    list.push_back(slot);
}

}  // namespace orrery::lens::races
