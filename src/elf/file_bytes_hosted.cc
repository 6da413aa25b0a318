#include "elf/file_bytes_hosted.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/text.h"

namespace orrery::elf {

void DamageList::add(u64 offset, std::string sentence) {
  constexpr std::size_t kKept = 100;
  for (const Damage& known : first_) {
    if (known.offset == offset && known.sentence == sentence) return;
  }
  ++count_;
  if (first_.size() < kKept) first_.push_back({offset, std::move(sentence)});
}

std::span<const u8> FileBytes::part(u64 offset, u64 length) const {
  if (offset >= size()) return {};
  return bytes_.subspan(offset, std::min(length, size() - offset));
}

u64 FileBytes::number(u64 offset, u64 width) const {
  if (!holds(offset, width)) return 0;
  u64 value = 0;
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(&value, bytes_.data() + offset, width);
  return big_endian_ ? __builtin_bswap64(value) >> (64 - 8 * width) : value;
}

Strings::Strings(std::span<const u8> bytes) : bytes_(bytes) {
  const void* last = bytes.empty() ? nullptr : memrchr(bytes.data(), 0, bytes.size());
  if (last != nullptr) terminated_ = static_cast<u64>(static_cast<const u8*>(last) - bytes.data()) + 1;
  budget_ = 16 * u64{bytes.size()} + (1 << 20);
}

Strings::Name Strings::at(u64 offset) {
  if (offset >= bytes_.size()) return {"", Fault::outside};
  if (offset >= terminated_) return {"", Fault::unterminated};
  const char* text = reinterpret_cast<const char*>(bytes_.data() + offset);
  if (budget_ == 0) return {"", Fault::exhausted};
  const u64 length = std::strlen(text);
  budget_ -= std::min(budget_, length);
  return {{text, length}, Fault::none};
}

const char* describe(Strings::Fault fault) {
  switch (fault) {
    case Strings::Fault::none:
      return "is in order";
    case Strings::Fault::outside:
      return "lies outside its string table";
    case Strings::Fault::unterminated:
      return "has no end in its string table";
    case Strings::Fault::exhausted:
      return "is left out: the names overlap more than any linker makes them";
  }
  return "";
}

std::string hex(u64 value) { return std::string(Text().add("0x").hex(value).view()); }

}  // namespace orrery::elf
