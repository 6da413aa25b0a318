#include "lens/cache/recorded_shapes.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <utility>

#include "machine/launch.h"
#include "trace/recordings_hosted.h"

namespace orrery::lens::cache {
namespace {

constexpr u32 kExtended = 0x8000'0000;
constexpr u32 kMostWays = 64;

CacheShape recorded(u64 size_bytes, u64 ways, u32 line_bytes) {
  ways = std::clamp<u64>(ways, 1, kMostWays);
  u64 sets = std::bit_floor(std::max<u64>(1, size_bytes / (ways * line_bytes)));
  while (size_bytes / (sets * line_bytes) > kMostWays) sets *= 2;
  ways = std::max<u64>(1, size_bytes / (sets * line_bytes));
  return {.size_bytes = sets * ways * line_bytes,
          .ways = static_cast<u32>(ways),
          .line_bytes = line_bytes,
          .origin = ShapeOrigin::recorded};
}

CacheShape recorded_buffer(u64 entries, u64 ways) {
  return recorded(entries * kPageBytes, ways, static_cast<u32>(kPageBytes));
}

/// What leaf 2 tells in one byte (SDM vol. 2, table 3-12): buffers for pages of 4 KB.
struct Descriptor {
  u8 byte;
  bool code;
  u16 entries;
  u8 ways;  ///< 255: fully associative
};
constexpr Descriptor kDescriptors[] = {
    {0x01, true, 32, 4},    {0x03, false, 64, 4},   {0x4f, true, 32, 4},   {0x50, true, 64, 255},
    {0x51, true, 128, 255}, {0x52, true, 256, 255}, {0x57, false, 16, 4},  {0x59, false, 16, 255},
    {0x5b, false, 64, 255}, {0x5c, false, 128, 4},  {0x5d, false, 256, 4}, {0x61, true, 48, 255},
    {0x64, false, 512, 4},  {0x6a, false, 64, 8},   {0x6b, false, 256, 8}, {0xa0, false, 32, 255},
    {0xb0, true, 128, 4},   {0xb2, true, 64, 4},    {0xb3, false, 128, 4}, {0xb4, false, 256, 4},
    {0xb5, true, 64, 8},    {0xb6, true, 128, 8},   {0xba, false, 64, 4},  {0xc0, false, 8, 4},
};

/// Leaf 2's descriptors: four in each register whose highest bit is clear, but for al.
void read_descriptors(const x86::CpuidRow& row, CacheShapes& shapes) {
  for (const u32 word : {row.eax & ~u32{0xff}, row.ebx, row.ecx, row.edx}) {
    if ((word >> 31) != 0) continue;
    for (unsigned shift = 0; shift < 32; shift += 8)
      for (const Descriptor& each : kDescriptors)
        if (each.byte == (word >> shift & 0xff))
          (each.code ? shapes.itlb : shapes.dtlb) = recorded_buffer(each.entries, each.ways);
  }
}

/// Leaf 4: a row a cache.
void read_leaf_4(const x86::CpuidRow& row, CacheShapes& shapes) {
  enum : u32 { kData = 1, kInstructions = 2, kBoth = 3 };
  const u32 type = row.eax & 0x1f, level = row.eax >> 5 & 7;
  const u32 line_bytes = ((row.ebx & 0xfff) + 1) * ((row.ebx >> 12 & 0x3ff) + 1);
  const u64 ways = (row.ebx >> 22) + 1, sets = u64{row.ecx} + 1;
  const CacheShape shape = recorded(line_bytes * ways * sets, ways, line_bytes);
  if (level == 1 && type == kInstructions) shapes.i1 = shape;
  if (level == 1 && type == kData) shapes.d1 = shape;
  if (level == 2 && type == kBoth) shapes.l2 = shape;
  if (level == 3 && type == kBoth) shapes.ll = shape;
}

/// AMD's four bits; 0 if they do not tell.
u64 ways_of_code(u32 code) {
  constexpr u64 kWays[] = {0, 1, 2, 3, 4, 6, 8, 0, 16, 16, 32, 48, 64, 96, 128, 255};
  return kWays[code & 15];
}

/// AMD's first level: size in KB, ways, lines; and entries of buffers.
void read_first_level(const x86::CpuidRow& row, CacheShapes& shapes) {
  const auto cache = [](u32 word) {
    return recorded(u64{word >> 24} << 10, word >> 16 & 0xff, std::max(u32{16}, word & 0xff));
  };
  if (row.ecx >> 24 != 0) shapes.d1 = cache(row.ecx);
  if (row.edx >> 24 != 0) shapes.i1 = cache(row.edx);
  if ((row.ebx >> 16 & 0xff) != 0) shapes.dtlb = recorded_buffer(row.ebx >> 16 & 0xff, row.ebx >> 24);
  if ((row.ebx & 0xff) != 0) shapes.itlb = recorded_buffer(row.ebx & 0xff, row.ebx >> 8 & 0xff);
}

/// AMD's second and third level; the third's size in units of 512 KB.
void read_other_levels(const x86::CpuidRow& row, CacheShapes& shapes) {
  if (row.ecx >> 16 != 0 && ways_of_code(row.ecx >> 12) != 0)
    shapes.l2 =
        recorded(u64{row.ecx >> 16} << 10, ways_of_code(row.ecx >> 12), std::max(u32{16}, row.ecx & 0xff));
  if (row.edx >> 18 != 0 && ways_of_code(row.edx >> 12) != 0)
    shapes.ll =
        recorded(u64{row.edx >> 18} << 19, ways_of_code(row.edx >> 12), std::max(u32{16}, row.edx & 0xff));
}

}  // namespace

CacheShapes shapes_of_processor(std::span<const x86::CpuidRow> cpuid) {
  CacheShapes shapes;
  constexpr u32 kAmdVendor = 0x6874'7541;  // "Auth" of AuthenticAMD, in ebx of leaf 0
  const bool amd = x86::cpuid_row(cpuid, 0, 0).ebx == kAmdVendor;
  for (const x86::CpuidRow& row : cpuid) {
    if (row.leaf == 2 && !amd) read_descriptors(row, shapes);
    if (row.leaf == 4 && !amd) read_leaf_4(row, shapes);
    if (row.leaf == kExtended + 5 && amd) read_first_level(row, shapes);
    if (row.leaf == kExtended + 6 && amd) read_other_levels(row, shapes);
  }
  // The last level is the second of a processor without a third.
  const bool has_third = shapes.ll.origin == ShapeOrigin::recorded;
  if (!has_third && shapes.l2.size_bytes != 0) shapes.ll = std::exchange(shapes.l2, CacheShape{});
  return shapes;
}

CacheShapes recorded_shapes(const std::string& directory) {
  auto block = trace::read_launch(directory);
  machine::LaunchHeader header;
  if (!block || block.value().size() < sizeof header) return {};
  std::memcpy(static_cast<void*>(&header), block.value().data(), sizeof header);
  if (header.magic != machine::kLaunchMagic || header.cpuid_count > std::size(header.cpuid)) return {};
  return shapes_of_processor({header.cpuid, header.cpuid_count});
}

}  // namespace orrery::lens::cache
