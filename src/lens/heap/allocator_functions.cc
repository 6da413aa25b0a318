#include "lens/heap/allocator_functions.h"

#include <sys/mman.h>

#include <algorithm>
#include <span>

#include "lens/load/object_file.h"

namespace orrery::lens::heap {
namespace {

using Kind = FunctionKind;

constexpr AllocatorFunction allocate(const char* name, u8 size, u8 count = kNoArgument) {
  return {.name = name, .kind = Kind::allocate, .size = size, .count = count};
}
constexpr AllocatorFunction release(const char* name) {
  return {.name = name, .kind = Kind::release, .pointer = 0};
}
constexpr AllocatorFunction reallocate(const char* name, u8 size, u8 count = kNoArgument) {
  return {.name = name, .kind = Kind::reallocate, .size = size, .count = count, .pointer = 0};
}
constexpr AllocatorFunction allocate_to(const char* name, u8 size) {
  return {.name = name, .kind = Kind::allocate_to, .size = size, .pointer = 0};
}

// malloc(3), posix_memalign(3); the Itanium C++ ABI's names of operator new and delete (5.1.3.3 mangles
// them), jemalloc(3), and the headers of mimalloc and gperftools.
constexpr AllocatorFunction kFunctions[] = {
    allocate("malloc", 0),
    allocate("calloc", 1, 0),
    reallocate("realloc", 1),
    reallocate("reallocarray", 2, 1),
    release("free"),
    release("cfree"),
    allocate("memalign", 1),
    allocate("aligned_alloc", 1),
    allocate("valloc", 0),
    allocate("pvalloc", 0),
    allocate_to("posix_memalign", 2),
    allocate("_Znwm", 0),
    allocate("_Znam", 0),
    allocate("_ZnwmRKSt9nothrow_t", 0),
    allocate("_ZnamRKSt9nothrow_t", 0),
    allocate("_ZnwmSt11align_val_t", 0),
    allocate("_ZnamSt11align_val_t", 0),
    allocate("_ZnwmSt11align_val_tRKSt9nothrow_t", 0),
    allocate("_ZnamSt11align_val_tRKSt9nothrow_t", 0),
    release("_ZdlPv"),
    release("_ZdaPv"),
    release("_ZdlPvm"),
    release("_ZdaPvm"),
    release("_ZdlPvRKSt9nothrow_t"),
    release("_ZdaPvRKSt9nothrow_t"),
    release("_ZdlPvSt11align_val_t"),
    release("_ZdaPvSt11align_val_t"),
    release("_ZdlPvmSt11align_val_t"),
    release("_ZdaPvmSt11align_val_t"),
    release("_ZdlPvSt11align_val_tRKSt9nothrow_t"),
    release("_ZdaPvSt11align_val_tRKSt9nothrow_t"),
    allocate("mallocx", 0),
    reallocate("rallocx", 1),
    release("dallocx"),
    release("sdallocx"),
    allocate("je_malloc", 0),
    allocate("je_calloc", 1, 0),
    reallocate("je_realloc", 1),
    release("je_free"),
    allocate("je_mallocx", 0),
    reallocate("je_rallocx", 1),
    release("je_dallocx"),
    release("je_sdallocx"),
    allocate("je_aligned_alloc", 1),
    allocate("je_memalign", 1),
    allocate("je_valloc", 0),
    allocate_to("je_posix_memalign", 2),
    allocate("mi_malloc", 0),
    allocate("mi_zalloc", 0),
    allocate("mi_calloc", 1, 0),
    allocate("mi_mallocn", 1, 0),
    reallocate("mi_realloc", 1),
    reallocate("mi_reallocn", 2, 1),
    allocate("mi_malloc_small", 0),
    allocate("mi_zalloc_small", 0),
    allocate("mi_malloc_aligned", 0),
    allocate("mi_zalloc_aligned", 0),
    reallocate("mi_realloc_aligned", 1),
    allocate("mi_new", 0),
    allocate("mi_new_nothrow", 0),
    release("mi_free"),
    release("mi_free_size"),
    release("mi_free_size_aligned"),
    release("mi_free_aligned"),
    allocate_to("mi_posix_memalign", 2),
    allocate("tc_malloc", 0),
    allocate("tc_calloc", 1, 0),
    reallocate("tc_realloc", 1),
    release("tc_free"),
    allocate("tc_memalign", 1),
    allocate_to("tc_posix_memalign", 2),
    allocate("tc_new", 0),
    allocate("tc_new_nothrow", 0),
    allocate("tc_newarray", 0),
    allocate("tc_newarray_nothrow", 0),
    release("tc_delete"),
    release("tc_delete_nothrow"),
    release("tc_delete_sized"),
    release("tc_deletearray"),
    release("tc_deletearray_nothrow"),
    release("tc_deletearray_sized"),
};

// malloc_usable_size(3), and what the others call it besides.
constexpr AllocatorFunction kMeasuring[] = {
    {.name = "malloc_usable_size", .kind = Kind::measure, .pointer = 0},
    {.name = "je_malloc_usable_size", .kind = Kind::measure, .pointer = 0},
    {.name = "sallocx", .kind = Kind::measure, .pointer = 0},
    {.name = "mi_usable_size", .kind = Kind::measure, .pointer = 0},
};

}  // namespace

FileFunctions place_of_file(elf::StoppedMachine& machine, const elf::MappedRegion& region) {
  FileFunctions found{.path = region.path, .begin = region.start, .end = region.end};
  for (const elf::MappedRegion& other : machine.regions()) {
    if (other.path != region.path) continue;
    found.begin = std::min(found.begin, other.start);
    found.end = std::max(found.end, other.end);
  }
  return found;
}

namespace {

void find_functions(const elf::MappedRegion& region, std::span<const AllocatorFunction> wanted,
                    FileFunctions& found) {
  const std::shared_ptr<load::ObjectFile> file =
      region.kept_file.empty() ? nullptr : load::ObjectFile::open(region.kept_file);
  if (!file) return;
  const u64 bias = found.begin - page_floor(file->first_address());
  for (const AllocatorFunction& function : wanted) {
    const load::Definition* const exported = file->find_definition(function.name);
    const std::optional<u64> own =
        exported != nullptr ? std::optional(exported->address) : file->find_function(function.name);
    if (own && file->is_code(*own)) found.by_address.try_emplace(bias + *own, &function);
  }
}

}  // namespace

void find_known_functions(const elf::MappedRegion& region, FileFunctions& found) {
  find_functions(region, kFunctions, found);
}

void find_measuring_functions(const elf::MappedRegion& region, FileFunctions& found) {
  find_functions(region, kMeasuring, found);
}

const AllocatorFunction* known_function(std::string_view name) {
  for (const AllocatorFunction& function : kFunctions)
    if (function.name == name) return &function;
  return nullptr;
}

}  // namespace orrery::lens::heap
