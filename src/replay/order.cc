#include "replay/order.h"

#include <algorithm>

namespace orrery::replay {

void Order::use(trace::ReplayOrder* page, u64 size_bytes) {
  if (size_bytes < sizeof(trace::ReplayOrder) || page->version != trace::kFamilyVersion) return;
  const u64 room = (size_bytes - sizeof(trace::ReplayOrder)) / sizeof(trace::ReplayProgress);
  count_ = static_cast<u32>(std::min<u64>(page->process_count, room));
  if (count_ != 0) page_ = page;
}

void Order::ended() {
  has_turn_ = false;
  reached(~u64{0});
}

void Order::expect_child(u32 child, u64 time_ns) {
  if (page_ == nullptr || child >= count_) return;
  __atomic_store_n(&progress(child).shared_ns, time_ns, __ATOMIC_RELEASE);
  __atomic_store_n(&progress(child).next_ns, time_ns, __ATOMIC_RELEASE);
  u32 begun = __atomic_load_n(&page_->processes_begun, __ATOMIC_RELAXED);
  while (begun <= child && !__atomic_compare_exchange_n(&page_->processes_begun, &begun, child + 1, false,
                                                        __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
  }
}

void Order::become(u32 process) {
  if (process >= count_) page_ = nullptr;
  process_ = process;
  has_turn_ = false;
}

/// The others are looked at again after some time: they have more to do than to wake us.
template <class Has>
void Order::wait_until_all(const Has& has) {
  constexpr u64 kLookAgainNs = 50'000;
  const u32 never_changes = 0;
  if (page_ == nullptr) return;
  for (u32 process = 0;; ++process) {
    if (process >= std::min(__atomic_load_n(&page_->processes_begun, __ATOMIC_ACQUIRE), count_)) return;
    // 0: its number is given, but it has not begun; its parent still stands for it.
    while (process != process_ && __atomic_load_n(&progress(process).next_ns, __ATOMIC_ACQUIRE) != 0 &&
           !has(progress(process)))
      waiter_.wait(&never_changes, never_changes, kLookAgainNs);
  }
}

void Order::wait_for(u64 time_ns) {
  wait_until_all([&](trace::ReplayProgress& other) {
    return __atomic_load_n(&other.next_ns, __ATOMIC_ACQUIRE) >= time_ns;
  });
}

void Order::take_turn(u64 time_ns) {
  wait_until_all([&](trace::ReplayProgress& other) {
    return __atomic_load_n(&other.shared_ns, __ATOMIC_ACQUIRE) >= time_ns;
  });
  if (page_ != nullptr) __atomic_store_n(&progress(process_).shared_ns, time_ns, __ATOMIC_RELEASE);
  has_turn_ = true;
}

}  // namespace orrery::replay
