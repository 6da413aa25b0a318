#include "processor_state.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "x86/cpu_profile.h"

namespace orrery::differential {
namespace {

struct Component {
  u64 bit;
  u64 offset;
  u64 size_bytes;
  const char* name;
};

// Offsets of the standard format as every processor with AVX-512 reports them in cpuid leaf 0xd.
constexpr Component kComponents[] = {
    {0, 32, 128, "x87 registers"}, {1, 160, 256, "xmm"},        {2, 576, 256, "upper halves of ymm"},
    {5, 1088, 64, "opmasks"},      {6, 1152, 512, "zmm_hi256"}, {7, 1664, 1024, "zmm16-31"},
};
constexpr u64 kControlWord = 0, kStatusWord = 2, kTagWord = 4, kOpcode = 6, kPointers = 8, kMxcsr = 24;
constexpr u64 kHeader = 512;

u64 components(const VectorImage& image) {
  u64 value;
  std::memcpy(&value, image.bytes.data() + kHeader, sizeof value);
  return value;
}

void add_difference(std::string& out, const char* what, u64 expected, u64 got) {
  if (expected == got) return;
  char line[128];
  std::snprintf(line, sizeof line, "  %s: expected %016lx got %016lx\n", what, expected, got);
  out += line;
}

u64 field(const VectorImage& image, u64 offset, u64 size_bytes) {
  u64 value = 0;
  std::memcpy(&value, image.bytes.data() + offset, size_bytes);
  return value;
}

void compare_vectors(std::string& out, const VectorImage& expected, const VectorImage& got,
                     bool engine_owns_upper) {
  add_difference(out, "x87 control word", field(expected, kControlWord, 2), field(got, kControlWord, 2));
  add_difference(out, "x87 status word", field(expected, kStatusWord, 2), field(got, kStatusWord, 2));
  add_difference(out, "x87 tags", field(expected, kTagWord, 1), field(got, kTagWord, 1));
  add_difference(out, "mxcsr", field(expected, kMxcsr, 4), field(got, kMxcsr, 4));
  for (const Component& component : kComponents) {
    if (engine_owns_upper && component.bit >= 5) continue;
    for (u64 at = component.offset; at < component.offset + component.size_bytes; at += 8) {
      char name[64];
      std::snprintf(name, sizeof name, "%s, byte %lu", component.name, at - component.offset);
      add_difference(out, name, field(expected, at, 8), field(got, at, 8));
    }
  }
}

}  // namespace

u64 image_components() {
  constexpr u64 kAll = 0xe7;
  static const u64 components = x86::this_cpu(0).xcr0 & kAll;  // cpuid is slow in a virtual machine
  return components;
}

u64 image_bytes() {
  const u64 present = image_components();
  u64 end = kHeader + 64;
  for (const Component& component : kComponents)
    if ((present >> component.bit) & 1) end = std::max(end, component.offset + component.size_bytes);
  return end;
}

VectorImage initial_vectors() {
  VectorImage image;
  const u16 control_word = 0x37f;
  const u32 mxcsr = 0x1f80;
  std::memcpy(image.bytes.data() + kControlWord, &control_word, sizeof control_word);
  std::memcpy(image.bytes.data() + kMxcsr, &mxcsr, sizeof mxcsr);
  return image;
}

void make_canonical(VectorImage& image) {
  const u64 present = components(image);
  const VectorImage initial = initial_vectors();
  if (!(present & 1)) std::memcpy(image.bytes.data(), initial.bytes.data(), kMxcsr);
  std::memset(image.bytes.data() + kOpcode, 0, 2);
  std::memset(image.bytes.data() + kPointers, 0, 16);
  for (const Component& component : kComponents)
    if (!((present >> component.bit) & 1))
      std::memset(image.bytes.data() + component.offset, 0, component.size_bytes);
}

std::string difference(const Outcome& expected, const Outcome& got, bool engine_owns_upper_vectors) {
  static constexpr const char* kNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                           "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  std::string out;
  for (int i = 0; i < cpu::kGprCount; ++i)
    add_difference(out, kNames[i], expected.state.regs.gpr[i], got.state.regs.gpr[i]);
  add_difference(out, "rip", expected.state.regs.rip, got.state.regs.rip);
  add_difference(out, "rflags", expected.state.regs.rflags, got.state.regs.rflags);
  add_difference(out, "fs_base", expected.state.regs.fs_base, got.state.regs.fs_base);
  add_difference(out, "gs_base", expected.state.regs.gs_base, got.state.regs.gs_base);
  add_difference(out, "signal", static_cast<u64>(expected.fault.signal), static_cast<u64>(got.fault.signal));
  add_difference(out, "si_code", static_cast<u64>(expected.fault.code), static_cast<u64>(got.fault.code));
  add_difference(out, "si_addr", expected.fault.address, got.fault.address);
  add_difference(out, "trap number", expected.fault.trap_number, got.fault.trap_number);
  add_difference(out, "error code", expected.fault.error_code, got.fault.error_code);
  compare_vectors(out, expected.state.vectors, got.state.vectors, engine_owns_upper_vectors);
  return out;
}

}  // namespace orrery::differential
