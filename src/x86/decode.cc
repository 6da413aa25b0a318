// The decoder. Translation speed at start-up hangs on it (libc alone has 400,000 instructions), so the
// shape of an instruction, which is regular, is written by hand: prefixes, maps, ModRM, SIB,
// displacement, immediate (Intel SDM vol. 2, chapter 2 and appendix A). What is irregular, namely which
// encodings exist at all, comes from the generated tables of isa_table.h.
//
// Choices where the manual leaves room, all as Intel processors behave and as Zydis decodes:
//   * REX counts only directly before the opcode or its escape byte.
//   * F2 and F3 select the instruction before 66 does; of the two the last one counts.
//   * cs, ds, es, ss overrides are ignored in 64-bit mode and do not cancel an fs or gs override.
//   * 66 does not change near branches (jcc, jmp, call, ret).
//   * 66, F2, F3, F0 or REX before VEX or EVEX is #UD.
#include "x86/decode.h"

#include "x86/isa_table.h"

namespace orrery::x86 {
namespace {

constexpr u8 kMaxLength = 15;

/// How many immediate bytes follow. The low nibble is a fixed count.
enum Shape : u8 {
  kNone = 0,
  kByte = 1,
  kWord = 2,
  kEnter = 3,
  kRelative32 = 4,
  kOperand = 0x10,      ///< 4, or 2 with operand size 16
  kFullOperand = 0x20,  ///< 8 with REX.W, else as kOperand (mov r, imm)
  kMoffs = 0x30,        ///< 8, or 4 with address size 32, and it is an address
  kGroup3 = 0x40,       ///< F6, F7: an immediate only for ModRM.reg 0 and 1
  kModRm = 0x80,        ///< a ModRM byte comes first
};

struct ShapeTable {
  u8 of[256] = {};
  constexpr void range(int first, int last, int shape) {
    for (int i = first; i <= last; ++i) of[i] = static_cast<u8>(shape);
  }
};

consteval ShapeTable one_byte_shapes() {
  ShapeTable t;
  for (int row = 0; row < 0x40; row += 8) {
    t.range(row, row + 3, kModRm);
    t.of[row + 4] = kByte;
    t.of[row + 5] = kOperand;
  }
  t.range(0x63, 0x63, kModRm);
  t.of[0x68] = kOperand;
  t.of[0x69] = kModRm | kOperand;
  t.of[0x6a] = kByte;
  t.of[0x6b] = kModRm | kByte;
  t.range(0x70, 0x7f, kByte);
  t.range(0x80, 0x83, kModRm | kByte);
  t.of[0x81] = kModRm | kOperand;
  t.range(0x84, 0x8f, kModRm);
  t.range(0xa0, 0xa3, kMoffs);
  t.of[0xa8] = kByte;
  t.of[0xa9] = kOperand;
  t.range(0xb0, 0xb7, kByte);
  t.range(0xb8, 0xbf, kFullOperand);
  t.range(0xc0, 0xc1, kModRm | kByte);
  t.of[0xc2] = kWord;
  t.of[0xc6] = kModRm | kByte;
  t.of[0xc7] = kModRm | kOperand;
  t.of[0xc8] = kEnter;
  t.of[0xca] = kWord;
  t.of[0xcd] = kByte;
  t.range(0xd0, 0xd3, kModRm);
  t.range(0xd8, 0xdf, kModRm);
  t.range(0xe0, 0xe7, kByte);
  t.range(0xe8, 0xe9, kRelative32);
  t.of[0xeb] = kByte;
  t.of[0xf6] = kModRm | kGroup3 | kByte;
  t.of[0xf7] = kModRm | kGroup3;
  t.range(0xfe, 0xff, kModRm);
  return t;
}

consteval ShapeTable two_byte_shapes() {
  ShapeTable t;
  t.range(0x00, 0xff, kModRm);
  t.range(0x04, 0x0c, kNone);
  t.of[0x0d] = kModRm;
  t.of[0x0e] = kNone;
  t.of[0x0f] = kModRm | kByte;
  t.range(0x24, 0x27, kNone);
  t.range(0x30, 0x3f, kNone);
  t.range(0x70, 0x73, kModRm | kByte);
  t.of[0x77] = kNone;
  t.range(0x80, 0x8f, kRelative32);
  t.range(0xa0, 0xa2, kNone);
  t.of[0xa4] = kModRm | kByte;
  t.range(0xa8, 0xaa, kNone);
  t.of[0xac] = kModRm | kByte;
  t.of[0xba] = kModRm | kByte;
  t.of[0xc2] = kModRm | kByte;
  t.range(0xc4, 0xc6, kModRm | kByte);
  t.range(0xc8, 0xcf, kNone);
  return t;
}

consteval ShapeTable vector_map1_shapes() {
  ShapeTable t;
  t.range(0x00, 0xff, kModRm);
  t.range(0x70, 0x73, kModRm | kByte);
  t.of[0x77] = kNone;
  t.of[0xc2] = kModRm | kByte;
  t.range(0xc4, 0xc6, kModRm | kByte);
  return t;
}

consteval ShapeTable uniform_shapes(int shape) {
  ShapeTable t;
  t.range(0x00, 0xff, shape);
  return t;
}

constexpr ShapeTable kOneByteShapes = one_byte_shapes();
constexpr ShapeTable kTwoByteShapes = two_byte_shapes();
constexpr ShapeTable kVectorMap1Shapes = vector_map1_shapes();
constexpr ShapeTable kModRmShapes = uniform_shapes(kModRm);
constexpr ShapeTable kModRmByteShapes = uniform_shapes(kModRm | kByte);

/// What a byte means before the opcode.
enum PrefixKind : u8 { kOpcode, kOperandSize, kAddressSize, kRepne, kRep, kLock, kSegment, kRex };

consteval ShapeTable prefix_kinds() {
  ShapeTable t;
  for (int i : {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65}) t.of[i] = kSegment;
  t.range(0x40, 0x4f, kRex);
  t.of[0x66] = kOperandSize;
  t.of[0x67] = kAddressSize;
  t.of[0xf0] = kLock;
  t.of[0xf2] = kRepne;
  t.of[0xf3] = kRep;
  return t;
}
constexpr ShapeTable kPrefixKinds = prefix_kinds();

template <class T>
T load(const u8* at) {
  T value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}

i64 load_signed(const u8* at, unsigned bytes) {
  switch (bytes) {
    case 0:
      return 0;
    case 1:
      return static_cast<i8>(*at);
    case 2:
      return load<i16>(at);
    case 3:
      return load<u16>(at) | (at[2] << 16);
    case 4:
      return load<i32>(at);
    default:
      return load<i64>(at);
  }
}

class Decoder {
 public:
  explicit Decoder(std::span<const u8> bytes)
      : start_(bytes.data()),
        end_(bytes.size() < kMaxLength ? bytes.size() : kMaxLength),
        cut_(end_ == kMaxLength) {}

