#include "generator.h"

#include <cstring>

#include "guest_memory.h"
#include "x86/decode.h"

namespace orrery::differential {

using x86::Category;
using x86::Decoded;

u64 Generator::scalar() {
  switch (below(8)) {
    case 0:
      return below(32);
    case 1:
      return ~below(32);
    case 2:
      return u64{1} << below(64);
    case 3:
      return random_();
    case 4:
      return kReadOnly + below(kPageBytes + 64);
    default:
      return kData + kDataBytes / 2 + below(512) - 256;
  }
}

ProcessorState Generator::state() {
  ProcessorState state;
  for (u64& reg : state.regs.gpr) reg = scalar();
  state.regs[cpu::Gpr::rsp] = kStack + kStackBytes / 2 + 8 * below(64);
  state.regs.rflags = 0x202 | (random_() & 0xcd5);  // arithmetic flags and DF
  state.regs.fs_base = below(kDataBytes / 2);
  state.regs.gs_base = below(kDataBytes / 2);
  state.vectors = initial_vectors();
  for (u64 at = 160; at < kImageBytes; at += 8) {
    if (at >= 416 && at < 576) continue;
    const u64 any = random_();
    u64 value = any;
    if (any % 4 == 0) value = any >> 56;
    if (any % 4 == 1) value = 0x3ff0'0000'0000'0000 ^ (any & 0x800f'ffff'ffff'0000);
    std::memcpy(state.vectors.bytes.data() + at, &value, 8);
  }
  std::memset(state.vectors.bytes.data() + 832, 0, 1088 - 832);  // MPX's place in the standard format
  for (u64 at = 32; at < 160; at += 16) {                        // x87: normal numbers and zeros
    const u64 significand = random_() | (u64{1} << 63);
    const u16 exponent = static_cast<u16>(0x3fff + below(8) - 4);
    std::memcpy(state.vectors.bytes.data() + at, &significand, 8);
    std::memcpy(state.vectors.bytes.data() + at + 8, &exponent, 2);
  }
  state.vectors.bytes[4] = byte();                          // which x87 registers are in use
  state.vectors.bytes[3] = static_cast<u8>(below(8) << 3);  // top of stack
  if (one_in(4))
    state.vectors.bytes[25] = static_cast<u8>(0x1f ^ (1u << below(8)));  // an unmasked exception or rounding
  const u64 components = kImageComponents;
  std::memcpy(state.vectors.bytes.data() + 512, &components, sizeof components);
  return state;
}

void Generator::append_word32(Bytes& out, u32 value) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<u8>(value >> shift));
}

/// ModRM, SIB and displacement, then bytes for an immediate.
void Generator::append_operand(Bytes& out, u64 pc) {
  const u8 reg = static_cast<u8>(below(8) << 3);
  const u32 small = static_cast<u32>(static_cast<i32>(below(256)) - 128);
  switch (below(8)) {
    case 0:
    case 1:
    case 2:
      out.push_back(static_cast<u8>(0xc0 | reg | below(8)));
      break;
    case 3:
      out.push_back(static_cast<u8>(byte() & 0x3f));
      out.push_back(byte());
      append_word32(out, static_cast<u32>(kData + below(kDataBytes)));
      break;
    case 4:
      out.push_back(static_cast<u8>(0x40 | reg | below(8)));
      out.push_back(byte());
      out.push_back(byte());
      break;
    case 5:
      out.push_back(static_cast<u8>(0x80 | reg | below(8)));
      if ((out.back() & 7) == 4) out.push_back(byte());
      append_word32(out, small);
      break;
    case 6:
      out.push_back(static_cast<u8>(0x05 | reg));
      append_word32(out, static_cast<u32>(kData + below(kDataBytes) - pc - out.size() - 4));
      break;
    default:
      out.push_back(static_cast<u8>(0x04 | reg));
      out.push_back(0x25);
      append_word32(out, static_cast<u32>(kData + below(kDataBytes + 64)));
      break;
  }
  for (int i = 0; i < 8; ++i) out.push_back(byte());
}

