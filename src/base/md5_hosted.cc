#include "base/md5_hosted.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace orrery {
namespace {

constexpr u64 kBlockBytes = 64;

// RFC 1321, 3.4: floor(2^32 * abs(sin(i))), i in radians from 1.
constexpr u32 kSines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
constexpr int kShifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

}  // namespace

void Md5Sum::add_block(const u8* block) {
  u32 in[16];
  std::memcpy(in, block, sizeof in);
  u32 a = words_[0], b = words_[1], c = words_[2], d = words_[3];
  for (u32 i = 0; i < 64; ++i) {
    u32 mixed = 0, index = 0;
    switch (i / 16) {
      case 0:
        mixed = (b & c) | (~b & d), index = i;
        break;
      case 1:
        mixed = (d & b) | (~d & c), index = 5 * i + 1;
        break;
      case 2:
        mixed = b ^ c ^ d, index = 3 * i + 5;
        break;
      default:
        mixed = c ^ (b | ~d), index = 7 * i;
        break;
    }
    const u32 sum = a + mixed + kSines[i] + in[index % 16];
    a = d, d = c, c = b;
    b += std::rotl(sum, kShifts[i / 16][i % 4]);
  }
  words_[0] += a, words_[1] += b, words_[2] += c, words_[3] += d;
}

void Md5Sum::add(std::span<const u8> bytes) {
  while (!bytes.empty()) {
    const u64 held = size_ % kBlockBytes;
    const u64 taken = std::min<u64>(bytes.size(), kBlockBytes - held);
    if (taken < kBlockBytes) std::memcpy(begun_ + held, bytes.data(), taken);
    if (held + taken == kBlockBytes) add_block(taken == kBlockBytes ? bytes.data() : begun_);
    size_ += taken;
    bytes = bytes.subspan(taken);
  }
}

Md5 Md5Sum::end() {
  const u64 bits = size_ * 8;
  constexpr u8 kPadding[kBlockBytes] = {0x80};
  const u64 held = size_ % kBlockBytes;
  add({kPadding, (held < kBlockBytes - 8 ? kBlockBytes : 2 * kBlockBytes) - 8 - held});
  u8 count[8];
  std::memcpy(count, &bits, sizeof count);
  add(count);
  Md5 hash;
  std::memcpy(hash.data(), words_, hash.size());
  return hash;
}

std::string md5_digits(const Md5& hash) {
  std::string text;
  for (const u8 byte : hash) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::optional<Md5> parse_md5(std::string_view digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  Md5 hash;
  if (digits.size() != 2 * hash.size()) return std::nullopt;
  for (u64 i = 0; i < hash.size(); ++i) {
    const auto high = kDigits.find(digits[2 * i]), low = kDigits.find(digits[2 * i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    hash[i] = static_cast<u8>(high * 16 + low);
  }
  return hash;
}

}  // namespace orrery
