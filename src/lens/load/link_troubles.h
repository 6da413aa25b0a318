// What went wrong, or not as its author may think, while a program was linked: in words.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lens/load/link_rows.h"
#include "lens/load/loaded_objects.h"

namespace orrery::lens::load {

struct Trouble {
  std::string kind{};     ///< missing library, missing version, missing symbol, shadowed or interposed
  std::string subject{};  ///< the library or symbol
  std::string words{};    ///< the reason
  bool is_fatal = false;  ///< the program could not be started
};

/// Libraries that were looked for in vain. `objects`: those loaded in the end.
std::vector<Trouble> find_missing_libraries(const std::vector<SearchRow>& searches,
                                            const std::vector<LoadedObject>& objects);
/// Versions that an object wants of another, which does not define them.
std::vector<Trouble> find_missing_versions(const std::vector<LoadedObject>& objects);
/// Libraries found by a rule that comes before the cache, which has another file of that name.
std::vector<Trouble> find_shadowed(const std::vector<SearchRow>& searches, std::span<const u8> cache);
/// Functions of the allocator that something else than the C library provides.
std::vector<Trouble> find_interposed_allocator(const std::vector<InterpositionRow>& interpositions);
/// Whether any object defines it: false for a symbol that cannot be bound.
bool is_defined(const std::vector<LoadedObject>& objects, std::string_view symbol);

}  // namespace orrery::lens::load
