// Allocators by their entry points: what each function of malloc's kind takes and gives. Whoever provides
// them (glibc, jemalloc, tcmalloc, mimalloc, a program's own malloc), they have these names.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/types.h"
#include "elf/stopped_machine_hosted.h"

namespace orrery::lens::heap {

enum class FunctionKind : u8 {
  allocate,    ///< returns a block
  reallocate,  ///< takes a block back and returns another, or null and takes nothing
  release,     ///< takes a block back
  allocate_to  ///< stores the block's address where the first argument points, and returns 0
};

inline constexpr u8 kNoArgument = 0xff;

struct AllocatorFunction {
  const char* name;
  FunctionKind kind;
  u8 size = kNoArgument;     ///< which argument is the size
  u8 count = kNoArgument;    ///< by which argument it is multiplied
  u8 pointer = kNoArgument;  ///< which argument is the block, or where its address goes
};

/// Those that a mapped file defines.
struct FileFunctions {
  u64 begin = 0, end = 0;                                ///< where the file is mapped
  std::map<u64, const AllocatorFunction*> by_address{};  ///< run-time addresses
};

/// Of the file that `region` shows; none if it is no ELF file that is kept.
FileFunctions find_allocator_functions(elf::StoppedMachine& machine, const elf::MappedRegion& region);

}  // namespace orrery::lens::heap
