#include "lens/cache/cache_model.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>

namespace orrery::lens::cache {
namespace {

constexpr u64 kNoLine = ~u64{0};
constexpr u64 kMostBytes = u64{1} << 34;
constexpr u32 kMostWays = 64;

/// The numbers of "N,N,N".
std::vector<u64> numbers_of(const std::string& text) {
  std::vector<u64> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    u64 number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc() || (next != end && *next != ',') || next + 1 == end) return {};
    numbers.push_back(number);
    at = next + 1;
  }
  return numbers;
}

Fallible<CacheShape> checked(const CacheShape& shape) {
  if (shape.ways == 0 || shape.ways > kMostWays) return Failure("from 1 to 64 ways");
  if (!std::has_single_bit(shape.line_bytes) || shape.line_bytes < 16)
    return Failure("a line's size must be a power of two from 16 bytes on");
  const u64 set_bytes = u64{shape.ways} * shape.line_bytes;
  if (shape.size_bytes % set_bytes != 0 || !std::has_single_bit(shape.size_bytes / set_bytes))
    return Failure("the number of sets, size / ways / line, must be a power of two");
  return shape;
}

}  // namespace

Fallible<CacheShape> parse_cache_shape(const std::string& text) {
  if (text == "none") return CacheShape{.origin = ShapeOrigin::given};
  const std::vector<u64> numbers = numbers_of(text);
  if (numbers.size() != 3 || numbers[0] > kMostBytes || numbers[1] > kMostWays || numbers[2] > kPageBytes)
    return Failure("a cache is SIZE,WAYS,LINE in bytes, as 32768,8,64, or none; not " + text);
  return checked(
      {numbers[0], static_cast<u32>(numbers[1]), static_cast<u32>(numbers[2]), ShapeOrigin::given});
}

Fallible<CacheShape> parse_buffer_shape(const std::string& text) {
  if (text == "none") return CacheShape{.origin = ShapeOrigin::given};
  const std::vector<u64> numbers = numbers_of(text);
  if (numbers.size() != 2 || numbers[0] > kMostBytes / kPageBytes || numbers[1] > kMostWays)
    return Failure("a translation buffer is ENTRIES,WAYS, as 64,4, or none; not " + text);
  return checked({numbers[0] * kPageBytes, static_cast<u32>(numbers[1]), static_cast<u32>(kPageBytes),
                  ShapeOrigin::given});
}

std::string words_of(const CacheShape& shape) {
  if (shape.size_bytes == 0) return "none";
  if (shape.line_bytes == kPageBytes)
    return fmt::format("{} pages, {} ways", shape.size_bytes / kPageBytes, shape.ways);
  return fmt::format("{} KB, {} ways, lines of {} bytes", shape.size_bytes >> 10, shape.ways,
                     shape.line_bytes);
}

std::string origins_of(const CacheShapes& shapes) {
  const std::pair<const char*, const CacheShape&> named[] = {{"i1", shapes.i1},     {"d1", shapes.d1},
                                                             {"l2", shapes.l2},     {"ll", shapes.ll},
                                                             {"itlb", shapes.itlb}, {"dtlb", shapes.dtlb}};
  const auto names_from = [&](ShapeOrigin origin) {
    std::string names;
    for (const auto& [name, shape] : named) {
      const bool is_none = shape.size_bytes == 0 && shape.origin != ShapeOrigin::given;
      if (shape.origin == origin && !is_none) names += (names.empty() ? "" : ", ") + std::string(name);
    }
    return names;
  };
  const std::string recorded = names_from(ShapeOrigin::recorded), given = names_from(ShapeOrigin::given),
                    usual = names_from(ShapeOrigin::usual);
  std::string words;
  const auto add = [&](const std::string& names, const char* from) {
    if (!names.empty()) words += (words.empty() ? "" : "; ") + names + " " + from;
  };
  add(recorded, "of the recorded processor");
  add(given, "as given");
  add(usual, "as is usual");
  return words;
}

Cache::Cache(const CacheShape& shape) {
  if (shape.size_bytes == 0) return;
  const u64 sets = shape.size_bytes / shape.line_bytes / shape.ways;
  is_there_ = true;
  ways_ = shape.ways;
  line_shift_ = static_cast<u32>(std::countr_zero(shape.line_bytes));
  set_mask_ = sets - 1;
  sets_.assign(sets * ways_, kNoLine);
}

bool Cache::misses_beyond_first(u64* set, u64 line) {
  u32 way = 1;
  while (way < ways_ && set[way] != line) ++way;
  const bool misses = way == ways_;
  for (u32 at = misses ? ways_ - 1 : way; at > 0; --at) set[at] = set[at - 1];
  set[0] = line;
  return misses;
}

void Cache::settle(const std::vector<u64>& known) {
  for (std::size_t at = 0; at < known.size(); ++at)
    if (known[at] != kNoLine) sets_[at] = known[at];
}

CacheModel::CacheModel(const CacheShapes& shapes)
    : i1_(shapes.i1),
      d1_(shapes.d1),
      l2_(shapes.l2),
      ll_(shapes.ll),
      itlb_(shapes.itlb),
      dtlb_(shapes.dtlb),
      data_line_bytes_(u64{1} << d1_.line_shift()) {}

Misses CacheModel::behind_first(u64 address) {
  if (l2_.is_there() && !l2_.misses(address >> l2_.line_shift())) return kMissesFirst;
  const Misses misses = kMissesFirst | (l2_.is_there() ? kMissesSecond : 0);
  return ll_.is_there() && ll_.misses(address >> ll_.line_shift()) ? misses | kMissesLast : misses;
}

}  // namespace orrery::lens::cache
