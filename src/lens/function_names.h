// A function as people name it, found in the images that a process maps.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "elf/function_names_hosted.h"
#include "elf/stopped_machine_hosted.h"

namespace orrery::lens {

/// Whether `symbol`, mangled as it is, is what `wanted` means: the same name, or in source `wanted` itself or
/// a member of something that is left out, as push_back for std::vector<int>::push_back(int&&). Copies that
/// the compiler specialised count, the cold part of a function does not.
bool is_called(const char* symbol, const std::string& wanted);

/// Looks for one function wherever code is mapped.
class FunctionFinder {
 public:
  explicit FunctionFinder(std::string wanted) : wanted_(std::move(wanted)) {}

  /// The code of a file has been mapped at `address`. Returns where the function is in it.
  std::vector<elf::NamedFunction> look(elf::StoppedMachine& machine, elf::DebugFiles& debug_files,
                                       u64 address);
  /// Names of other functions that the user may have meant, the nearest first; at most three.
  std::vector<std::string> nearest() const;

 private:
  void note_near(const char* symbol);

  std::string wanted_;
  std::set<std::pair<unsigned, std::string>> near_;  ///< by edit distance
};

}  // namespace orrery::lens
