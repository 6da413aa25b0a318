// MD5 (RFC 1321): the checksum by which DWARF 5 knows source files. Against damage and mix-ups, not
// against forgery.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/types.h"

namespace orrery {

using Md5 = std::array<u8, 16>;

class Md5Sum {
 public:
  void add(std::span<const u8> bytes);
  /// Nothing may be added afterwards.
  Md5 end();

 private:
  void add_block(const u8* block);

  u32 words_[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  u64 size_ = 0;
  u8 begun_[64];  ///< the block that is not full yet
};

inline Md5 md5(std::span<const u8> bytes) {
  Md5Sum sum;
  sum.add(bytes);
  return sum.end();
}
inline Md5 md5(std::string_view text) {
  return md5(std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
}
/// 32 hexadecimal digits.
std::string md5_digits(const Md5& hash);
/// Nothing if the text is no 32 lower-case hexadecimal digits.
std::optional<Md5> parse_md5(std::string_view digits);

}  // namespace orrery
