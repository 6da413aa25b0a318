// The bits are those of x86-64 in Linux 6.x with vm.mmap_rnd_bits and kernel.randomize_va_space at their
// defaults (28 and 2); a test runs a native program a few hundred times and looks which bits change.
#include "lens/load/layout_rows.h"

#include <algorithm>
#include <cstring>

#include "memory/layout.h"

namespace orrery::lens::load {
namespace {

namespace layout = memory::layout;

constexpr const char* kMmapSource =
    "arch_mmap_rnd, arch/x86/mm/mmap.c: vm.mmap_rnd_bits pages (28, CONFIG_ARCH_MMAP_RND_BITS)";
constexpr const char* kProgramSource = "load_elf_binary, fs/binfmt_elf.c: ELF_ET_DYN_BASE + arch_mmap_rnd()";
constexpr const char* kFixedSource = "linked to a fixed address (ET_EXEC)";
constexpr const char* kHeapSource =
    "arch_randomize_brk, arch/x86/kernel/process.c: pages in 1 GiB (32 MiB, 13 bits, before Linux 6.9)";
constexpr const char* kStackSource =
    "randomize_stack_top: STACK_RND_MASK, arch/x86/include/asm/elf.h: 22 bits of pages; arch_align_stack: 9 "
    "below";
constexpr const char* kVdsoSource =
    "with the mmap area, or up to 9 bits of pages behind the stack (vdso_addr, arch/x86/entry/vdso/vma.c)";
constexpr u32 kMmapBits = 28, kHeapBits = 18, kStackBits = 22 + 9, kVdsoBits = 9;

struct VdsoFunction {
  const char* call;
  const char* function;
};
/// arch/x86/entry/vdso/vdso.lds.S
constexpr VdsoFunction kVdsoFunctions[] = {{"clock_gettime", "__vdso_clock_gettime"},
                                           {"gettimeofday", "__vdso_gettimeofday"},
                                           {"time", "__vdso_time"},
                                           {"clock_getres", "__vdso_clock_getres"},
                                           {"getcpu", "__vdso_getcpu"}};

}  // namespace

std::vector<PlaceRow> find_places(elf::StoppedMachine& machine, const LoadedObjects& objects, bool varied) {
  std::vector<PlaceRow> places;
  const auto add = [&](const char* part, std::optional<u64> address, u32 linux_bits, u64 bits,
                       const char* source) {
    places.push_back({.part = part,
                      .address = address,
                      .linux_bits = linux_bits,
                      .bits = varied ? static_cast<u32>(bits) : 0,
                      .source = source});
  };
  const auto named = [&](const char* name) {
    const auto& regions = machine.regions();
    const auto found = std::find_if(regions.begin(), regions.end(),
                                    [&](const elf::MappedRegion& each) { return each.path == name; });
    return found != regions.end() ? &*found : nullptr;
  };
  if (const ObjectFile* file = objects.program_file()) {
    const bool moves = file->is_position_independent();
    add("program", objects.program_base() + file->first_address(), moves ? kMmapBits : 0,
        moves ? layout::kProgramBits : 0, moves ? kProgramSource : kFixedSource);
  }
  if (const ObjectFile* linker = objects.linker_file()) {
    add("interpreter", objects.linker_base(), kMmapBits, layout::kNearBits, kMmapSource);
    add("libraries", page_ceil(objects.linker_base() + linker->end_address()), kMmapBits, layout::kNearBits,
        kMmapSource);
  }
  const elf::MappedRegion* heap = named("[heap]");
  add("heap", heap != nullptr ? std::optional(heap->start) : std::nullopt, kHeapBits, layout::kBrkBits,
      kHeapSource);
  const elf::MappedRegion* stack = named("[stack]");
  add("stack", stack != nullptr ? std::optional(stack->end) : std::nullopt, kStackBits, layout::kStackBits,
      kStackSource);
  add("vdso", std::nullopt, kVdsoBits, 0, kVdsoSource);
  return places;
}

const char* vdso_function(const std::string& call) {
  for (const VdsoFunction& each : kVdsoFunctions)
    if (call == each.call) return each.function;
  return nullptr;
}

}  // namespace orrery::lens::load
