#include "lens/source_excerpt.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>

#include "trace/packed_files_hosted.h"

namespace orrery::lens {
namespace {

constexpr const char* kNewer = "The source is newer than the program: its lines may have moved.";
constexpr const char* kChanged = "The source has changed since the program was built, and is not shown.";

/// The text, and what is to be said of it.
struct Found {
  std::optional<std::string> text{};
  std::string warning{};
};

/// Nothing if it is not packed.
std::optional<Found> find_packed(const std::string& recording, const std::string& path) {
  if (recording.empty()) return std::nullopt;
  auto packed = trace::PackedFiles::read(recording);
  if (!packed || !packed.value().sources().contains(path)) return std::nullopt;
  auto text = packed.value().source_text(path);
  if (!text) return Found{.warning = text.error().sentence};
  return Found{.text = text.take()};
}

Found find_on_disk(const SourceWanted& wanted) {
  const std::string& path = wanted.source.file;
  struct stat status {};
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  if (static_cast<u64>(status.st_size) > trace::kSourceBytesMost) return {};
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  if (wanted.source.md5) {
    if (md5(bytes.str()) != *wanted.source.md5) return {.warning = kChanged};
    return {.text = bytes.str()};
  }
  const u64 modified_ns =
      static_cast<u64>(status.st_mtim.tv_sec) * 1'000'000'000 + static_cast<u64>(status.st_mtim.tv_nsec);
  const bool newer = wanted.program_mtime_ns != 0 && modified_ns > wanted.program_mtime_ns;
  return {.text = bytes.str(), .warning = newer ? kNewer : ""};
}

}  // namespace

SourceExcerpt read_excerpt(const std::string& recording, const SourceWanted& wanted) {
  SourceExcerpt excerpt;
  const elf::SourceLine& source = wanted.source;
  if (source.line <= 0) return excerpt;
  const auto packed = find_packed(recording, source.file);
  const Found found = packed ? *packed : find_on_disk(wanted);
  excerpt.warning = found.warning;
  excerpt.first_line = std::max(1, source.line - wanted.lines_before);
  std::istringstream text(found.text.value_or(""));
  std::string line;
  for (int number = 1; number <= source.line + wanted.lines_after && std::getline(text, line); ++number) {
    if (number < excerpt.first_line) continue;
    std::string shown;
    for (const char letter : line) shown += letter == '\t' ? "    " : std::string(1, letter);
    excerpt.lines.push_back(std::move(shown));
  }
  // A file that is too short for the line is another version of it.
  if (static_cast<int>(excerpt.lines.size()) <= source.line - excerpt.first_line) excerpt.lines.clear();
  return excerpt;
}

}  // namespace orrery::lens
