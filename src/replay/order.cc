#include "replay/order.h"

#include <algorithm>

namespace orrery::replay {

void Order::use(trace::ReplayOrder* page, u64 size_bytes) {
  if (size_bytes < sizeof(trace::ReplayOrder) || page->version != trace::kFamilyVersion) return;
  const u64 room = (size_bytes - sizeof(trace::ReplayOrder)) / sizeof(u64);
  count_ = static_cast<u32>(std::min<u64>(page->process_count, room));
  if (count_ != 0) page_ = page;
}

void Order::expect_child(u32 child, u64 time_ns) {
  if (page_ == nullptr || child >= count_) return;
  __atomic_store_n(slot(child), time_ns, __ATOMIC_RELEASE);
  u32 begun = __atomic_load_n(&page_->processes_begun, __ATOMIC_RELAXED);
  while (begun <= child && !__atomic_compare_exchange_n(&page_->processes_begun, &begun, child + 1, false,
                                                        __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
  }
}

bool Order::all_have_reached(u64 time_ns) {
  const u32 begun = std::min(__atomic_load_n(&page_->processes_begun, __ATOMIC_ACQUIRE), count_);
  for (u32 process = 0; process < begun; ++process) {
    if (process == process_) continue;
    // 0: its number is given, but it has not begun; its parent still stands for it.
    const u64 next_ns = __atomic_load_n(slot(process), __ATOMIC_ACQUIRE);
    if (next_ns != 0 && next_ns < time_ns) return false;
  }
  return true;
}

/// The others are looked at again after some time: they have more to do than to wake us.
void Order::wait_for(u64 time_ns) {
  constexpr u64 kLookAgainNs = 200'000;
  const u32 never_changes = 0;
  while (page_ != nullptr && !all_have_reached(time_ns))
    waiter_.wait(&never_changes, never_changes, kLookAgainNs);
}

}  // namespace orrery::replay
