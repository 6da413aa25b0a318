#include "translate/defined_shadow.h"

#include <algorithm>
#include <cstring>

#include "translate/heap_watch.h"

namespace orrery::translate {
namespace {

using memory::layout::Range;

u8* shadow_at(u64 address) { return reinterpret_cast<u8*>(address + kShadowOffset); }

bool in_window(u64 address) {
  namespace layout = memory::layout;
  return layout::kHighWindow.contains(address) || layout::kMiddleWindow.contains(address) ||
         layout::kLowWindow.contains(address);
}

/// Calls visit(start, end) for each part of the range that has shadow, page by page; until it returns false.
template <class Visit>
void each_page(u64 address, u64 size_bytes, Visit visit) {
  const u64 last = address + size_bytes;
  for (u64 at = address; at < last;) {
    const u64 end = std::min(last, page_floor(at) + kPageBytes);
    if (in_window(at) && !visit(at, end)) return;
    at = end;
  }
}

/// Whether a page of shadow, or a part of it, is zero. What was never written is not made by being read.
bool is_zero(u64 start, u64 end) {
  const u8* at = shadow_at(start);
  const u8* const last = at + (end - start);
  for (u64 words[4]; at + sizeof words <= last; at += sizeof words) {
    std::memcpy(words, at, sizeof words);
    if ((words[0] | words[1] | words[2] | words[3]) != 0) return false;
  }
  for (; at + sizeof(u64) <= last; at += sizeof(u64)) {
    u64 word = 0;
    std::memcpy(&word, at, sizeof word);
    if (word != 0) return false;
  }
  for (; at < last; ++at)
    if (*at != 0) return false;
  return true;
}

}  // namespace

bool DefinedShadow::any_undefined(u64 address, u64 size_bytes, u64* first) const {
  bool found = false;
  each_page(address, size_bytes, [&](u64 start, u64 end) {
    if (is_zero(start, end)) return true;
    found = true;
    if (first != nullptr)
      *first = start + static_cast<u64>(
                           std::find_if(shadow_at(start), shadow_at(end), [](u8 byte) { return byte != 0; }) -
                           shadow_at(start));
    return false;
  });
  return found;
}

namespace {

/// Of the words below: a bit of each byte.
constexpr u64 kEachByte = 0x0101'0101'0101'0101;

/// Whether what lies there has shadow, and is a few whole words, as most operands are.
bool is_few_words(u64 address, u64 size_bytes) {
  constexpr u64 kMost = 32;
  return size_bytes % sizeof(u64) == 0 && size_bytes - 1 < kMost && in_window(address) &&
         in_window(address + size_bytes - 1);
}

/// False if there are bytes that are undefined in part.
bool load_words(u64 address, u8* bits, u64 size_bytes) {
  const u8* const shadow = shadow_at(address);
  for (u64 at = 0; at < size_bytes; at += sizeof(u64)) {
    u64 word = 0;
    std::memcpy(&word, shadow + at, sizeof word);
    if ((word & kEachByte * (kPartlyByte ^ kUndefinedByte)) != 0) return false;
    word = word / kUndefinedByte * 0xff;
    std::memcpy(bits + at, &word, sizeof word);
  }
  return true;
}

/// The same; what it has written by then is right.
bool store_words(u64 address, const u8* bits, u64 size_bytes) {
  u8* const shadow = shadow_at(address);
  for (u64 at = 0; at < size_bytes; at += sizeof(u64)) {
    u64 word = 0, before = 0;
    std::memcpy(&word, bits + at, sizeof word);
    std::memcpy(&before, shadow + at, sizeof before);
    const u64 undefined = word & kEachByte;
    if (undefined * 0xff != word) return false;
    if (before != undefined * kUndefinedByte) {
      word = undefined * kUndefinedByte;
      std::memcpy(shadow + at, &word, sizeof word);
    }
  }
  return true;
}

}  // namespace

void DefinedShadow::load(u64 address, u8* bits, u64 size_bytes) const {
  if (is_few_words(address, size_bytes) && load_words(address, bits, size_bytes)) return;
  std::memset(bits, 0, size_bytes);
  each_page(address, size_bytes, [&](u64 start, u64 end) {
    for (u64 at = start; at < end; ++at) {
      const u8 byte = *shadow_at(at);
      if (byte == 0) continue;
      const u8* const partly = byte == kPartlyByte ? partly_.find(at) : nullptr;
      bits[at - address] = partly != nullptr ? *partly : 0xff;
    }
    return true;
  });
}

void DefinedShadow::store(u64 address, const u8* bits, u64 size_bytes) {
  if (is_few_words(address, size_bytes) && store_words(address, bits, size_bytes)) return;
  each_page(address, size_bytes, [&](u64 start, u64 end) {
    for (u64 at = start; at < end; ++at) {
      const u8 of_byte = bits[at - address];
      const bool partly = of_byte != 0 && of_byte != 0xff;
      if (partly) partly_[at] = of_byte;
      const u8 byte = of_byte == 0 ? u8{0} : partly ? kPartlyByte : kUndefinedByte;
      if (*shadow_at(at) != byte) *shadow_at(at) = byte;
    }
    return true;
  });
}

void DefinedShadow::fill(u64 address, u64 size_bytes, bool undefined) {
  each_page(address, size_bytes, [&](u64 start, u64 end) {
    if (undefined || !is_zero(start, end))
      std::memset(shadow_at(start), undefined ? kUndefinedByte : 0, end - start);
    return true;
  });
}

namespace {

/// As memmove does, where all bits of a byte are defined or none. False if there are others.
bool copy_whole(u64 to, u64 from, u64 size_bytes) {
  const u64 last = size_bytes - 1;
  if (!in_window(from) || !in_window(from + last) || !in_window(to) || !in_window(to + last)) return false;
  const u8* const bytes = shadow_at(from);
  if (std::find(bytes, bytes + size_bytes, kPartlyByte) != bytes + size_bytes) return false;
  std::memmove(shadow_at(to), bytes, size_bytes);
  return true;
}

}  // namespace

/// As memmove does.
void DefinedShadow::copy(u64 to, u64 from, u64 size_bytes) {
  if (to == from) return;
  constexpr u64 kPiece = 1024;
  u8 bits[kPiece];
  const bool upwards = to <= from;
  for (u64 done = 0; done < size_bytes;) {
    const u64 piece = std::min(kPiece, size_bytes - done);
    const u64 at = upwards ? done : size_bytes - done - piece;
    done += piece;
    if (!any_undefined(from + at, piece)) {
      fill(to + at, piece, false);
    } else if (!copy_whole(to + at, from + at, piece)) {
      load(from + at, bits, piece);
      store(to + at, bits, piece);
    }
  }
}

}  // namespace orrery::translate