  Decoded run() {
    if (!prefixes() || !opcode_and_extensions() || !operands()) return out_of_bytes();
    out_.length = at_;
    classify();
    return out_;
  }

 private:
  /// The fifteenth byte was not the last: #GP (SDM vol. 3, 6.15, interrupt 13). Or the fetch ends here.
  Decoded out_of_bytes() {
    Decoded result;
    if (!cut_) return result;
    result.length = kMaxLength;
    result.too_long = true;
    result.category = Category::trap;
    return result;
  }

  bool need(unsigned count) const { return at_ + count <= end_; }
  void skip(unsigned count) { at_ = static_cast<u8>(at_ + count); }

  bool prefixes() {
    for (;; ++at_) {
      if (!need(1)) return false;
      const u8 byte = start_[at_];
      const u8 kind = kPrefixKinds.of[byte];
      if (kind == kOpcode) break;
      if (kind == kRex) {
        out_.rex = byte;
        continue;
      }
      out_.rex = 0;
      switch (kind) {
        case kOperandSize:
          out_.has_66 = true;
          break;
        case kAddressSize:
          out_.has_67 = true;
          break;
        case kRepne:
          out_.has_f2 = true;
          last_repeat_ = byte;
          break;
        case kRep:
          out_.has_f3 = true;
          last_repeat_ = byte;
          break;
        case kLock:
          out_.has_lock = true;
          break;
        default:
          if (byte >= 0x64 || out_.segment < 0x64) out_.segment = byte;
      }
    }
    out_.prefix_bytes = at_;
    return true;
  }

  bool opcode_and_extensions() {
    const u8 byte = start_[at_++];
    wide_ = (out_.rex & 8) != 0;
    out_.reg_high = (out_.rex & 4) ? 8 : 0;
    switch (byte) {
      case 0x0f:
        return escape();
      case 0xc4:
        return vex3();
      case 0xc5:
        return vex2();
      case 0x62:
        return evex();
      default:
        out_.opcode = byte;
        shapes_ = &kOneByteShapes;
        break;
    }
    return finish_opcode();
  }

