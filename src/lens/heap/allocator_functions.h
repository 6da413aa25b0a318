// Allocators by their entry points: what each function of malloc's kind takes and gives. Whoever provides
// them (glibc, jemalloc, tcmalloc, mimalloc, a program's own malloc), they have these names.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "base/types.h"
#include "elf/stopped_machine_hosted.h"

namespace orrery::lens::heap {

enum class FunctionKind : u8 {
  allocate,     ///< returns a block
  reallocate,   ///< takes a block back and returns another, or null and takes nothing
  release,      ///< takes a block back
  allocate_to,  ///< stores the block's address where the first argument points, and returns 0
  measure       ///< returns how many bytes of a block may be used, more than were asked for
};

inline constexpr u8 kNoArgument = 0xff;

struct AllocatorFunction {
  std::string_view name;  ///< as it is linked; whoever made it keeps the letters
  FunctionKind kind;
  u8 size = kNoArgument;     ///< which argument is the size
  u8 count = kNoArgument;    ///< by which argument it is multiplied
  u8 pointer = kNoArgument;  ///< which argument is the block, or where its address goes
  u64 size_bytes = 0;        ///< of each block, where no argument tells

  /// How many of the first arguments tell what it does.
  u32 arguments_used() const {
    u32 used = 0;
    for (const u8 each : {size, count, pointer})
      if (each != kNoArgument) used = std::max(used, each + 1u);
    return used;
  }
  /// Of the block that a call with these arguments asks for.
  u64 size_asked(const u64 (&arguments)[3]) const {
    const u64 each = size == kNoArgument ? size_bytes : arguments[size];
    return count == kNoArgument ? each : each * arguments[count];
  }
};

/// Those that a mapped file defines.
struct FileFunctions {
  std::string path{};
  u64 begin = 0, end = 0;                                ///< where the file is mapped
  std::map<u64, const AllocatorFunction*> by_address{};  ///< run-time addresses
};

/// Where the file is that `region` shows.
FileFunctions place_of_file(elf::StoppedMachine& machine, const elf::MappedRegion& region);
/// Adds those of the allocators that everybody knows; none if `region` shows no ELF file that is kept. Who
/// was added before stays.
void find_known_functions(const elf::MappedRegion& region, FileFunctions& file);
/// Adds those of kind measure.
void find_measuring_functions(const elf::MappedRegion& region, FileFunctions& file);
/// The one that is linked under this name; null if it is none of theirs.
const AllocatorFunction* known_function(std::string_view name);

}  // namespace orrery::lens::heap
