// Which functions of a process are an allocator's: those that everybody knows, or the user's, or both.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "lens/function_names.h"
#include "lens/heap/own_allocator.h"
#include "lens/replay_session.h"

namespace orrery::lens::heap {

/// All processes of a replay share it.
class Allocators {
 public:
  explicit Allocators(std::optional<OwnAllocator> own);

  /// Those in the file that `region` shows.
  FileFunctions find(ReplaySession& session, const elf::MappedRegion& region);
  /// As the table heap_function names it.
  std::string text_of(const AllocatorFunction& function) const;
  /// Fails with a sentence if a function that the user named was nowhere.
  Fallible<Nothing> finish() const;

 private:
  struct Wanted {
    const AllocatorFunction* function;
    FunctionFinder finder;
    bool is_found = false;
  };
  void find_own(ReplaySession& session, const elf::MappedRegion& region, FileFunctions& found);

  std::optional<OwnAllocator> own_;
  std::mutex mutex_;  ///< of finders_
  std::vector<Wanted> finders_;
};

}  // namespace orrery::lens::heap
