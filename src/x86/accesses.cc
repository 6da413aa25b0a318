#include "x86/accesses.h"

#include "x86/isa_tree.h"

namespace orrery::x86 {

namespace {

#include "x86/access_table.inc"

constexpr u8 kOneByte = 0, kTwoByte = 1;  // Decoded::map

/// F2 and F3 replace one another; the last one counts.
u8 legacy_prefixes(const Decoded& decoded, std::span<const u8> bytes) {
  u8 prefixes = decoded.has_66 ? 1 : 0;
  for (u8 at = decoded.prefix_bytes; at-- > 0;) {
    if (bytes[at] == 0xf3) return prefixes | 2;
    if (bytes[at] == 0xf2) return prefixes | 4;
  }
  return prefixes;
}

ClassKey key_of(const Decoded& decoded, std::span<const u8> bytes) {
  ClassKey key{.encoding = decoded.encoding, .map = decoded.map, .opcode = decoded.opcode};
  key.register_form = decoded.modrm_mod() == 3;
  key.reg = decoded.modrm_reg();
  key.rm = decoded.modrm_rm();
  if (decoded.encoding == Encoding::legacy) {
    key.prefixes = legacy_prefixes(decoded, bytes);
    key.wide = (decoded.rex & 8) != 0;
    return key;
  }
  const VectorFields fields = vector_fields(decoded, bytes);
  key.prefixes = fields.prefix;
  key.wide = fields.wide;
  key.vector_length = fields.length;
  key.broadcast = fields.broadcast;
  return key;
}

bool in(u8 opcode, u8 first, u8 last) { return opcode >= first && opcode <= last; }

/// movs, cmps, stos, lods, scas (SDM vol. 2, table A-2).
void add_string(Accesses& found, const Decoded& decoded) {
  const bool byte = (decoded.opcode & 1) == 0;
  const bool wide = (decoded.rex & 8) != 0;
  MemoryAccess access{.size_bytes = static_cast<u16>(byte             ? 1
                                                     : wide           ? 8
                                                     : decoded.has_66 ? 2
                                                                      : 4),
                      .repeated = decoded.has_f2 || decoded.has_f3};
  const u8 pair = decoded.opcode & 0xfe;
  if (pair == 0xa4 || pair == 0xa6 || pair == 0xac) {
    access.addressing = Addressing::source;
    access.kind = AccessKind::read;
    found.add(access);
  }
  if (pair == 0xac) return;
  access.addressing = Addressing::destination;
  access.kind = pair == 0xa4 || pair == 0xaa ? AccessKind::write : AccessKind::read;
  found.add(access);
}

/// A push or pop: 66 makes it two bytes, unless REX.W says eight.
u16 stack_operand_bytes(const Decoded& decoded) { return decoded.has_66 && (decoded.rex & 8) == 0 ? 2 : 8; }

MemoryAccess pushed(u16 size_bytes) { return {Addressing::pushed, AccessKind::write, size_bytes}; }
MemoryAccess popped(u16 size_bytes) { return {Addressing::popped, AccessKind::read, size_bytes}; }

/// Of the one-byte map, without a ModRM operand.
void add_implicit(Accesses& found, const Decoded& decoded) {
  const u8 opcode = decoded.opcode;
  const u16 stack_bytes = stack_operand_bytes(decoded);
  if (in(opcode, 0x50, 0x57) || opcode == 0x68 || opcode == 0x6a || opcode == 0x9c)
    return found.add(pushed(stack_bytes));
  if (in(opcode, 0x58, 0x5f)) return found.add(popped(stack_bytes));
  if (in(opcode, 0xa4, 0xa7) || in(opcode, 0xaa, 0xaf)) return add_string(found, decoded);
  if (in(opcode, 0xa0, 0xa3)) {
    const bool wide = (decoded.rex & 8) != 0;
    const u16 size = static_cast<u16>((opcode & 1) == 0 ? 1 : wide ? 8 : decoded.has_66 ? 2 : 4);
    return found.add({Addressing::offset, opcode < 0xa2 ? AccessKind::read : AccessKind::write, size});
  }
  switch (opcode) {
    case 0xc2:
    case 0xc3:
      return found.add(popped(8));
    case 0xe8:
      return found.add(pushed(8));
    case 0xc8:  // enter: the frames before are copied one by one
      if ((decoded.immediate >> 16 & 31) == 0) return found.add(pushed(stack_bytes));
      return found.add({Addressing::chosen, AccessKind::modify, 0});
    case 0xc9:
      return found.add({Addressing::frame, AccessKind::read, stack_bytes});
    case 0xd7:
      return found.add({Addressing::table, AccessKind::read, 1});
    default:
      return;
  }
}

/// push and pop of fs and gs; maskmovq and its kin.
void add_implicit_two_byte(Accesses& found, const Decoded& decoded) {
  const u16 stack_bytes = stack_operand_bytes(decoded);
  const bool legacy = decoded.encoding == Encoding::legacy;
  if (legacy && (decoded.opcode == 0xa0 || decoded.opcode == 0xa8)) found.add(pushed(stack_bytes));
  if (legacy && (decoded.opcode == 0xa1 || decoded.opcode == 0xa9)) found.add(popped(stack_bytes));
  if (decoded.opcode == 0xf7 && decoded.modrm_mod() == 3 && decoded.encoding != Encoding::evex)
    found.add({Addressing::chosen, AccessKind::write, 0});
}

}  // namespace

VectorFields vector_fields(const Decoded& decoded, std::span<const u8> bytes) {
  const u8* const prefix = bytes.data() + decoded.prefix_bytes;
  VectorFields fields;
  if (decoded.encoding == Encoding::legacy) {
    fields.x = (decoded.rex & 2) != 0;
    fields.b = (decoded.rex & 1) != 0;
    fields.wide = (decoded.rex & 8) != 0;
    return fields;
  }
  const bool two_bytes = prefix[0] == 0xc5;
  const u8 payload = two_bytes ? prefix[1] : prefix[2];
  fields.prefix = payload & 3;
  if (two_bytes) {
    fields.length = payload >> 2 & 1;
    return fields;
  }
  fields.x = (prefix[1] & 0x40) == 0;
  fields.b = (prefix[1] & 0x20) == 0;
  fields.wide = (payload & 0x80) != 0;
  fields.length = payload >> 2 & 1;
  if (decoded.encoding != Encoding::evex) return fields;
  fields.length = prefix[3] >> 5 & 3;
  fields.mask = prefix[3] & 7;
  fields.broadcast = (prefix[3] & 0x10) != 0;
  fields.v2 = (prefix[3] & 8) == 0;
  return fields;
}

OperandAccess operand_access(const Decoded& decoded, std::span<const u8> bytes) {
  if (!decoded.has_modrm || decoded.modrm_mod() == 3) return {};
  const ClassKey key = key_of(decoded, bytes);
  const int map = map_index(key.encoding, key.map);
  if (map == kNoMap) return {};
  const u16 leaf = kPrefixGroups[kMaps[map][key.opcode]][key.prefixes];
  return kOperandAccesses[kRegRows[kLeaves[leaf][leaf_cell(key)]][key.reg]];
}

Accesses accesses_of(const Decoded& decoded, std::span<const u8> bytes) {
  Accesses found;
  const bool one_byte = decoded.encoding == Encoding::legacy && decoded.map == kOneByte;
  const OperandAccess operand = operand_access(decoded, bytes);
  const bool pops_operand = one_byte && decoded.opcode == 0x8f;
  if (pops_operand) found.add(popped(stack_operand_bytes(decoded)));
  if (operand.pattern != OperandPattern::none) {
    const bool masked = operand.element_bytes != 0 && vector_fields(decoded, bytes).mask != 0;
    const bool chosen = operand.pattern == OperandPattern::chosen || masked;
    found.add({chosen ? Addressing::chosen : Addressing::operand, operand.kind, operand.size_bytes});
  }
  const bool pushes_operand = one_byte && decoded.opcode == 0xff && decoded.modrm_reg() == 6;
  if (pushes_operand) found.add(pushed(stack_operand_bytes(decoded)));
  if (decoded.category == Category::call_indirect) found.add(pushed(8));
  if (one_byte && !decoded.has_modrm) add_implicit(found, decoded);
  if (decoded.map == kTwoByte && decoded.encoding != Encoding::evex) add_implicit_two_byte(found, decoded);
  return found;
}

AddressForm address_form(const Decoded& decoded, std::span<const u8> bytes) {
  AddressForm form;
  if (!decoded.has_modrm) {
    form.displacement = decoded.immediate;
    return form;
  }
  const VectorFields fields = vector_fields(decoded, bytes);
  form.displacement = decoded.displacement;
  form.rip_relative = decoded.rip_relative;
  if (decoded.encoding == Encoding::evex && decoded.displacement_bytes == 1)
    form.displacement *= i64{1} << operand_access(decoded, bytes).displacement_shift;
  if (decoded.rip_relative) return form;
  const u8 base = static_cast<u8>(decoded.modrm_rm() | (fields.b ? 8 : 0));
  if (decoded.modrm_rm() != 4) {
    form.base = base;
    return form;
  }
  const u8 sib_base = decoded.sib & 7, sib_index = decoded.sib >> 3 & 7;
  if (sib_base != 5 || decoded.modrm_mod() != 0) form.base = static_cast<u8>(sib_base | (fields.b ? 8 : 0));
  if (sib_index != 4 || fields.x) form.index = static_cast<u8>(sib_index | (fields.x ? 8 : 0));
  form.shift = decoded.sib >> 6;
  return form;
}

u8 high_registers(const Decoded& decoded, std::span<const u8> bytes) {
  const VectorFields fields = vector_fields(decoded, bytes);
  u8 mask = 0;
  const auto name = [&](unsigned low, bool high) {
    if (high) mask = static_cast<u8>(mask | 1u << (low & 7));
  };
  name(decoded.modrm_reg(), (decoded.reg_high & 8) != 0);
  name(decoded.has_modrm ? decoded.modrm_rm() : decoded.opcode, fields.b);
  name(decoded.sib, fields.b);
  name(decoded.sib >> 3u, fields.x);
  if (decoded.encoding != Encoding::legacy) name(decoded.vvvv, (decoded.vvvv & 8) != 0);
  return mask;
}

}  // namespace orrery::x86
