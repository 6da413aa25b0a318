// What a recorder and a replayer must agree on to the byte: the fingerprint of a request, and how the
// bytes that a call wrote lie in an event's payload (docs/format.md).
#pragma once

#include <algorithm>

#include "base/hash.h"
#include "host/host.h"

namespace orrery::host {

/// EventHeader::detail of `map` and `memory` events.
enum class MemoryOperation : u16 { map = 1, unmap = 2, protect = 3, move = 4, discard = 5 };

inline u64 hash_words(std::span<const u64> words, u64 seed = 0) {
  return xxh64({reinterpret_cast<const u8*>(words.data()), words.size_bytes()}, seed);
}

/// XXH64 of the number and the checked arguments (others as 0), then, each seeded with the hash before,
/// of every input range's size and bytes. To be taken before the call, which may overwrite its input.
inline u64 request_hash(const HostCall& call) {
  u64 words[7] = {call.number};
  for (std::size_t i = 0; i < 6; ++i) words[i + 1] = (call.checked_args >> i & 1) != 0 ? call.args[i] : 0;
  u64 hash = hash_words(words);
  for (const InRange& range : call.in.items())
    hash = xxh64({reinterpret_cast<const u8*>(range.address), range.size_bytes}, hash ^ range.size_bytes);
  return hash;
}

/// The descriptor's number is part of the request; what it refers to is the answer.
inline u64 request_hash(const memory::MapRequest& request) {
  const u64 words[] = {request.address,
                       request.size_bytes,
                       static_cast<u64>(request.protection),
                       static_cast<u64>(request.flags),
                       static_cast<u64>(static_cast<i64>(request.fd)),
                       request.offset};
  return hash_words(words);
}

/// Descriptors that the host is told of are the engine's own and left out.
inline u64 request_hash(const ForkRequest& request) {
  const u64 words[] = {request.flags, request.borrows ? u64{1} : u64{0}};
  return hash_words(words);
}

/// How many bytes of each output range a finished call has written, range by range, in order.
class ExtentWalk {
 public:
  explicit ExtentWalk(i64 result) : result_(result), bytes_left_(result > 0 ? static_cast<u64>(result) : 0) {}

  /// For `length_word`, `length` is the word after the call.
  u64 bytes_of(const OutRange& range, u32 length) {
    switch (range.extent) {
      case Extent::whole_on_success:
        return result_ >= 0 ? range.capacity_bytes : 0;
      case Extent::result_bytes: {
        const u64 bytes = std::min(range.capacity_bytes, bytes_left_);
        bytes_left_ -= bytes;
        return bytes;
      }
      case Extent::result_items:
        return result_ > 0 ? std::min(range.capacity_bytes, static_cast<u64>(result_) * range.item_bytes) : 0;
      case Extent::length_word:
        return result_ >= 0 ? std::min<u64>(range.capacity_bytes, length) : 0;
      case Extent::always:
        return range.capacity_bytes;
    }
    return 0;
  }

 private:
  i64 result_;
  u64 bytes_left_;
};

/// In the payload, a `length_word` range that was written is preceded by its length word.
using LengthWord = u32;

inline bool carries_length(const OutRange& range, i64 result) {
  return range.extent == Extent::length_word && result >= 0;
}

}  // namespace orrery::host
