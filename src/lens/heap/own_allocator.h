// A program's own allocator, as its user describes it: functions of the program or of a library, with what
// their arguments are.
//
//     pool_alloc(_, size), pool_free(_, block)
//
// Arguments are `size`, `count` (by which the size is multiplied), `block` (taken back, or moved where there
// is a size too), `to` (where the block's address is stored, and the result is 0) and `_`, any other.
// `size=64` stands for no argument: each block is that large. A function without parentheses is taken for
// what its name says, see guess().
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure_hosted.h"
#include "lens/heap/allocator_functions.h"

namespace orrery::lens::heap {

/// Of a call stream only so many arguments are known (translate::EnteredFunction).
inline constexpr std::size_t kArgumentsKnown = 3;

class OwnAllocator {
 public:
  /// Fails with a sentence that says what is wrong with which function.
  static Fallible<OwnAllocator> parse(std::string_view words);

  /// "+" before the first function: beside the allocators that everybody knows, not in their place.
  bool joins_known() const { return joins_known_; }
  /// Their names live as long as this, moved or not.
  const std::vector<AllocatorFunction>& functions() const { return functions_; }
  /// The same for words that mean the same, with what was guessed.
  std::string text() const;

 private:
  bool joins_known_ = false;
  std::vector<AllocatorFunction> functions_;
  std::vector<std::unique_ptr<const std::string>> names_;
};

/// As parse() reads it: "pool_alloc(_, size)".
std::string text_of(const AllocatorFunction& function);

}  // namespace orrery::lens::heap
