// Rules for vectors that are put together anew of parts of others.
#include "translate/definedness_lanes.h"

namespace orrery::translate {

namespace {

/// Within each 16 bytes: the low or the high halves of both, by turns.
void unpack(const u64* a, const u64* b, u64 size, u64 bytes, bool high, u64* out) {
  for (u64 half = 0; half < size; half += kXmmBytes) {
    const u64 base = half / bytes, count = kXmmBytes / bytes, from = base + (high ? count / 2 : 0);
    for (u64 i = 0; i < count / 2; ++i) {
      set_lane(out, bytes, base + 2 * i, lane(a, bytes, from + i));
      set_lane(out, bytes, base + 2 * i + 1, lane(b, bytes, from + i));
    }
  }
}

/// Lanes of half the size; what is saturated depends on all of a lane.
void pack(const u64* a, const u64* b, u64 size, u64 bytes, u64* out) {
  const u64 to = bytes / 2;
  for (u64 half = 0; half < size; half += kXmmBytes) {
    const u64 count = kXmmBytes / bytes;
    for (u64 i = 0; i < count; ++i) {
      set_lane(out, to, half / to + i, lane(a, bytes, half / bytes + i) != 0 ? ~u64{0} : 0);
      set_lane(out, to, half / to + count + i, lane(b, bytes, half / bytes + i) != 0 ? ~u64{0} : 0);
    }
  }
}

}  // namespace

/// Both operands; of the second, its values too if it says what goes where.
void Definedness::read_both(const VectorShape& s, bool with_control, Vector& a, Vector& b) {
  read_vector(s.first, false, a);
  const u64 first_origin = origin_;
  read_vector_rm(s.size, with_control, b);
  if (origin_ == 0) origin_ = first_origin;
}

/// False if it is none.
bool Definedness::vector_permutation(const VectorShape& s, Vector& result) {
  u64* const out = result.undefined;
  if (s.map == 1 && s.opcode == 0x70) return shuffle_words(s, out);
  if (s.map == 1) return interleave(s, out);
  if (s.prefix != k66) return false;
  if (s.map == 2) return permute_by_register(s, out) || widen(s, out);
  return permute_by_immediate(s, out) || permute_halves(s, out);
}

/// pshufd, pshuflw and pshufhw.
bool Definedness::shuffle_words(const VectorShape& s, u64* out) {
  Vector b;
  read_vector_rm(s.size, false, b);
  const u64 immediate = static_cast<u64>(decoded_->immediate) & 0xff;
  const u64 bytes = s.prefix == k66 ? 4 : 2, skipped = s.prefix == kF3 ? 4 : 0;
  std::memcpy(out, b.undefined, s.size);
  for (u64 half = 0; half < s.size; half += kXmmBytes)
    for (u64 i = 0; i < 4; ++i) {
      const u64 base = half / bytes + skipped;
      set_lane(out, bytes, base + i, lane(b.undefined, bytes, base + (immediate >> 2 * i & 3)));
    }
  return true;
}

/// Of the two-byte map.
bool Definedness::interleave(const VectorShape& s, u64* out) {
  Vector a, b;
  const u64 immediate = static_cast<u64>(decoded_->immediate) & 0xff;
  const auto unpacked = [&](u64 bytes, bool high) {
    read_both(s, false, a, b);
    return unpack(a.undefined, b.undefined, s.size, bytes, high, out), true;
  };
  const auto packed = [&](u64 bytes) {
    read_both(s, false, a, b);
    return pack(a.undefined, b.undefined, s.size, bytes, out), true;
  };
  switch (s.opcode) {
    case 0x14:
    case 0x15:
      return unpacked(s.prefix == k66 ? 8 : 4, s.opcode == 0x15);
    case 0x60:
    case 0x61:
    case 0x62:
    case 0x68:
    case 0x69:
    case 0x6a:
      return unpacked(u64{1} << (s.opcode & 3), s.opcode >= 0x68);
    case 0x6c:
    case 0x6d:
      return unpacked(8, s.opcode == 0x6d);
    case 0x63:
    case 0x67:
      return packed(2);
    case 0x6b:
      return packed(4);
    case 0xc6:
      break;
    default:
      return false;
  }
  read_both(s, false, a, b);
  const u64 bytes = s.prefix == k66 ? 8 : 4, count = kXmmBytes / bytes;
  for (u64 i = 0; i < s.size / bytes; ++i) {  // shufps, shufpd
    const u64 base = i / count * count, within = i % count;
    const u64 from = bytes == 8 ? immediate >> i & 1 : immediate >> 2 * within & 3;
    set_lane(out, bytes, i, lane(within < count / 2 ? a.undefined : b.undefined, bytes, base + from));
  }
  return true;
}

/// pshufb, packusdw, vpermd and vpermps: of the map 0f38.
bool Definedness::permute_by_register(const VectorShape& s, u64* out) {
  Vector a, b;
  if (s.opcode == 0x2b) {
    read_both(s, false, a, b);
    return pack(a.undefined, b.undefined, s.size, 4, out), true;
  }
  if (s.opcode == 0x00) {
    read_both(s, true, a, b);
    for (u64 i = 0; i < s.size; ++i) {
      const u64 control = lane(b.value, 1, i), unknown = lane(b.undefined, 1, i);
      const u64 from = lane(a.undefined, 1, (i & ~u64{15}) + (control & 15));
      set_lane(out, 1, i, unknown != 0 ? 0xff : (control & 0x80) != 0 ? 0 : from);
    }
    return true;
  }
  if (!s.vex || (s.opcode != 0x36 && s.opcode != 0x16)) return false;
  read_vector(s.first, true, a);
  read_vector_rm(s.size, false, b);
  for (u64 i = 0; i < 8; ++i) {
    const bool unknown = (lane(a.undefined, 4, i) & 7) != 0;
    set_lane(out, 4, i, unknown ? ~u64{0} : lane(b.undefined, 4, lane(a.value, 4, i) & 7));
  }
  return true;
}

/// pmovsx, pmovzx, and what repeats one lane.
bool Definedness::widen(const VectorShape& s, u64* out) {
  Vector b;
  const u8 opcode = s.opcode;
  if ((opcode >= 0x20 && opcode <= 0x25) || (opcode >= 0x30 && opcode <= 0x35)) {
    static constexpr u8 kFrom[] = {1, 1, 1, 2, 2, 4}, kTo[] = {2, 4, 8, 4, 8, 8};
    const u64 from = kFrom[opcode & 15], to = kTo[opcode & 15];
    read_vector_rm(s.size / to * from, false, b);
    for (u64 i = 0; i < s.size / to; ++i) {
      const u64 bits = lane(b.undefined, from, i);
      set_lane(out, to, i, opcode < 0x30 ? static_cast<u64>(signed_lane(bits, from)) : bits);
    }
    return true;
  }
  if (!s.vex) return false;
  const u64 bytes = opcode == 0x78                     ? 1
                    : opcode == 0x79                   ? 2
                    : opcode == 0x18 || opcode == 0x58 ? 4
                    : opcode == 0x19 || opcode == 0x59 ? 8
                    : opcode == 0x1a || opcode == 0x5a ? 16
                                                       : 0;
  if (bytes == 0) return false;
  read_vector_rm(bytes, false, b);
  for (u64 at = 0; at < s.size; at += bytes) std::memcpy(reinterpret_cast<u8*>(out) + at, b.undefined, bytes);
  return true;
}

/// palignr and blends: of the map 0f3a.
bool Definedness::permute_by_immediate(const VectorShape& s, u64* out) {
  Vector a, b, control;
  const u64 immediate = static_cast<u64>(decoded_->immediate) & 0xff;
  const u64 blended = s.opcode == 0x0e                       ? 2
                      : s.opcode == 0x0c || s.opcode == 0x02 ? 4
                      : s.opcode == 0x0d                     ? 8
                                                             : 0;
  if (blended != 0) {
    read_both(s, false, a, b);
    for (u64 i = 0; i < s.size / blended; ++i) {
      const bool second = (immediate >> (blended == 2 ? i % 8 : i) & 1) != 0;
      set_lane(out, blended, i, lane(second ? b.undefined : a.undefined, blended, i));
    }
    return true;
  }
  if (s.opcode == 0x4c) {  // vpblendvb
    read_vector(static_cast<u32>(decoded_->immediate) >> 4 & 15, true, control);
    read_both(s, false, a, b);
    for (u64 i = 0; i < s.size; ++i) {
      const bool unknown = (lane(control.undefined, 1, i) & 0x80) != 0;
      const bool second = (lane(control.value, 1, i) & 0x80) != 0;
      set_lane(out, 1, i, unknown ? 0xff : lane(second ? b.undefined : a.undefined, 1, i));
    }
    return true;
  }
  if (s.opcode != 0x0f) return false;
  read_both(s, false, a, b);
  for (u64 half = 0; half < s.size; half += kXmmBytes) {
    u8 both[4 * kXmmBytes] = {};
    std::memcpy(both, reinterpret_cast<u8*>(b.undefined) + half, kXmmBytes);
    std::memcpy(both + kXmmBytes, reinterpret_cast<u8*>(a.undefined) + half, kXmmBytes);
    std::memcpy(reinterpret_cast<u8*>(out) + half, both + std::min<u64>(immediate, 2 * kXmmBytes), kXmmBytes);
  }
  return true;
}

/// Of 128 and of 64 bits: of the map 0f3a.
bool Definedness::permute_halves(const VectorShape& s, u64* out) {
  Vector a, b;
  const u64 immediate = static_cast<u64>(decoded_->immediate) & 0xff;
  const auto half_of = [&](const Vector& of, u64 which, u64 to) {
    out[2 * to] = of.undefined[2 * which], out[2 * to + 1] = of.undefined[2 * which + 1];
  };
  switch (s.opcode) {
    case 0x18:
    case 0x38:
      read_both(s, false, a, b);
      half_of(a, 0, 0), half_of(a, 1, 1);
      half_of(b, 0, immediate & 1);
      return true;
    case 0x06:
    case 0x46:
      read_both(s, false, a, b);
      for (u64 half = 0; half < 2; ++half) {
        const u64 control = immediate >> 4 * half & 15;
        if ((control & 8) == 0) half_of((control & 2) != 0 ? b : a, control & 1, half);
      }
      return true;
    case 0x00:
    case 0x01:
      read_vector_rm(s.size, false, b);
      for (u64 i = 0; i < 4; ++i) out[i] = b.undefined[immediate >> 2 * i & 3];
      return true;
    default:
      return false;
  }
}

}  // namespace orrery::translate
