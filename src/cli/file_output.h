// What `orrery show file` writes its tables with: formatted text, collected and written in large pieces,
// since a table may have millions of rows. Names from the file are shown without control characters.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <iterator>
#include <string_view>

#include "cli/recording_text.h"

namespace orrery::cli {

class Output {
 public:
  explicit Output(std::FILE* stream) : stream_(stream) {}
  ~Output() { flush(); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  template <class... Arguments>
  Output& print(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    fmt::format_to(std::back_inserter(buffer_), format, std::forward<Arguments>(arguments)...);
    if (buffer_.size() >= kPiece) flush();
    return *this;
  }
  Output& text(std::string_view text) {
    buffer_.append(text);
    if (buffer_.size() >= kPiece) flush();
    return *this;
  }
  /// A name from the file.
  Output& name(std::string_view text) {
    for (const char c : text) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return this->text(printable(text));
    }
    return this->text(text);
  }
  // What a row of a table with millions of them is made of: fmt takes five times as long for it.
  /// A name, filled up with blanks; one that is longer is not cut.
  Output& left(std::string_view text, std::size_t width) {
    name(text);
    for (std::size_t i = text.size(); i < width; ++i) buffer_.push_back(' ');
    return *this;
  }
  /// In decimal, behind blanks.
  Output& right(u64 number, std::size_t width) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    const auto count = static_cast<std::size_t>(end - digits);
    for (std::size_t i = count; i < width; ++i) buffer_.push_back(' ');
    buffer_.append(digits, end);
    return *this;
  }
  /// 16 hexadecimal digits.
  Output& address(u64 number) {
    char digits[16];
    for (int i = 16; i-- > 0; number >>= 4) digits[i] = "0123456789abcdef"[number & 15];
    buffer_.append(digits, digits + sizeof digits);
    return *this;
  }
  void flush() {
    std::fwrite(buffer_.data(), 1, buffer_.size(), stream_);
    buffer_.clear();
  }

 private:
  static constexpr std::size_t kPiece = 256 << 10;
  std::FILE* stream_;
  fmt::memory_buffer buffer_;
};

}  // namespace orrery::cli
