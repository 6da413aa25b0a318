#include "lens/source_excerpt.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>

namespace orrery::lens {

SourceExcerpt read_excerpt(const elf::SourceLine& source, int lines_before, int lines_after,
                           u64 program_mtime_ns) {
  SourceExcerpt excerpt;
  struct stat status {};
  if (source.line <= 0 || stat(source.file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return excerpt;
  std::ifstream file(source.file);
  std::string line;
  excerpt.first_line = std::max(1, source.line - lines_before);
  for (int number = 1; number <= source.line + lines_after && std::getline(file, line); ++number) {
    if (number < excerpt.first_line) continue;
    std::string text;
    for (const char letter : line) text += letter == '\t' ? "    " : std::string(1, letter);
    excerpt.lines.push_back(std::move(text));
  }
  // A file that is too short for the line is another version of it.
  if (static_cast<int>(excerpt.lines.size()) <= source.line - excerpt.first_line) excerpt.lines.clear();
  const u64 modified_ns =
      static_cast<u64>(status.st_mtim.tv_sec) * 1'000'000'000 + static_cast<u64>(status.st_mtim.tv_nsec);
  excerpt.newer_than_program = program_mtime_ns != 0 && modified_ns > program_mtime_ns;
  return excerpt;
}

}  // namespace orrery::lens
