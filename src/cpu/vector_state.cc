#include "cpu/vector_state.h"

#include <cstring>

extern "C" {
void orrery_xsave(void* area, orrery::u64 components);
void orrery_xrstor(const void* area, orrery::u64 components);
void orrery_fxsave(void* area);
void orrery_fxrstor(const void* area);
}

namespace orrery::cpu {
namespace {

constexpr u64 kOpcode = 6, kInstructionPointer = 8, kOperandPointer = 16;
constexpr u64 kInitialControlWord = 0x37f;
constexpr u32 kInitialMxcsr = 0x1f80;
constexpr u32 kDefaultMxcsrMask = 0xffbf;  // SDM vol. 1, 11.6.6: when the saved mask is 0

template <class T>
T get(const VectorImage& image, u64 offset) {
  T value;
  std::memcpy(&value, image.bytes + offset, sizeof value);
  return value;
}

template <class T>
void put(VectorImage& image, u64 offset, T value) {
  std::memcpy(image.bytes + offset, &value, sizeof value);
}

}  // namespace

u64 VectorImage::components() const { return get<u64>(*this, kVectorHeader); }
void VectorImage::set_components(u64 components) { put(*this, kVectorHeader, components); }

void save_vector_state(VectorImage& image, u64 components) {
  std::memset(image.bytes + kVectorHeader, 0, kVectorHeaderEnd - kVectorHeader);
  if (components == 0) {
    orrery_fxsave(image.bytes);
  } else {
    orrery_xsave(image.bytes, components);
    image.set_components(components);
  }
  put<u16>(image, kOpcode, 0);
  put<u64>(image, kInstructionPointer, 0);
  put<u64>(image, kOperandPointer, 0);
}

void restore_vector_state(const VectorImage& image, u64 components) {
  if (components == 0)
    orrery_fxrstor(image.bytes);
  else
    orrery_xrstor(image.bytes, components);
}

void reset_vector_state(u64 components) {
  VectorImage image;
  put<u16>(image, 0, static_cast<u16>(kInitialControlWord));
  put(image, kVectorMxcsr, kInitialMxcsr);
  // XSTATE_BV is empty, so XRSTOR initializes every component; MXCSR is loaded from the image.
  restore_vector_state(image, components);
}

bool vector_image_valid(const VectorImage& image, u64 components) {
  VectorImage current;
  orrery_fxsave(current.bytes);
  const u32 reported = get<u32>(current, kVectorMxcsrMask);
  const u32 mask = reported == 0 ? kDefaultMxcsrMask : reported;
  if ((get<u32>(image, kVectorMxcsr) & ~mask) != 0) return false;
  if (components == 0) return true;
  if ((image.components() & ~components) != 0) return false;
  for (u64 offset = kVectorHeader + 8; offset < kVectorHeaderEnd; offset += 8)
    if (get<u64>(image, offset) != 0) return false;
  return true;
}

}  // namespace orrery::cpu
