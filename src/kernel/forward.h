// The generic handler: makes a host call out of a row and its arguments. It checks every pointed-to range
// against the guest's own map, prepares the pages that will be written, lists inputs and outputs for the
// recorder, and keeps the engine's descriptors and memory out of reach. Handlers that need only a little
// more than their row call it too.
#pragma once

#include <array>
#include <vector>

#include "base/types.h"
#include "host/host.h"
#include "kernel/syscalls/call.h"

namespace orrery::kernel {

/// Performs the call as its row describes it.
i64 forward(Call& call);
/// The same as one call of the host, even where that may do only a part among other tasks.
i64 forward_once(Call& call);

/// Asks the host and settles interruption: -EINTR comes back as the row's restart code only when a signal
/// is there to be delivered, else the call is made again.
i64 ask(Call& call, host::HostCall& host_call);

/// A descriptor the host has just given: itself, or EMFILE (and closed again) at the guest's limit, which
/// the host's may exceed to make room for the engine's descriptors.
i64 admit_descriptor(Call& call, i64 fd);

/// True for results that mean "a signal interrupted this": EINTR of a call that is never restarted, or
/// one of the internal restart codes.
constexpr bool is_interrupted(i64 result) {
  return result == -4 || result == -512 || result == -513 || result == -514 || result == -516;
}

/// An address that no guest page ever has: what the host is given in place of a pointer into the engine, so
/// that it answers EFAULT in its own order of checks.
inline constexpr u64 kFaultingAddress = 0x1000;

/// Adds to a RangeList, which holds a few ranges without a heap; moves to memory of its own when they
/// become more (vectors).
template <class T, int N>
class Overflow {
 public:
  void add(const T& range, host::RangeList<T, N>& list) {
    if (++count_ <= N) return list.add(range);
    if (all_.empty()) all_.assign(list.items().begin(), list.items().end());
    all_.push_back(range);
    list.set_external(all_);
  }

 private:
  int count_ = 0;
  std::vector<T> all_;
};

/// Collects the ranges of one host call. Used by forward() and by handlers that build a call themselves.
class CallBuilder {
 public:
  CallBuilder(Call& call, u32 number);

  host::HostCall& host_call() { return host_call_; }
  void value(int index, u64 value) { host_call_.args[static_cast<std::size_t>(index)] = value; }
  /// A descriptor; one of the engine's becomes -1.
  void fd(int index, u64 value);

  // Guest ranges: the pointer becomes args[index]. Null stays null.
  void in(int index, u64 address, u64 size_bytes);
  void out(int index, u64 address, u64 size_bytes, host::Extent extent, u32 item_bytes = 1,
           u64 length_at = 0);
  void in_out(int index, u64 address, u64 size_bytes);
  void c_string(int index, u64 address);
  void path(int index, u64 address, int directory_fd, bool follows);
  void vectors(int index, u64 address, u64 count, bool written);
  void message(int index, u64 address, bool written);
  void messages(int index, u64 address, u64 count, bool written);

  // Ranges of the engine's: not part of what a replay compares.
  void engine_in(int index, const void* data, u64 size_bytes);
  void engine_out(int index, void* data, u64 size_bytes, host::Extent extent = host::Extent::always);

  /// Makes the call, through ask().
  i64 perform();
  /// Bytes that the host call may take at most of the range just added; see shrink in forward.cc.
  u64 last_accessible_bytes() const { return last_accessible_bytes_; }

 private:
  struct Vector {
    u64 base;
    u64 size_bytes;
  };
  bool reach(u64 address, u64 size_bytes, memory::Access access, u64& accessible);
  void pointer(int index, u64 value, bool checked);
  void add_in(u64 address, u64 size_bytes);
  void add_out(const host::OutRange& range);
  bool add_vectors(u64 address, u64 count, bool written, host::Extent extent, u64 length_at,
                   std::vector<Vector>& safe);
  bool add_message(u64 address, bool written, host::Extent data_extent, u64 data_length_at);
  bool rights_are_guests(u64 control, u64 size_bytes);

  Call& call_;
  host::HostCall host_call_;
  Overflow<host::InRange, 4> in_;
  Overflow<host::OutRange, 6> out_;
  std::vector<std::vector<char>> strings_;
  std::vector<std::vector<Vector>> vectors_;
  u64 last_accessible_bytes_ = 0;
};

}  // namespace orrery::kernel
