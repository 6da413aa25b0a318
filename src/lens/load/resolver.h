// The dynamic linker's resolver, into which a lazily bound PLT leads at its first call.
#pragma once

#include <optional>

#include "elf/stopped_machine_hosted.h"
#include "lens/load/loaded_objects.h"

namespace orrery::lens::load {

/// Its address, from the third word of the object's .got.plt (ABI, "Procedure Linkage Table"); nothing if the
/// object does not bind lazily, or is not relocated yet.
std::optional<u64> find_resolver(elf::StoppedMachine& machine, const LoadedObject& object);

/// Where it jumps to the function that it has found: its first indirect jump.
std::optional<u64> find_resolver_end(elf::StoppedMachine& machine, u64 resolver);

struct LazyCall {
  u64 link_map = 0;        ///< of the object whose PLT was called
  u64 index = 0;           ///< of the relocation in its DT_JMPREL
  u64 return_address = 0;  ///< of the call
};
/// The machine stands before the resolver's first instruction.
std::optional<LazyCall> read_lazy_call(elf::StoppedMachine& machine);

}  // namespace orrery::lens::load
