// The bytes of an ELF file of any class and byte order, read without trust: what lies beyond the end reads as
// zero, so that no reader can leave the file, and whoever cares asks holds(). Damage is noted with the offset
// of the field that is wrong; the readers go on with what is left.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace orrery::elf {

/// Where a file contradicts itself or ends too early.
struct Damage {
  u64 offset = 0;  ///< in the file, of the field that says what cannot be
  std::string sentence;
};

class DamageList {
 public:
  /// The same damage is noted once. Beyond the first hundred they are only counted.
  void add(u64 offset, std::string sentence);
  const std::vector<Damage>& first() const { return first_; }
  u64 count() const { return count_; }

 private:
  std::vector<Damage> first_;
  u64 count_ = 0;
};

class FileBytes {
 public:
  FileBytes() = default;
  FileBytes(std::span<const u8> bytes, bool wide, bool big_endian)
      : bytes_(bytes), wide_(wide), big_endian_(big_endian) {}

  u64 size() const { return bytes_.size(); }
  bool wide() const { return wide_; }  ///< 64-bit: addresses and offsets have 8 bytes, else 4
  bool big_endian() const { return big_endian_; }
  std::span<const u8> all() const { return bytes_; }

  bool holds(u64 offset, u64 length) const { return offset <= size() && length <= size() - offset; }
  /// As much of the range as the file has.
  std::span<const u8> part(u64 offset, u64 length) const;
  /// The number in 1, 2, 4 or 8 bytes.
  u64 number(u64 offset, u64 width) const;

 private:
  std::span<const u8> bytes_;
  bool wide_ = true;
  bool big_endian_ = false;
};

/// Reads one field after the other.
class Fields {
 public:
  Fields(const FileBytes& bytes, u64 offset) : bytes_(&bytes), offset_(offset) {}
  u8 byte() { return static_cast<u8>(take(1)); }
  u16 half() { return static_cast<u16>(take(2)); }
  u32 word() { return static_cast<u32>(take(4)); }
  u64 xword() { return take(8); }
  /// An address, offset or size of the file's class.
  u64 address() { return take(bytes_->wide() ? 8 : 4); }
  u64 offset() const { return offset_; }

 private:
  u64 take(u64 width) {
    const u64 value = bytes_->number(offset_, width);
    offset_ += width;
    return value;
  }
  const FileBytes* bytes_;
  u64 offset_;
};

/// A table of NUL-terminated strings. A hostile one may let a million names share one long end, which would
/// cost the square of the file to print: so the lengths of the names handed out are added up, and a budget
/// that no linker comes near ends it.
class Strings {
 public:
  Strings() = default;
  explicit Strings(std::span<const u8> bytes);
  u64 size() const { return bytes_.size(); }

  enum class Fault : u8 { none, outside, unterminated, exhausted };
  struct Name {
    std::string_view text;
    Fault fault = Fault::none;
  };
  Name at(u64 offset);

 private:
  std::span<const u8> bytes_;
  u64 terminated_ = 0;  ///< offsets below it have a NUL behind them
  u64 budget_ = 0;
};

const char* describe(Strings::Fault fault);

/// "0x1234", for sentences.
std::string hex(u64 value);

}  // namespace orrery::elf
