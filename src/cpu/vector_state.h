// The guest's x87, SSE, AVX (and AVX-512) state, lifted out of the host's registers and put back. The engine
// is built without SSE, so while it runs the registers still hold the guest's values; only a signal frame, an
// exec, a gated XSAVE or a snapshot needs them in memory.
#pragma once

#include "base/types.h"

namespace orrery::cpu {

/// Room for the standard-format XSAVE area of every component up to AVX-512 and PKRU (2,696 bytes).
inline constexpr u64 kVectorImageBytes = 4096;

/// SDM vol. 1, 13.4: legacy region (512), header (64), extended region.
struct alignas(64) VectorImage {
  u8 bytes[kVectorImageBytes] = {};

  u64 components() const;  ///< XSTATE_BV
  void set_components(u64 components);
};

/// Offsets in the image.
inline constexpr u64 kVectorMxcsr = 24;
inline constexpr u64 kVectorMxcsrMask = 28;
inline constexpr u64 kVectorSoftware = 464;  ///< 48 bytes the CPU never touches
inline constexpr u64 kVectorHeader = 512;
inline constexpr u64 kVectorHeaderEnd = 576;

/// Saves `components` (XCR0 bits; 0: the CPU profile has no XSAVE, so FXSAVE). The image is canonical, so
/// that it is the same on replay: XSTATE_BV has all of `components`, and the x87 instruction and operand
/// pointers, which would point into the code cache, are zero.
void save_vector_state(VectorImage& image, u64 components);

/// Loads `components`; those missing from the image's XSTATE_BV get their initial values. The image must be
/// valid (see vector_image_valid), or the CPU faults.
void restore_vector_state(const VectorImage& image, u64 components);

/// What a fresh process, and a fresh signal handler, finds.
void reset_vector_state(u64 components);

/// False if restoring the image would raise #GP: reserved MXCSR bits, an unknown component, a compacted
/// format, or reserved header bytes that are not zero (SDM vol. 1, 13.8).
bool vector_image_valid(const VectorImage& image, u64 components);

}  // namespace orrery::cpu
