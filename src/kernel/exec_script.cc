#include "kernel/exec_script.h"

#include <algorithm>
#include <array>

#include "elf/image.h"

namespace orrery::kernel {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_terminator(char c) { return is_blank(c) || c == '\0'; }

}  // namespace

bool is_script(std::span<const u8> head) { return head.size() >= 2 && head[0] == '#' && head[1] == '!'; }

ScriptLine parse_script_line(std::span<const u8> head) {
  ScriptLine line;
  // The kernel's buffer is zero beyond a short file; its last byte never belongs to a truncated line.
  std::array<char, elf::kHeadBytes> buffer{};
  std::copy_n(head.begin(), std::min(head.size(), buffer.size()), buffer.begin());
  const auto begin = buffer.begin() + 2, last = buffer.end() - 1;
  const auto first_nul = std::find(buffer.begin(), buffer.end(), '\0');
  auto end = std::find(buffer.begin(), first_nul, '\n');
  if (end == first_nul) {
    const auto name = std::find_if_not(begin, last + 1, is_blank);
    if (name == last + 1) return line;  // nothing but blanks
    // Without a blank or NUL after it the interpreter's path may be cut off.
    if (std::find_if(name, last + 1, is_terminator) == last + 1) return line;
    end = last;
  }
  while (end > begin && is_blank(end[-1])) --end;
  const auto name = std::find_if_not(begin, end, is_blank);
  if (name == end || *name == '\0') return line;
  const auto separator = std::find_if(name, end, is_terminator);
  line.valid = true;
  line.interpreter.assign(name, separator);
  if (separator == end || *separator == '\0') return line;
  const auto argument = std::find_if_not(separator, end, is_blank);
  if (argument == end) return line;
  line.has_argument = true;
  line.argument.assign(argument, std::find(argument, end, '\0'));
  return line;
}

}  // namespace orrery::kernel
