#include "generator.h"

#include <cstring>
#include <initializer_list>

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
  const u64 components = image_components();
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
      append_word32(out, static_cast<u32>(near_data(pc) + below(kNearBytes) - pc - out.size() - 4));
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

/// Also without string instructions, enter and leave, and mov to the stack pointer.
bool Generator::is_tame(const Decoded& decoded) {
  if (decoded.map == 0 && decoded.encoding == x86::Encoding::legacy && !decoded.has_modrm) {
    const u8 opcode = decoded.opcode;
    return opcode < 0xa0 || (opcode > 0xaf && opcode < 0xc8 && (opcode & 7) != 4) || opcode > 0xd7;
  }
  const bool memory = decoded.has_modrm && decoded.modrm < 0xc0;
  if (!memory) return !decoded.has_modrm || (decoded.modrm_rm() != 4 && decoded.modrm_reg() != 4);
  const bool absolute = decoded.modrm_mod() == 0 && decoded.modrm_rm() == 4 && decoded.sib == 0x25;
  return decoded.segment == 0 && decoded.modrm_reg() != 4 && (decoded.rip_relative || absolute);
}

/// mov r/m, sreg; push fs; push gs. A null selector of 1 to 3 becomes 0 whenever an interrupt returns, so
/// what they read depends on the host's timer.
bool Generator::reads_selector(const Decoded& decoded) {
  if (decoded.encoding != x86::Encoding::legacy) return false;
  return (decoded.map == 0 && decoded.opcode == 0x8c) ||
         (decoded.map == 1 && (decoded.opcode == 0xa0 || decoded.opcode == 0xa8));
}

std::vector<u8> Generator::instruction(u64 pc, bool tame) {
  for (;;) {
    Bytes bytes = candidate(pc);
    const Decoded decoded = x86::decode(bytes);
    if (decoded.category != Category::copy || decoded.length == 0 || !x86::offered(features_, decoded))
      continue;
    if (reads_selector(decoded) || (tame && !is_tame(decoded))) continue;
    bytes.resize(decoded.length);
    // An absolute address in place of a pointer: only where the guest's pages are.
    if (decoded.map == 0 && decoded.encoding == x86::Encoding::legacy && (decoded.opcode & 0xfc) == 0xa0) {
      const u64 address = kData + below(kDataBytes);
      std::memcpy(bytes.data() + decoded.displacement_offset, &address, decoded.displacement_bytes);
    }
    if (decoded.rip_relative) {
      const u64 target = near_data(pc) + (one_in(2) ? below(kNearBytes) : below(kNearBytes) & ~u64{63});
      const u32 displacement = static_cast<u32>(target - pc - decoded.length);
      std::memcpy(bytes.data() + decoded.displacement_offset, &displacement, 4);
    }
    return bytes;
  }
}

