// Builds short texts without libc: report lines, /proc files, generated pages. Numbers are written as
// printf would with the conversion named.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "base/types.h"

namespace orrery {

class Text {
 public:
  Text& add(std::string_view text) {
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return *this;
  }
  Text& add(const std::vector<char>& text) { return add(std::string_view(text.data(), text.size())); }
  Text& character(char c) {
    bytes_.push_back(c);
    return *this;
  }
  /// %llu, padded on the left with `fill` to `width`.
  Text& decimal(u64 value, int width = 0, char fill = ' ') { return number(value, 10, width, fill); }
  /// %lld.
  Text& integer(i64 value, int width = 0) {
    if (value >= 0) return decimal(static_cast<u64>(value), width);
    Text digits;
    digits.character('-').decimal(~static_cast<u64>(value) + 1);
    for (auto missing = width - static_cast<int>(digits.size()); missing > 0; --missing) character(' ');
    return add(digits.view());
  }
  /// %0<width>llx.
  Text& hex(u64 value, int width = 0) { return number(value, 16, width, '0'); }
  Text& octal(u64 value, int width = 0) { return number(value, 8, width, '0'); }
  /// Adds `fill` until the text has `size` characters.
  Text& pad_to(std::size_t size, char fill = ' ') {
    if (bytes_.size() < size) bytes_.resize(size, fill);
    return *this;
  }

  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }
  std::size_t size() const { return bytes_.size(); }
  std::vector<char> take() { return std::exchange(bytes_, {}); }
  void clear() { bytes_.clear(); }

 private:
  Text& number(u64 value, u64 base, int width, char fill) {
    char digits[64];
    int count = 0;
    do {
      digits[count++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    for (int missing = width - count; missing > 0; --missing) bytes_.push_back(fill);
    while (count > 0) bytes_.push_back(digits[--count]);
    return *this;
  }

  std::vector<char> bytes_;
};

}  // namespace orrery
