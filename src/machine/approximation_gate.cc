// rcpps, rsqrtps, rcpss, rsqrtss and their AVX forms in a profile that is to replay on any processor
// (x86/approximation.h). The registers are changed in an image of the vector state.
#include <cstring>

#include "cpu/vector_state.h"
#include "machine/gate_context.h"
#include "x86/approximation.h"

namespace orrery::machine {

namespace {

constexpr u64 kLowHalves = 160, kHighHalves = 576, kHalfBytes = 16;
constexpr u32 kUpperPartsComponent = 6;  ///< ZMM_Hi256

struct Form {
  bool vex = false, scalar = false;
  u32 lanes = 4;
  u8 destination = 0, source = 0, merged = 0;  ///< register numbers; `merged`: of AVX scalar forms
};

Form form_of(const Gated& gated) {
  const x86::Decoded& d = gated.decoded;
  Form form;
  form.vex = d.encoding == x86::Encoding::vex;
  form.scalar = d.has_f3;
  if (form.vex) {
    constexpr u8 kScalarPrefix = 2, kLong = 4;
    const u8 payload = *reinterpret_cast<const u8*>(gated.regs.rip + d.opcode_offset - 1);
    form.scalar = (payload & 3) == kScalarPrefix;
    if ((payload & kLong) != 0) form.lanes = 8;
  }
  if (form.scalar) form.lanes = 1;
  form.destination = static_cast<u8>(d.modrm_reg() | ((d.rex & 4) << 1));
  form.source = static_cast<u8>(d.modrm_rm() | ((d.rex & 1) << 3));
  form.merged = d.vvvv;
  return form;
}

u8* low_half(cpu::VectorImage& image, u8 number) { return image.bytes + kLowHalves + number * kHalfBytes; }
u8* high_half(cpu::VectorImage& image, u8 number) { return image.bytes + kHighHalves + number * kHalfBytes; }

bool load_source(Gated& gated, const Form& form, cpu::VectorImage& image, u32 (&source)[8]) {
  if (operand_is_register(gated)) {
    std::memcpy(source, low_half(image, form.source), kHalfBytes);
    std::memcpy(source + 4, high_half(image, form.source), kHalfBytes);
    return true;
  }
  const u64 address = operand_address(gated), size = form.lanes * sizeof(u32);
  if (!form.vex && !form.scalar && address % kHalfBytes != 0) return general_protection(gated);
  if (!operand_accessible(gated, address, size, false)) return false;
  if (gated.context.space.read(address, {reinterpret_cast<u8*>(source), size})) return true;
  return access_fault(gated, address, false, operand_on_stack(gated));
}

/// An AVX form clears all of the register above what it writes.
void clear_above(Gated& gated, const Form& form, cpu::VectorImage& image) {
  if (form.lanes != 8) std::memset(high_half(image, form.destination), 0, kHalfBytes);
  const LaunchHeader& launch = gated.context.launch;
  if ((launch.xcr0 >> kUpperPartsComponent & 1) == 0) return;
  const u64 at = x86::cpuid_row({launch.cpuid, launch.cpuid_count}, 0xd, kUpperPartsComponent).ebx;
  std::memset(image.bytes + at + form.destination * 2 * kHalfBytes, 0, 2 * kHalfBytes);
}

}  // namespace

bool do_approximation(Gated& gated) {
  constexpr u8 kReciprocal = 0x53;
  const Form form = form_of(gated);
  const u64 components = gated.context.launch.xcr0;
  cpu::VectorImage image;
  cpu::save_vector_state(image, components);
  u32 lanes[8] = {};
  if (!load_source(gated, form, image, lanes)) return false;
  for (u32 i = 0; i < form.lanes; ++i)
    lanes[i] = gated.decoded.opcode == kReciprocal ? x86::approximate_reciprocal(lanes[i])
                                                   : x86::approximate_reciprocal_root(lanes[i]);
  if (form.scalar && form.vex)
    std::memmove(low_half(image, form.destination), low_half(image, form.merged), kHalfBytes);
  std::memcpy(low_half(image, form.destination), lanes, form.scalar ? sizeof(u32) : kHalfBytes);
  if (form.lanes == 8) std::memcpy(high_half(image, form.destination), lanes + 4, kHalfBytes);
  if (form.vex) clear_above(gated, form, image);
  cpu::restore_vector_state(image, components);
  return true;
}

}  // namespace orrery::machine
