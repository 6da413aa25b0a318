#include "elf/stopped_machine_hosted.h"

#include <algorithm>
#include <cstring>

namespace orrery::elf {

const MappedRegion* StoppedMachine::find_region(u64 address) {
  const std::vector<MappedRegion>& all = regions();
  auto after = std::upper_bound(all.begin(), all.end(), address,
                                [](u64 wanted, const MappedRegion& region) { return wanted < region.start; });
  if (after == all.begin()) return nullptr;
  const MappedRegion& candidate = *std::prev(after);
  return candidate.contains(address) ? &candidate : nullptr;
}

std::string StoppedMachine::read_string(u64 address, u64 most_bytes) {
  std::string text(most_bytes, '\0');
  const u64 got = read(address, {reinterpret_cast<u8*>(text.data()), text.size()});
  text.resize(got);
  if (const auto end = text.find('\0'); end != std::string::npos) text.resize(end);
  return text;
}

}  // namespace orrery::elf
