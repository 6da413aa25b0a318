// Any system calls with any arguments: what goes through the door stays inside the guest's memory.
#include <cstdint>
#include <cstring>

#include "../unit/kernel/wild_calls.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  orrery::kernel::WildCalls calls(size);
  std::array<orrery::u64, 9> choices{};
  for (; size >= sizeof choices; data += sizeof choices, size -= sizeof choices) {
    std::memcpy(choices.data(), data, sizeof choices);
    calls.make(choices);
  }
  return 0;
}
