// Looking an encoding up. The table is a tree of shared rows (most of the 130,000 cells repeat):
// map and opcode -> prefix combination -> W, form, length, broadcast -> ModRM.reg -> ModRM.rm.
#include "x86/isa_table.h"

#include "x86/isa_tree.h"

namespace orrery::x86 {
namespace {

#include "x86/isa_table.inc"

constexpr bool is_plain(const InstructionClass& found) {
  return found.category == Category::copy && found.feature == Feature::base &&
         (found.flags & ~u32{kLockAllowed}) == 0;
}

/// Whether every instruction of the leaf in this form is plain.
consteval bool is_plain_leaf(u16 leaf, unsigned form) {
  for (unsigned wide = 0; wide < 2; ++wide)
    for (const u16 entry : kRegRows[kLeaves[leaf][wide | form << 1]])
      if ((entry & kByRm) != 0 || !is_plain(kClasses[entry])) return false;
  return true;
}

/// Prefixes and escapes are no opcodes, whatever the tables hold in their places.
consteval bool is_opcode(unsigned map, unsigned byte) {
  const bool is_approximation = map == 1 && (byte == 0x52 || byte == 0x53);
  if (map == 1) return byte != 0x0f && byte != 0x38 && byte != 0x3a && !is_approximation;
  for (const unsigned other :
       {0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x62, 0x64, 0x65, 0x66, 0x67, 0xc4, 0xc5, 0xf0, 0xf2, 0xf3})
    if (byte == other) return false;
  return byte < 0x40 || byte > 0x4f;
}

consteval PlainOpcodes plain_opcodes() {
  PlainOpcodes plain;
  for (unsigned map = 0; map < 2; ++map)
    for (unsigned opcode = 0; opcode < 256; ++opcode)
      for (unsigned prefixes = 0; prefixes < PlainOpcodes::kPrefixes; ++prefixes)
        for (unsigned form = 0; form < 2; ++form)
          if (is_opcode(map, opcode) && is_plain_leaf(kPrefixGroups[kMaps[map][opcode]][prefixes], form))
            plain.words[map][prefixes][form][opcode / 64] |= u64{1} << (opcode % 64);
  return plain;
}

}  // namespace

constinit const PlainOpcodes kPlainOpcodes = plain_opcodes();

InstructionClass find_class(const ClassKey& key) {
  const int map = map_index(key.encoding, key.map);
  if (map == kNoMap) return {};
  const u16 group = kMaps[map][key.opcode];
  const u16 leaf = kPrefixGroups[group][key.prefixes];
  u16 entry = kRegRows[kLeaves[leaf][leaf_cell(key)]][key.reg];
  if (entry & kByRm) entry = kRmRows[entry & ~kByRm][key.rm];
  return kClasses[entry];
}

void narrow_bit_scan(const FeatureSet& features, Decoded& decoded, std::span<u8> bytes) {
  if (!is_bit_scan_to_narrow(features, decoded)) return;
  // The other prefix of this kind: it means nothing to bsf and bsr on any processor, and takes a byte too.
  for (u8& prefix : bytes.first(decoded.prefix_bytes))
    if (prefix == 0xf3) prefix = 0xf2;
  decoded.has_f2 = true;
  decoded.has_f3 = false;
  decoded.feature = static_cast<u8>(Feature::base);
}

}  // namespace orrery::x86