  bool finish_opcode() {
    out_.opcode_offset = static_cast<u8>(at_ - 1);
    return true;
  }

  bool next_opcode() {
    if (!need(1)) return false;
    out_.opcode = start_[at_++];
    return finish_opcode();
  }

  bool escape() {
    out_.map = 1;
    shapes_ = &kTwoByteShapes;
    if (!next_opcode()) return false;
    if (out_.opcode == 0x38 || out_.opcode == 0x3a) {
      out_.map = out_.opcode == 0x38 ? 2 : 3;
      shapes_ = out_.map == 2 ? &kModRmShapes : &kModRmByteShapes;
      return next_opcode();
    }
    if (out_.opcode == 0x0f) out_.map = 0x0f;
    return true;
  }

  /// Legacy prefixes that no VEX or EVEX instruction may have.
  bool has_legacy_extension() const {
    return out_.rex != 0 || out_.has_66 || out_.has_f2 || out_.has_f3 || out_.has_lock;
  }

  void vector_shapes() {
    switch (out_.map) {
      case 1:
        shapes_ = &kVectorMap1Shapes;
        break;
      case 3:
        shapes_ = &kModRmByteShapes;
        break;
      default:
        shapes_ = &kModRmShapes;
        break;
    }
  }

  bool vex2() {
    if (!need(2)) return false;
    bad_ = has_legacy_extension();
    const u8 payload = start_[at_++];
    out_.encoding = Encoding::vex;
    out_.rex = 0;
    out_.map = 1;
    out_.reg_high = (payload & 0x80) ? 0 : 8;
    vex_tail(payload);
    shapes_ = &kVectorMap1Shapes;
    return next_opcode();
  }

  bool vex3() {
    if (!need(3)) return false;
    bad_ = has_legacy_extension();
    const u8 extend = start_[at_++];
    const u8 payload = start_[at_++];
    out_.encoding = Encoding::vex;
    out_.rex = 0;
    out_.map = extend & 0x1f;
    bad_ |= out_.map == 0 || out_.map > 3;
    out_.reg_high = (extend & 0x80) ? 0 : 8;
    x_ = !(extend & 0x40);
    b_ = !(extend & 0x20);
    wide_ = (payload & 0x80) != 0;
    vex_tail(payload);
    vector_shapes();
    return next_opcode();
  }

  void vex_tail(u8 payload) {
    out_.vvvv = static_cast<u8>((~payload >> 3) & 15);
    vector_length_ = (payload >> 2) & 1;
    pp_ = payload & 3;
  }

  bool evex() {
    if (!need(4)) return false;
    bad_ = has_legacy_extension();
    const u8 p0 = start_[at_], p1 = start_[at_ + 1], p2 = start_[at_ + 2];
    skip(3);
    out_.encoding = Encoding::evex;
    out_.rex = 0;
    out_.map = p0 & 7;
    bad_ |= (p0 & 8) != 0 || (p1 & 4) == 0 || out_.map == 0 || out_.map == 4 || out_.map == 7;
    out_.reg_high = static_cast<u8>(((p0 & 0x80) ? 0 : 8) | ((p0 & 0x10) ? 0 : 16));
    x_ = !(p0 & 0x40);
    b_ = !(p0 & 0x20);
    wide_ = (p1 & 0x80) != 0;
    v2_ = !(p2 & 8);
    out_.vvvv = static_cast<u8>(((~p1 >> 3) & 15) | (v2_ ? 16 : 0));
    pp_ = p1 & 3;
    zeroing_ = (p2 & 0x80) != 0;
    vector_length_ = (p2 >> 5) & 3;
    broadcast_ = (p2 & 0x10) != 0;
    mask_ = p2 & 7;
    vector_shapes();
    return next_opcode();
  }

  bool operands() {
    const u8 shape = shapes_->of[out_.opcode];
    u8 immediate = shape & ~kModRm;
    if (shape & kModRm) {
      if (!modrm()) return false;
      if ((shape & 0x70) == kGroup3) {
        if (out_.modrm_reg() > 1) return true;
        immediate = (shape & kByte) ? kByte : kOperand;
      }
    }
    return immediate == 0 || immediate_field(immediate);
  }

