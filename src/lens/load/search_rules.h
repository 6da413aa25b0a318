// By which rule the dynamic linker tried a path (ld.so(8), "Description").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lens/load/loaded_objects.h"
#include "lens/load/start_stack.h"

namespace orrery::lens::load {

struct SearchRule {
  std::string name{};  ///< as named, LD_PRELOAD, DT_RPATH, LD_LIBRARY_PATH, DT_RUNPATH, cache, default
  const LoadedObject* asker = nullptr;  ///< whose DT_NEEDED it is; null if none of those loaded needs it
};

class SearchRules {
 public:
  explicit SearchRules(const StartStack& stack);

  /// The bytes of ld.so.cache, which must outlive this.
  void set_cache(std::span<const u8> bytes) { cache_ = bytes; }
  /// `objects`: those that were loaded when the path was tried.
  SearchRule rule_of(const std::string& path, const std::vector<LoadedObject>& objects) const;

 private:
  bool is_in_cache(const std::string& path) const;

  std::vector<std::string> preloaded_, library_path_;
  std::span<const u8> cache_{};
};

/// The directories of a search path with $ORIGIN, $LIB and $PLATFORM put in. Empty items are the working
/// directory.
std::vector<std::string> search_directories(const std::string& list, const std::string& separators,
                                            const std::string& origin);

}  // namespace orrery::lens::load
