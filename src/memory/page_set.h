// A set of pages, kept as one bit a page in words of 64: the pages whose code has been translated.
#pragma once

#include <algorithm>
#include <bit>

#include "base/hash_map.h"
#include "base/types.h"

namespace orrery::memory {

class PageSet {
 public:
  struct Run {
    u64 start;
    u64 end;  ///< exclusive; start == end: nothing found
    bool empty() const { return start == end; }
  };

  bool contains(u64 address) const {
    const u64* const word = words_.find(word_of(address));
    return word != nullptr && (*word & bit_of(address)) != 0;
  }
  void insert(u64 address) { words_[word_of(address)] |= bit_of(address); }
  void clear() { words_.clear(); }
  bool empty() const { return words_.empty(); }

  /// The first run of neighbouring members in [from, to); both are page aligned. Never crosses 256 KiB.
  Run next_run(u64 from, u64 to) const {
    while (from < to && !words_.empty()) {
      const u64 word_end = std::min(to, (from | (kWordBytes - 1)) + 1);
      const u64* const word = words_.find(word_of(from));
      const u64 bits = word == nullptr ? 0 : *word >> bit_index(from);
      const int first = std::countr_zero(bits);
      const u64 start = first == 64 ? word_end : from + static_cast<u64>(first) * kPageBytes;
      if (start < word_end) {
        const u64 count = static_cast<u64>(std::countr_one(bits >> first));
        return {start, std::min(word_end, start + count * kPageBytes)};
      }
      from = word_end;
    }
    return {to, to};
  }

  void erase(Run run) {
    for (u64 page = run.start; page < run.end; page += kPageBytes) {
      u64* const word = words_.find(word_of(page));
      if (word == nullptr) continue;
      *word &= ~bit_of(page);
      if (*word == 0) words_.erase(word_of(page));
    }
  }

 private:
  static constexpr u64 kWordBytes = 64 * kPageBytes;
  static u64 word_of(u64 address) { return address / kWordBytes; }
  static int bit_index(u64 address) { return static_cast<int>(address / kPageBytes % 64); }
  static u64 bit_of(u64 address) { return u64{1} << bit_index(address); }

  HashMap<u64> words_;
};

}  // namespace orrery::memory