std::vector<u8> Generator::refused(u64 pc) {
  for (;;) {
    Bytes bytes = candidate(pc);
    const Decoded decoded = x86::decode(bytes);
    if (decoded.length == 0 || decoded.too_long) continue;
    if (decoded.category == Category::invalid) return bytes;
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

// --- programs of several blocks ---

void Generator::append(Bytes& out, std::initializer_list<unsigned> bytes) {
  for (unsigned value : bytes) out.push_back(static_cast<u8>(value));
}

/// sub dword [kFuel], 1; js end
void Generator::append_fuel_check(Bytes& out, u64 pc, u64 end) {
  append(out, {0x83, 0x2c, 0x25});
  append_word32(out, static_cast<u32>(kFuel));
  append(out, {0x01, 0x0f, 0x88});
  append_word32(out, static_cast<u32>(end - (pc + out.size() + 4)));
}

/// A relative transfer: jmp, jcc, call or one of the loop family, with a prefix that changes nothing now and
/// then. On AMD's processors 66 makes it one of 16 bits (APM vol. 3, CALL), and f2 and f3 decide, as was
/// measured, what loope and loopne look for, whichever of them it is; stepper and translator do as Intel's.
void Generator::append_relative(Bytes& out, u64 pc, u64 target) {
  static constexpr u8 kIdle[] = {0x2e, 0x3e, 0x48, 0xf2, 0x66};
  static const u64 idle = __builtin_cpu_is("intel") ? std::size(kIdle) : 3;
  const u64 kind = below(8);
  if (one_in(8)) out.push_back(kIdle[below(idle)]);
  if (kind == 0) {
    append(out, {0xe8});
  } else if (kind == 1) {
    append(out, {0xe9});
  } else if (kind < 4) {
    // loopne, loope, loop, jrcxz reach only nearby: over a jump to the target.
    append(out, {0xe0u + static_cast<unsigned>(below(4)), 0x02, 0xeb, 0x05, 0xe9});
  } else if (kind == 4 && target - pc + 120 < 240) {
    append(out, {one_in(4) ? 0xebu : 0x70u + static_cast<unsigned>(below(16))});
    out.push_back(static_cast<u8>(target - (pc + out.size() + 1)));
    return;
  } else {
    append(out, {0x0f, 0x80u + static_cast<unsigned>(below(16))});
  }
  append_word32(out, static_cast<u32>(target - (pc + out.size() + 4)));
}

/// lea r, [rip + ...]
void Generator::append_address(Bytes& out, unsigned reg, u64 pc, u64 target) {
  append(out, {0x48u | (reg >> 3) << 2, 0x8d, 0x05u | (reg & 7) << 3});
  append_word32(out, static_cast<u32>(target - (pc + out.size() + 4)));
}

/// jmp, call or ret to an address from a register, memory or the stack.
void Generator::append_indirect(Bytes& out, u64 pc, u64 target) {
  const unsigned reg = static_cast<unsigned>(below(16));
  if (reg == 4) return append_relative(out, pc, target);
  const unsigned jump_or_call = one_in(2) ? 0xe0u : 0xd0u;
  append_address(out, reg, pc, target);
  switch (below(4)) {
    case 0:
      append(out, {0x40u | reg >> 3, 0xff, jump_or_call | (reg & 7)});
      return;
    case 1: {  // through memory, rip-relative or by an absolute address
      const bool relative = one_in(2);
      const u64 cell = relative ? near_data(pc) : kFuel + 64;
      append(out, {0x48u | (reg >> 3) << 2, 0x89, (relative ? 0x05u : 0x04u) | (reg & 7) << 3});
      if (!relative) append(out, {0x25});
      append_word32(out, static_cast<u32>(relative ? cell - (pc + out.size() + 4) : cell));
      append(out, {0xff, (jump_or_call & 0x30u) | (relative ? 5u : 4u)});
      if (!relative) append(out, {0x25});
      append_word32(out, static_cast<u32>(relative ? cell - (pc + out.size() + 4) : cell));
      return;
    }
    default:  // push target; ret, or ret that also drops what is above
      append(out, {0x40u | reg >> 3, 0x50u | (reg & 7)});
      if (one_in(2)) return append(out, {0xc2, 0x08, 0x00});
      if (one_in(4)) append(out, {0xf3});
      return append(out, {0xc3});
  }
}

void Generator::append_transfer(Bytes& out, u64 pc, u64 target) {
  switch (below(4)) {
    case 0:
      return append_indirect(out, pc, target);
    case 1:
      if (one_in(4)) return append(out, {0xc3});  // to where a call came from, or to anything
      [[fallthrough]];
    default:
      return append_relative(out, pc, target);
  }
}

std::vector<u8> Generator::program(u64 pc, u64 blocks) {
  Bytes out;
  const u64 end = pc + blocks * kBlockBytes;
  for (u64 block = 0; block < blocks; ++block) {
    const u64 start = out.size();
    append_fuel_check(out, pc, end);
    for (u64 count = below(5); count > 0 && out.size() < start + 50; --count) {
      const Bytes next = instruction(pc + out.size(), true);
      out.insert(out.end(), next.begin(), next.end());
    }
    append_transfer(out, pc, pc + below(blocks) * kBlockBytes);
    out.resize(start + kBlockBytes, 0x90);
  }
  out.push_back(0xcc);
  return out;
}

}  // namespace orrery::differential
