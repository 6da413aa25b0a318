#include "cli/memory_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/base_name.h"
#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

constexpr int kColumns = 76;
constexpr u64 kGapBytes = u64{16} << 20;  ///< free space that is drawn

struct MeaningSign {
  const char* meaning;
  char letter;
  const char* sentence;
};
/// In the order of the legend.
constexpr MeaningSign kSigns[] = {
    {"code", 'C', "instructions"},
    {"rodata", 'r', "constants, and the headers of files"},
    {"relro", 'l', "data that is read-only since it was relocated"},
    {"data", 'd', "initialised variables"},
    {"bss", 'b', "variables that begin as zero"},
    {"heap", 'H', "grown by brk"},
    {"stack", 'S', "of threads"},
    {"guard", '|', "may not be accessed: ends a stack"},
    {"tls", 't', "thread-local variables of the first thread"},
    {"anonymous", 'a', "mmap without a file: malloc's large blocks and arenas, pools"},
    {"shared", 's', "shared with other processes"},
    {"mapped file", 'm', "files read through the map"},
    {"vdso", 'v', "the kernel's code"},
};

char letter_of(const std::string& meaning) {
  const auto found = std::find_if(std::begin(kSigns), std::end(kSigns),
                                  [&](const MeaningSign& sign) { return meaning == sign.meaning; });
  return found != std::end(kSigns) ? found->letter : '?';
}

std::string colored(char letter, const std::string& text, const Style& style) {
  switch (letter) {
    case 'C':
      return style.cyan(text);
    case 'H':
    case 'a':
      return style.green(text);
    case 'S':
    case 't':
      return style.yellow(text);
    case '|':
      return style.red(text);
    default:
      return letter == 'r' || letter == 'm' || letter == '.' ? style.dim(text) : text;
  }
}

long kib(u64 bytes) { return static_cast<long>(bytes / 1024); }

/// From low addresses to high, each piece as wide as its size has digits; dots for wide free space.
void print_bar(const ProcessMap& map, const Style& style) {
  int column = 0;
  const auto put = [&](char letter, int width) {
    while (width > 0) {
      const int now = std::min(width, kColumns - column);
      std::printf("%s", colored(letter, std::string(static_cast<std::size_t>(now), letter), style).c_str());
      width -= now;
      column = (column + now) % kColumns;
      if (column == 0) std::printf("\n  ");
    }
  };
  std::printf("  ");
  u64 end = 0;
  for (const MapPiece& piece : map.pieces) {
    if (end != 0 && piece.start - end >= kGapBytes) put('.', 1);
    put(letter_of(piece.meaning),
        1 + static_cast<int>(std::log2(static_cast<double>(piece.bytes() / kPageBytes)) / 3));
    end = piece.end;
  }
  std::printf("\n");
}

constexpr const char* kResidentHeads = "      RSS      PSS  SH-CLEAN SH-DIRTY  PR-CLEAN PR-DIRTY     ANON";

void print_resident(const Resident& resident, bool has_pages) {
  if (!has_pages) return;
  std::printf(" %8ld %8ld  %8ld %8ld  %8ld %8ld %8ld", kib(resident.rss), kib(static_cast<u64>(resident.pss)),
              kib(resident.shared_clean), kib(resident.shared_dirty), kib(resident.private_clean),
              kib(resident.private_dirty), kib(resident.anonymous));
}

void print_sums(const ProcessMap& map, const Style& style) {
  std::printf(
      "%s\n",
      style.bold(std::string("         KIB") + (map.has_pages ? kResidentHeads : "") + "  PIECES  MEANING")
          .c_str());
  for (const MeaningSign& sign : kSigns) {
    u64 bytes = 0;
    long count = 0;
    Resident resident;
    for (const MapPiece& piece : map.pieces) {
      if (piece.meaning != sign.meaning) continue;
      bytes += piece.bytes();
      resident += piece.resident;
      ++count;
    }
    if (count == 0) continue;
    std::printf("%12ld", kib(bytes));
    print_resident(resident, map.has_pages);
    std::printf("  %6ld  %s %-12s %s\n", count,
                colored(sign.letter, std::string(1, sign.letter), style).c_str(), sign.meaning,
                style.dim(sign.sentence).c_str());
  }
}

