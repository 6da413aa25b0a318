// Looking an encoding up. The table is a tree of shared rows (most of the 130,000 cells repeat):
// map and opcode -> prefix combination -> W, form, length, broadcast -> ModRM.reg -> ModRM.rm.
#include "x86/isa_table.h"

namespace orrery::x86 {
namespace {

#include "x86/isa_table.inc"

constexpr int kNoMap = -1;

/// The row of kMaps for an encoding's map.
int map_index(Encoding encoding, u8 map) {
  switch (encoding) {
    case Encoding::legacy:
      return map <= 3 ? map : kNoMap;
    case Encoding::vex:
      return map >= 1 && map <= 3 ? 3 + map : kNoMap;
    case Encoding::evex:
      return map >= 1 && map <= 3 ? 6 + map : map == 5 || map == 6 ? 5 + map : kNoMap;
    case Encoding::xop:
      return kNoMap;
  }
  return kNoMap;
}

}  // namespace

InstructionClass find_class(const ClassKey& key) {
  const int map = map_index(key.encoding, key.map);
  if (map == kNoMap) return {};
  const u16 group = kMaps[map][key.opcode];
  const u16 leaf = kPrefixGroups[group][key.prefixes];
  const int cell =
      (key.wide ? 1 : 0) | (key.register_form ? 2 : 0) | (key.vector_length << 2) | (key.broadcast ? 16 : 0);
  u16 entry = kRegRows[kLeaves[leaf][cell]][key.reg];
  if (entry & kByRm) entry = kRmRows[entry & ~kByRm][key.rm];
  return kClasses[entry];
}

void narrow_bit_scan(const FeatureSet& features, Decoded& decoded, std::span<u8> bytes) {
  const auto feature = static_cast<Feature>(decoded.feature);
  if (feature != Feature::lzcnt && feature != Feature::tzcnt) return;
  if (decoded.category != Category::copy || features.contains(feature)) return;
  // The other prefix of this kind: it means nothing to bsf and bsr on any processor, and takes a byte too.
  for (u8& prefix : bytes.first(decoded.prefix_bytes))
    if (prefix == 0xf3) prefix = 0xf2;
  decoded.has_f2 = true;
  decoded.has_f3 = false;
  decoded.feature = static_cast<u8>(Feature::base);
}

}  // namespace orrery::x86
