#include "lens/load/resolver.h"

#include <elf.h>

#include <array>

#include "x86/decode.h"

namespace orrery::lens::load {
namespace {

constexpr u64 kResolverBytesMost = 4096;

}  // namespace

std::optional<u64> find_resolver(elf::StoppedMachine& machine, const LoadedObject& object) {
  if (!object.file || object.file->binds_now()) return std::nullopt;
  const auto table = object.file->tag(DT_PLTGOT);
  u64 words[3] = {};
  if (!table || !machine.read_value(object.base + *table, words)) return std::nullopt;
  const bool is_set = words[1] == object.link_map && words[2] != 0;
  return is_set ? std::optional(words[2]) : std::nullopt;
}

std::optional<u64> find_resolver_end(elf::StoppedMachine& machine, u64 resolver) {
  std::array<u8, kResolverBytesMost> bytes;
  const u64 size = machine.read(resolver, bytes);
  for (u64 at = 0; at < size;) {
    const x86::Decoded decoded = x86::decode({bytes.data() + at, size - at});
    if (decoded.length == 0 || decoded.category == x86::Category::invalid) return std::nullopt;
    if (decoded.category == x86::Category::jump_indirect) return resolver + at;
    at += decoded.length;
  }
  return std::nullopt;
}

std::optional<LazyCall> read_lazy_call(elf::StoppedMachine& machine) {
  u64 words[3] = {};
  if (!machine.read_value(machine.registers().gpr[elf::kRspIndex], words)) return std::nullopt;
  return LazyCall{.link_map = words[0], .index = words[1], .return_address = words[2]};
}

}  // namespace orrery::lens::load