/// A line of the list: a piece, or all of a file that lie together.
struct Line {
  u64 start = 0, end = 0;
  std::string permissions{}, words{}, made_by{};
  Resident resident{};
};

bool is_image(const MapPiece& piece) { return !piece.object.empty() && piece.meaning != "mapped file"; }

/// How much of an image is what.
std::string image_words(const ProcessMap& map, std::size_t first, std::size_t end) {
  std::string words;
  for (const MeaningSign& sign : kSigns) {
    u64 bytes = 0;
    for (std::size_t at = first; at < end; ++at)
      if (map.pieces[at].meaning == sign.meaning) bytes += map.pieces[at].bytes();
    if (bytes != 0)
      words += std::string(words.empty() ? "" : ", ") + sign.meaning + " " + std::to_string(kib(bytes));
  }
  return map.pieces[first].object + " (" + words + ")";
}

std::vector<Line> lines_of(const ProcessMap& map, bool all) {
  std::vector<Line> lines;
  for (std::size_t first = 0; first < map.pieces.size();) {
    const MapPiece& piece = map.pieces[first];
    std::size_t end = first + 1;
    const auto joins = [&](const MapPiece& next) {
      return !all && is_image(piece) && next.object == piece.object && next.start == map.pieces[end - 1].end;
    };
    while (end < map.pieces.size() && joins(map.pieces[end])) ++end;
    Line& line = lines.emplace_back();
    line.start = piece.start;
    line.end = map.pieces[end - 1].end;
    line.permissions = !all && is_image(piece) && end > first + 1 ? "" : piece.permissions;
    line.words = !all && is_image(piece) ? image_words(map, first, end) : meaning_words(piece);
    line.made_by = piece.made_by;
    for (; first < end; ++first) line.resident += map.pieces[first].resident;
  }
  return lines;
}

void print_lines(const ProcessMap& map, bool all, const Style& style) {
  std::printf("%s\n", style
                          .bold(std::string("         START           END       KIB") +
                                (map.has_pages ? kResidentHeads : "") + "  PERM  WHAT, AND BY WHOM")
                          .c_str());
  u64 end = 0;
  for (const Line& line : lines_of(map, all)) {
    if (end != 0 && line.start - end >= kGapBytes)
      std::printf("%s\n", style.dim("               " + human_bytes(line.start - end) + " free").c_str());
    std::printf("  %012lx  %012lx %9ld", line.start, line.end, kib(line.end - line.start));
    print_resident(line.resident, map.has_pages);
    std::printf("  %-4s  %s%s\n", line.permissions.c_str(), printable(line.words).c_str(),
                line.made_by.empty() ? "" : style.dim("  by " + printable(line.made_by)).c_str());
    end = line.end;
  }
}

}  // namespace

void print_map(const ProcessMap& map, bool all, const Style& style) {
  std::printf("%s\n",
              style.bold("process #" + std::to_string(map.process) + ", " + printable(map.path)).c_str());
  u64 writable = 0;
  TouchedPages pages;
  Resident resident;
  for (const MapPiece& piece : map.pieces) {
    if (piece.permissions[1] == 'w') writable += piece.bytes();
    pages.touched += piece.pages.touched;
    pages.written += piece.pages.written;
    resident += piece.resident;
  }
  std::printf("  %ld KiB mapped in %zu pieces, %ld KiB of them writable", kib(map.bytes()), map.pieces.size(),
              kib(writable));
  if (map.has_pages)
    std::printf(
        "; %ld KiB touched, %ld KiB written\n  %ld KiB resident: %ld KiB private, %ld KiB shared; PSS %ld "
        "KiB",
        static_cast<long>(pages.touched * 4), static_cast<long>(pages.written * 4), kib(resident.rss),
        kib(resident.private_clean + resident.private_dirty),
        kib(resident.shared_clean + resident.shared_dirty), kib(static_cast<u64>(resident.pss)));
  std::printf("\n\n");
  const ProcessMap whole = without_seams(map);
  print_bar(whole, style);
  std::printf("\n");
  print_sums(whole, style);
  std::printf("\n");
  print_lines(all ? map : whole, all, style);
}

}  // namespace orrery::cli
