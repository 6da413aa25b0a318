// What can be said of a program before it runs: whether the machine will take it at all, and what it will
// not be given. For `doctor PROG` and for `record`.
#pragma once

#include <string>
#include <vector>

namespace orrery::cli {

struct ProgramRemark {
  bool prevents = false;  ///< the program cannot be recorded; else something is ignored
  std::string fact, meaning;
};

/// `path` is a file that was found. Empty: nothing is in the way.
std::vector<ProgramRemark> check_program(const std::string& path);

bool has_file_capabilities(const std::string& path);
/// Whether the file is this very `orrery`.
bool is_orrery_itself(const std::string& path);

/// The path that execvp(3) would execute; empty when there is none, with errno as it leaves it.
std::string find_program(const std::string& name);

}  // namespace orrery::cli