  bool modrm() {
    if (!need(1)) return false;
    out_.has_modrm = true;
    out_.modrm_offset = at_;
    out_.modrm = start_[at_++];
    const bool control_register =
        out_.encoding == Encoding::legacy && out_.map == 1 && (out_.opcode & 0xfc) == 0x20;
    if (out_.modrm >= 0xc0 || control_register) return true;
    unsigned bytes = out_.modrm_mod() == 1 ? 1 : out_.modrm_mod() == 2 ? 4 : 0;
    if (out_.modrm_rm() == 4) {
      if (!need(1)) return false;
      out_.sib = start_[at_++];
      if ((out_.sib & 7) == 5 && bytes == 0) bytes = 4;
    } else if (out_.modrm_rm() == 5 && bytes == 0) {
      out_.rip_relative = true;
      bytes = 4;
    }
    return displacement(bytes);
  }

  bool displacement(unsigned bytes) {
    if (bytes == 0) return true;
    if (!need(bytes)) return false;
    out_.displacement_offset = at_;
    out_.displacement_bytes = static_cast<u8>(bytes);
    out_.displacement = bytes == 1 ? static_cast<i8>(start_[at_]) : load<i32>(start_ + at_);
    skip(bytes);
    return true;
  }

  bool immediate_field(u8 shape) {
    const unsigned small = out_.has_66 && !wide_ ? 2 : 4;
    unsigned bytes = shape & 0x0f;
    switch (shape & 0xf0) {
      case kOperand:
        bytes = small;
        break;
      case kFullOperand:
        bytes = wide_ ? 8 : small;
        break;
      case kMoffs:
        bytes = out_.has_67 ? 4 : 8;
        break;
      default:
        break;
    }
    if (!need(bytes)) return false;
    if ((shape & 0xf0) == kMoffs) {
      out_.displacement_offset = at_;
      out_.displacement_bytes = static_cast<u8>(bytes);
      out_.immediate = bytes == 4 ? i64{load<u32>(start_ + at_)} : load<i64>(start_ + at_);
    } else {
      out_.immediate_offset = at_;
      out_.immediate_bytes = static_cast<u8>(bytes);
      out_.immediate = load_signed(start_ + at_, bytes);
    }
    skip(bytes);
    return true;
  }

  ClassKey class_key() const {
    ClassKey key;
    key.encoding = out_.encoding;
    key.map = out_.map;
    key.opcode = out_.map == 0x0f ? static_cast<u8>(out_.immediate) : out_.opcode;
    key.prefixes = out_.encoding == Encoding::legacy
                       ? static_cast<u8>((out_.has_66 ? 1 : 0) | (last_repeat_ == 0xf3 ? 2
                                                                  : last_repeat_       ? 4
                                                                                       : 0))
                       : pp_;
    key.wide = wide_;
    key.register_form = out_.modrm >= 0xc0;
    key.vector_length = vector_length_;
    key.broadcast = broadcast_;
    key.reg = out_.modrm_reg();
    key.rm = out_.modrm_rm();
    return key;
  }

  void classify() {
    if (bad_) return;
    const InstructionClass found = find_class(class_key());
    if (found.category == Category::invalid || !conditions_hold(found.flags)) return;
    out_.category = found.category;
    out_.gate = found.gate;
    out_.feature = static_cast<u8>(found.feature);
    if (found.category == Category::jump_if)
      out_.condition = out_.opcode & 15;
    else if (found.category == Category::loop)
      out_.condition = out_.opcode & 3;
    else if (out_.encoding == Encoding::legacy && out_.map == 0 && out_.opcode == 0xcd &&
             out_.immediate == -0x80)
      out_.category = Category::gated, out_.gate = Gate::int80;
  }

  bool conditions_hold(u32 flags) const {
    const bool memory = out_.has_modrm && out_.modrm < 0xc0;
    if (out_.has_lock && (!(flags & kLockAllowed) || !memory)) return false;
    if (out_.encoding == Encoding::legacy) return !((flags & kNoR) && out_.reg_high);
    return extension_bits_hold(flags) && (out_.encoding == Encoding::vex || mask_holds(flags)) &&
           registers_differ(flags, memory);
  }

  bool extension_bits_hold(u32 flags) const {
    const bool memory = out_.modrm < 0xc0;
    if ((flags & kVvvvUnused) && (out_.vvvv & 15) != 0) return false;
    if ((flags & kVvvvLow) && (out_.vvvv & 8) != 0) return false;
    if ((flags & kNoV2) && v2_) return false;
    if ((flags & kNoR) && (out_.reg_high & 8)) return false;
    if ((flags & kNoR2) && (out_.reg_high & 16)) return false;
    if ((flags & kNoX) && x_) return false;
    if ((flags & kNoB) && b_) return false;
    return !(flags & kVsib) || (memory && out_.modrm_rm() == 4);
  }

