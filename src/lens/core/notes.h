// The notes of a core file.
#pragma once

#include <vector>

#include "lens/core/core_file.h"

namespace orrery::lens {

struct CoreSignal {
  int number = 0, code = 0;
  u64 address = 0;
};

/// NT_PRSTATUS and the registers of each task, the current one first; between them what is of the process.
Fallible<std::vector<u8>> core_notes(ReplaySession& session, const CoreWanted& wanted,
                                     const std::vector<elf::MappedRegion>& regions, const CoreSignal& signal);

}  // namespace orrery::lens
