// `orrery export --core`: a process at an instant as a core file.
#pragma once

#include <string>

#include "base/failure_hosted.h"

namespace orrery::cli {

struct CoreOptions {
  std::string at{}, process{};
  std::string sysroot{};  ///< a directory to be made; "" for none
};

Fallible<Nothing> export_core(const std::string& directory, const std::string& output,
                              const CoreOptions& options);

}  // namespace orrery::cli
