// How many of very many times were how long, with an error of 3 %: buckets that grow with the time.
#pragma once

#include <algorithm>
#include <bit>
#include <map>

#include "base/types.h"

namespace orrery::lens::io {

class LatencyHistogram {
 public:
  void add(u64 ns) {
    ++buckets_[bucket_of(ns)];
    ++count_;
  }
  /// The time that this share of all does not exceed.
  u64 quantile(double share) const {
    const auto wanted = static_cast<u64>(share * static_cast<double>(count_));
    u64 seen = 0;
    for (const auto& [bucket, count] : buckets_)
      if ((seen += count) > wanted) return begin_of(bucket);
    return buckets_.empty() ? 0 : begin_of(buckets_.rbegin()->first);
  }

 private:
  static constexpr u32 kParts = 32;  ///< of each power of two
  static u32 bucket_of(u64 ns) {
    const u64 value = std::max<u64>(ns, kParts);
    const auto power = static_cast<u32>(std::bit_width(value)) - 6;
    return power * kParts + static_cast<u32>(value >> power) - kParts;
  }
  static u64 begin_of(u32 bucket) { return u64{bucket % kParts + kParts} << (bucket / kParts); }

  std::map<u32, u64> buckets_;
  u64 count_ = 0;
};

}  // namespace orrery::lens::io