  bool mask_holds(u32 flags) const {
    if ((flags & kMaskRequired) && mask_ == 0) return false;
    if ((flags & kMaskForbidden) && mask_ != 0) return false;
    if (zeroing_ && mask_ == 0) return false;
    return !((flags & kZeroingForbidden) && zeroing_);
  }

  bool registers_differ(u32 flags, bool memory) const {
    constexpr u32 kAny = kRegNotVvvv | kRegNotRm | kRegNotIndex | kVvvvNotIndex;
    if (!(flags & kAny)) return true;
    const unsigned reg = out_.modrm_reg() | out_.reg_high;
    const unsigned rm = out_.modrm_rm() | (b_ ? 8u : 0u) | (out_.encoding == Encoding::evex && x_ ? 16u : 0u);
    const unsigned index = ((out_.sib >> 3) & 7u) | (x_ ? 8u : 0u) | (v2_ ? 16u : 0u);
    if ((flags & kRegNotVvvv) && reg == out_.vvvv) return false;
    if ((flags & kRegNotRm) && !memory && reg == rm) return false;
    if ((flags & kRegNotIndex) && reg == index) return false;
    return !((flags & kVvvvNotIndex) && out_.vvvv == index);
  }

  const u8* start_;
  const u64 end_;
  const bool cut_;  ///< the bytes go on (or end) at the architectural limit
  Decoded out_;
  const ShapeTable* shapes_ = nullptr;
  u8 at_ = 0;
  u8 last_repeat_ = 0;
  u8 pp_ = 0, vector_length_ = 0, mask_ = 0;
  bool wide_ = false, x_ = false, b_ = false, v2_ = false;
  bool broadcast_ = false, zeroing_ = false, bad_ = false;
};

}  // namespace

Decoded decode(std::span<const u8> bytes) { return Decoder(bytes).run(); }

bool is_repeated_string(const Decoded& decoded) {
  const bool is_string = (decoded.opcode >= 0xa4 && decoded.opcode <= 0xa7) ||
                         (decoded.opcode >= 0xaa && decoded.opcode <= 0xaf);
  return is_string && decoded.category == Category::copy && decoded.encoding == Encoding::legacy &&
         decoded.map == 0 && (decoded.has_f2 || decoded.has_f3) && !decoded.has_67;
}

bool is_compare_string(const Decoded& decoded) {
  return (decoded.opcode & 0xfe) == 0xa6 || (decoded.opcode & 0xfe) == 0xae;
}

u8 plain_length(std::span<const u8> bytes) {
  if (bytes.size() < kMaxLength) return 0;
  const u8* at = bytes.data();
  unsigned prefixes = 0;  // as in ClassKey
  if (*at == 0x66 || *at == 0xf2 || *at == 0xf3) {
    prefixes = *at == 0x66 ? 1 : *at == 0xf3 ? 2 : 4;
    ++at;
  }
  bool wide = false;
  if ((*at & 0xf0) == 0x40) wide = (*at++ & 8) != 0;
  u8 opcode = *at++;
  const unsigned map = opcode == 0x0f ? 1 : 0;
  if (map == 1) opcode = *at++;
  const u8 shape = (map == 1 ? kTwoByteShapes : kOneByteShapes).of[opcode];
  u8 modrm = 0;
  if (shape & kModRm) {
    modrm = *at++;
    const u8 mod = modrm >> 6, rm = modrm & 7;
    if (mod == 0 && rm == 5) return 0;
    if (mod != 3) {
      const bool no_base = rm == 4 && (*at & 7) == 5 && mod == 0;
      at += (rm == 4 ? 1 : 0) + (mod == 1 ? 1 : mod == 2 || no_base ? 4 : 0);
    }
  }
  if (!kPlainOpcodes.contains(map, prefixes, modrm >= 0xc0, opcode)) return 0;
  const bool without = (shape & 0x70) == kGroup3 && (modrm >> 3 & 7) > 1;
  const unsigned operand = prefixes == 1 && !wide ? 2 : 4;
  switch (without ? 0 : shape & 0x70) {
    case kOperand:
      at += operand;
      break;
    case kFullOperand:
      at += wide ? 8 : operand;
      break;
    case kMoffs:
      at += 8;
      break;
    case kGroup3:
      at += shape & kByte ? 1 : operand;
      break;
    default:
      at += without ? 0 : shape & 0x0f;
      break;
  }
  return static_cast<u8>(at - bytes.data());
}

}  // namespace orrery::x86
