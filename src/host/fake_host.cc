#include "host/fake_host.h"

#include <errno.h>

#include <cstring>
#include <utility>

#include "host/memory_calls.h"
#include "host/request.h"

namespace orrery::host {

i64 FakeHost::call(HostCall& call) {
  ++calls_made_;
  const i64 result = results_used_ < results_.size() ? results_[results_used_++] : choose_result(call);
  ExtentWalk walk(result);
  for (const OutRange& range : call.out.items()) {
    u32 length = 0;
    if (carries_length(range, result)) {
      length = static_cast<u32>(random_.below(range.capacity_bytes + 1));
      std::memcpy(reinterpret_cast<void*>(range.length_at), &length, sizeof length);
    }
    random_.fill({reinterpret_cast<u8*>(range.address), walk.bytes_of(range, length)});
  }
  return result;
}

/// One call in eight fails; a result that counts bytes or items is at most what the ranges hold.
i64 FakeHost::choose_result(const HostCall& call) {
  constexpr i64 kErrors[] = {-EINTR, -EAGAIN, -ENOENT, -EIO};
  if (random_.below(8) == 0) return kErrors[random_.below(4)];
  u64 most = 0;
  for (const OutRange& range : call.out.items()) {
    if (range.extent == Extent::result_bytes) most += range.capacity_bytes;
    if (range.extent == Extent::result_items) most = range.capacity_bytes / range.item_bytes;
  }
  return static_cast<i64>(random_.below(most + 1));
}

bool FakeHost::next_signal(HostSignal& signal) {
  if (signals_used_ == signals_.size()) return false;
  signal = signals_[signals_used_++];
  return true;
}

void FakeHost::exit(int status, int fatal_signal) {
  exited_ = true;
  exit_status_ = status;
  fatal_signal_ = fatal_signal;
}

i64 FakeHost::take_memory_error() { return std::exchange(memory_error_, 0); }

i64 FakeHost::map(const memory::MapRequest& request) {
  const i64 error = take_memory_error();
  return error != 0 ? error : map_memory(request, request.fd, request.offset);
}
i64 FakeHost::unmap(u64 address, u64 size_bytes) {
  const i64 error = take_memory_error();
  return error != 0 ? error : unmap_memory(address, size_bytes);
}
i64 FakeHost::protect(u64 address, u64 size_bytes, int protection) {
  const i64 error = take_memory_error();
  return error != 0 ? error : protect_memory(address, size_bytes, protection);
}
i64 FakeHost::move(u64 from, u64 from_bytes, u64 to, u64 to_bytes) {
  const i64 error = take_memory_error();
  return error != 0 ? error : move_memory(from, from_bytes, to, to_bytes);
}
i64 FakeHost::discard(u64 address, u64 size_bytes) {
  const i64 error = take_memory_error();
  return error != 0 ? error : discard_memory(address, size_bytes);
}

}  // namespace orrery::host