void Generator::append_legacy(Bytes& out) {
  static constexpr u8 kPrefixes[] = {0x66, 0x66, 0xf2, 0xf3, 0xf3, 0xf0, 0x64, 0x65, 0x2e, 0x67};
  if (one_in(2)) out.push_back(kPrefixes[below(std::size(kPrefixes))]);
  if (one_in(4)) out.push_back(kPrefixes[below(std::size(kPrefixes))]);
  if (one_in(2)) out.push_back(static_cast<u8>(0x40 | below(16)));
  switch (below(6)) {
    case 0:
    case 1:
      break;
    case 2:
    case 3:
      out.push_back(0x0f);
      break;
    case 4:
      out.push_back(0x0f);
      out.push_back(0x38);
      break;
    default:
      out.push_back(0x0f);
      out.push_back(0x3a);
      break;
  }
  out.push_back(byte());
}

void Generator::append_vex(Bytes& out) {
  if (one_in(4)) {
    out.push_back(0xc5);
  } else {
    out.push_back(0xc4);
    out.push_back(static_cast<u8>((byte() & 0xe0) | (1 + below(3))));
  }
  const u8 vvvv = static_cast<u8>(one_in(2) ? 0x78 : byte() & 0x78);
  out.push_back(static_cast<u8>((byte() & 0x87) | vvvv));
  out.push_back(byte());
}

void Generator::append_evex(Bytes& out) {
  static constexpr u8 kMaps[] = {1, 2, 3, 5, 6};
  out.push_back(0x62);
  out.push_back(static_cast<u8>((one_in(2) ? 0xf0 : byte() & 0xf0) | kMaps[below(5)]));
  const u8 vvvv = static_cast<u8>(one_in(2) ? 0x78 : byte() & 0x78);
  out.push_back(static_cast<u8>((byte() & 0x83) | vvvv | 4));
  out.push_back(static_cast<u8>(one_in(2) ? (byte() & 0x67) | 8 : byte()));
  out.push_back(byte());
}

Generator::Bytes Generator::candidate(u64 pc) {
  Bytes out;
  const bool avx512 = features_.contains(x86::Feature::avx512f);
  switch (below(avx512 ? 8 : 6)) {
    case 0:
    case 1:
    case 2:
      append_legacy(out);
      break;
    case 3:
    case 4:
    case 5:
      append_vex(out);
      break;
    default:
      append_evex(out);
      break;
  }
  append_operand(out, pc);
  return out;
}

std::vector<u8> Generator::instruction(u64 pc) {
  for (;;) {
    Bytes bytes = candidate(pc);
    const Decoded decoded = x86::decode(bytes);
    if (decoded.category != Category::copy || decoded.length == 0 || !x86::offered(features_, decoded))
      continue;
    bytes.resize(decoded.length);
    // An absolute address in place of a pointer: only where the guest's pages are.
    if (decoded.map == 0 && decoded.encoding == x86::Encoding::legacy && (decoded.opcode & 0xfc) == 0xa0) {
      const u64 address = kData + below(kDataBytes);
      std::memcpy(bytes.data() + decoded.displacement_offset, &address, decoded.displacement_bytes);
    }
    if (decoded.rip_relative) {
      const u32 displacement = static_cast<u32>(kData + below(kDataBytes) - pc - decoded.length);
      std::memcpy(bytes.data() + decoded.displacement_offset, &displacement, 4);
    }
    return bytes;
  }
}

std::vector<u8> Generator::straight_line(u64 pc, u64 count) {
  Bytes out;
  for (; count > 0; --count) {
    const Bytes next = instruction(pc + out.size());
    out.insert(out.end(), next.begin(), next.end());
  }
  out.push_back(0xcc);
  return out;
}

}  // namespace orrery::differential
