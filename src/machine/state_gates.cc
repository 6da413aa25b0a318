// The instructions that put x87 and vector state into memory and take it from there. What the program finds
// in memory must be the same on every replay, and nothing of the engine's, so these are performed on a copy:
//   * the x87 instruction and operand pointers are zero; they would be addresses of emitted code;
//   * a component counts as in use (XINUSE) exactly when it differs from its initial state, x87 always. A
//     processor may also call an initial component used (SDM vol. 1, 13.6), as Intel's do with x87;
//   * xsaveopt always writes what is in use: the modified optimization depends on interrupts as well;
//   * only components of the guest's XCR0 exist; the host's may have more.
#include <cstring>

#include "cpu/vector_state.h"
#include "machine/gate_context.h"

namespace orrery::machine {

using cpu::Gpr;
using cpu::VectorImage;

namespace {

constexpr u64 kX87 = 1, kSse = 2, kAvx = 4;
constexpr u64 kLegacyBytes = 512, kHeaderBytes = 64, kLegacyWrittenBytes = 416;
constexpr u64 kX87At = 0, kX87Bytes = 24, kMxcsrAt = 24, kMxcsrBytes = 8, kStackAt = 32, kStackBytes = 128,
              kXmmAt = 160, kXmmBytes = 256;
constexpr u64 kCompactedAt = 520, kCompacted = u64{1} << 63;
constexpr u32 kMxcsrInitial = 0x1f80;
constexpr u32 kFirstExtended = 2, kComponentsEnd = 63;

struct Component {
  u64 offset = 0, size_bytes = 0;
  bool aligned = false;  ///< to 64 bytes in the compacted format
};

/// Where cpuid says that component `number` lies in the standard format.
Component component(const Gated& gated, u32 number) {
  const LaunchHeader& launch = gated.context.launch;
  const CpuidRow row = x86::cpuid_row({launch.cpuid, launch.cpuid_count}, 0xd, number);
  return {row.ebx, row.eax, (row.ecx & 2) != 0};
}

template <class Visit>
void for_each_extended(u64 components, Visit visit) {
  for (u32 number = kFirstExtended; number < kComponentsEnd; ++number)
    if ((components >> number) & 1) visit(number);
}

/// The components that the instruction names in edx:eax and that exist.
u64 requested(const Gated& gated) {
  const u64 mask = (gated.regs[Gpr::rdx] << 32) | (gated.regs[Gpr::rax] & 0xffff'ffff);
  return mask & gated.context.launch.xcr0;
}

template <class T>
T get(const VectorImage& image, u64 offset) {
  T value;
  std::memcpy(&value, image.bytes + offset, sizeof value);
  return value;
}

bool all_zero(const VectorImage& image, u64 offset, u64 size_bytes) {
  u8 seen = 0;
  for (u64 i = 0; i < size_bytes; ++i) seen = static_cast<u8>(seen | image.bytes[offset + i]);
  return seen == 0;
}

u64 in_use(const Gated& gated, const VectorImage& image) {
  const u64 components = gated.context.launch.xcr0;
  u64 used = kX87;
  if (get<u32>(image, kMxcsrAt) != kMxcsrInitial || !all_zero(image, kXmmAt, kXmmBytes)) used |= kSse;
  for_each_extended(components, [&](u32 number) {
    const Component place = component(gated, number);
    if (!all_zero(image, place.offset, place.size_bytes)) used |= u64{1} << number;
  });
  return used;
}

// --- writing ---

/// Writes one part after the other and remembers whether all went well.
class Writer {
 public:
  Writer(Gated& gated, u64 area) : gated_(gated), area_(area) {}

  void put(u64 offset, const void* bytes, u64 size_bytes) {
    if (!good_) return;
    good_ = operand_accessible(gated_, area_ + offset, size_bytes, true) &&
            gated_.context.space.write(area_ + offset, {static_cast<const u8*>(bytes), size_bytes});
  }
  void copy(u64 offset, const VectorImage& image, u64 from, u64 size_bytes) {
    put(offset, image.bytes + from, size_bytes);
  }
  bool good() const { return good_; }

 private:
  Gated& gated_;
  u64 area_;
  bool good_ = true;
};

void put_legacy(Writer& out, const VectorImage& image, u64 components, bool mxcsr) {
  if ((components & kX87) != 0) {
    out.copy(kX87At, image, kX87At, kX87Bytes);
    out.copy(kStackAt, image, kStackAt, kStackBytes);
  }
  if (mxcsr) out.copy(kMxcsrAt, image, kMxcsrAt, kMxcsrBytes);
  if ((components & kSse) != 0) out.copy(kXmmAt, image, kXmmAt, kXmmBytes);
}

bool put_standard(Gated& gated, u64 area, const VectorImage& image, u64 wanted, u64 used) {
  u64 header = 0, end = kLegacyBytes + kHeaderBytes;
  for_each_extended(wanted, [&](u32 number) {
    const Component place = component(gated, number);
    if (place.offset + place.size_bytes > end) end = place.offset + place.size_bytes;
  });
  if (!image_accessible(gated, area, end, true)) return false;
  if (!gated.context.space.read_value(area + cpu::kVectorHeader, header))
    return access_fault(gated, area + cpu::kVectorHeader, false);
  const u64 written = gated.gate == x86::Gate::xsaveopt ? wanted & used : wanted;
  Writer out(gated, area);
  put_legacy(out, image, written, (wanted & (kSse | kAvx)) != 0);
  for_each_extended(written, [&](u32 number) {
    const Component place = component(gated, number);
    out.copy(place.offset, image, place.offset, place.size_bytes);
  });
  header = (header & ~wanted) | (used & wanted);
  out.put(cpu::kVectorHeader, &header, sizeof header);
  return out.good();
}

bool put_compacted(Gated& gated, u64 area, const VectorImage& image, u64 wanted, u64 used) {
  if (!operand_accessible(gated, area, kLegacyBytes + kHeaderBytes, true)) return false;
  const u64 written = wanted & used;
  Writer out(gated, area);
  put_legacy(out, image, written, (written & kSse) != 0);
  u64 at = kLegacyBytes + kHeaderBytes;
  for_each_extended(wanted, [&](u32 number) {
    const Component place = component(gated, number);
    if (place.aligned) at = (at + 63) & ~u64{63};
    if ((written >> number) & 1) out.copy(at, image, place.offset, place.size_bytes);
    at += place.size_bytes;
  });
  const u64 header[2] = {written, wanted | kCompacted};
  out.put(cpu::kVectorHeader, header, sizeof header);
  return out.good();
}

// --- reading ---

/// What XRSTOR takes from memory, arranged in the standard format, and which components are there.
struct Incoming {
  VectorImage image;
  u64 present = 0;  ///< XSTATE_BV
  u64 format = 0;   ///< XCOMP_BV
  bool compacted() const { return (format & kCompacted) != 0; }
};

/// SDM vol. 1, 13.8: what of the header raises #GP.
bool header_valid(const Gated& gated, const Incoming& in) {
  const u64 exist = gated.context.launch.xcr0;
  if ((in.present & ~exist) != 0) return false;
  const u64 reserved_from = in.compacted() ? 16 : 8, reserved_end = in.compacted() ? 64 : 24;
  if (!all_zero(in.image, cpu::kVectorHeader + reserved_from, reserved_end - reserved_from)) return false;
  if (!in.compacted()) return true;
  return (in.format & ~(exist | kCompacted)) == 0 && (in.present & ~in.format) == 0;
}

bool load_extended(Gated& gated, u64 area, u64 wanted, Incoming& in) {
  u64 at = kLegacyBytes + kHeaderBytes;
  bool good = true;
  const u64 laid_out = in.compacted() ? in.format & ~kCompacted : wanted;
  for_each_extended(laid_out, [&](u32 number) {
    const Component place = component(gated, number);
    if (place.aligned) at = (at + 63) & ~u64{63};
    const u64 from = area + (in.compacted() ? at : place.offset);
    at += place.size_bytes;
    if (!good || ((wanted & in.present) >> number & 1) == 0) return;
    good = operand_accessible(gated, from, place.size_bytes, false) &&
           gated.context.space.read(from, {in.image.bytes + place.offset, place.size_bytes});
  });
  return good;
}

/// The standard format always loads MXCSR, the compacted one with the SSE state only (13.8.1, 13.8.2).
void choose_mxcsr(u64 wanted, const VectorImage& now, Incoming& in) {
  if (!in.compacted()) return;
  u32 mxcsr = get<u32>(in.image, kMxcsrAt);
  if ((wanted & kSse) == 0)
    mxcsr = get<u32>(now, kMxcsrAt);
  else if ((in.present & kSse) == 0)
    mxcsr = kMxcsrInitial;
  std::memcpy(in.image.bytes + kMxcsrAt, &mxcsr, sizeof mxcsr);
}

bool misaligned(Gated& gated, u64 area, u64 alignment) {
  if (area % alignment == 0) return false;
  general_protection(gated);
  return true;
}

}  // namespace

u64 components_in_use(Gated& gated) {
  VectorImage image;
  cpu::save_vector_state(image, gated.context.launch.xcr0);
  return in_use(gated, image);
}

bool do_xsave(Gated& gated) {
  const u64 area = operand_address(gated), wanted = requested(gated);
  if (misaligned(gated, area, 64)) return false;
  VectorImage image;
  cpu::save_vector_state(image, gated.context.launch.xcr0);
  const u64 used = in_use(gated, image);
  if (gated.gate == x86::Gate::xsavec) return put_compacted(gated, area, image, wanted, used);
  return put_standard(gated, area, image, wanted, used);
}

bool do_xrstor(Gated& gated) {
  const u64 area = operand_address(gated), wanted = requested(gated);
  if (misaligned(gated, area, 64)) return false;
  if (!operand_accessible(gated, area + kCompactedAt, 8, false)) return false;
  if (!operand_accessible(gated, area, kLegacyBytes + kHeaderBytes, false)) return false;
  Incoming in;
  if (!gated.context.space.read(area, {in.image.bytes, kLegacyBytes + kHeaderBytes}))
    return access_fault(gated, area, false);
  in.present = in.image.components();
  in.format = get<u64>(in.image, kCompactedAt);
  if (!header_valid(gated, in)) return general_protection(gated);
  if (!load_extended(gated, area, wanted, in)) return false;
  VectorImage now;
  cpu::save_vector_state(now, gated.context.launch.xcr0);
  choose_mxcsr(wanted, now, in);
  std::memset(in.image.bytes + cpu::kVectorHeader, 0, kHeaderBytes);
  in.image.set_components(in.present & wanted);
  const bool loads_mxcsr = (wanted & (kSse | kAvx)) != 0;
  if (loads_mxcsr && !cpu::vector_image_valid(in.image, gated.context.launch.xcr0))
    return general_protection(gated);
  if (wanted != 0) cpu::restore_vector_state(in.image, wanted);
  return true;
}

bool do_fxsave(Gated& gated) {
  const u64 area = operand_address(gated);
  if (misaligned(gated, area, 16) || !image_accessible(gated, area, kLegacyBytes, true)) return false;
  VectorImage image;
  cpu::save_vector_state(image, 0);
  return gated.context.space.write(area, {image.bytes, kLegacyWrittenBytes});
}

bool do_fxrstor(Gated& gated) {
  const u64 area = operand_address(gated);
  if (misaligned(gated, area, 16) || !image_accessible(gated, area, kLegacyBytes, false)) return false;
  VectorImage image;
  if (!gated.context.space.read(area, {image.bytes, kLegacyBytes})) return access_fault(gated, area, false);
  if (!cpu::vector_image_valid(image, 0)) return general_protection(gated);
  cpu::restore_vector_state(image, 0);
  return true;
}

bool do_fnstenv(Gated& gated) {
  // With an operand size of 16 the words of the environment are narrow (SDM vol. 1, figures 8-9 to 8-12).
  const bool narrow = gated.decoded.has_66 && !wide(gated), whole = gated.gate == x86::Gate::fnsave;
  const u64 environment = narrow ? 14 : 28, pointers_at = narrow ? 6 : 12, registers = whole ? 80 : 0;
  const u64 area = operand_address(gated);
  const u64 size = environment + registers;
  const bool one_page = page_floor(area) == page_floor(area + size - 1);
  if (one_page ? !operand_accessible(gated, area, size, true) : !image_accessible(gated, area, size, true))
    return false;
  alignas(16) u8 image[112];
  if (whole && narrow)
    __asm__ volatile(".byte 0x66\n fnsave (%0)" : : "r"(image) : "memory");
  else if (whole)
    __asm__ volatile("fnsave (%0)" : : "r"(image) : "memory");
  else if (narrow)
    __asm__ volatile(".byte 0x66\n fnstenv (%0)" : : "r"(image) : "memory");
  else
    __asm__ volatile("fnstenv (%0)" : : "r"(image) : "memory");
  std::memset(image + pointers_at, 0, environment - pointers_at);
  return gated.context.space.write(area, {image, size});
}

}  // namespace orrery::machine
