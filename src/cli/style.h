// Colour and weight of what people read. Off when the stream is no terminal, when NO_COLOR is set, or
// by --color; the words are the same either way.
#pragma once

#include <string>
#include <string_view>

namespace orrery::cli {

class Style {
 public:
  /// `wanted` is --color's value; `fd` is where the text goes.
  static Style for_stream(std::string_view wanted, int fd);
  explicit Style(bool colored) : colored_(colored) {}

  bool colored() const { return colored_; }
  std::string bold(std::string_view text) const { return wrap("1", text); }
  std::string dim(std::string_view text) const { return wrap("2", text); }
  std::string red(std::string_view text) const { return wrap("1;31", text); }
  std::string green(std::string_view text) const { return wrap("32", text); }
  std::string yellow(std::string_view text) const { return wrap("33", text); }
  std::string cyan(std::string_view text) const { return wrap("36", text); }

 private:
  std::string wrap(std::string_view code, std::string_view text) const;
  bool colored_;
};

}  // namespace orrery::cli
