// Any bytes as an instruction: the decoder stays inside them and its fields stay inside the length.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "x86/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (std::size_t at = 0; at < size;) {
    const auto decoded = orrery::x86::decode(std::span<const std::uint8_t>(data + at, size - at));
    if (decoded.length > 15 || decoded.length > size - at) std::abort();
    if (decoded.displacement_offset + decoded.displacement_bytes > decoded.length && decoded.length != 0)
      std::abort();
    if (decoded.immediate_offset + decoded.immediate_bytes > decoded.length && decoded.length != 0)
      std::abort();
    at += decoded.length == 0 ? 1 : decoded.length;
  }
  return 0;
}
