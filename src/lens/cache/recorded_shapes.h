// The caches of the processor that a recording was made on, as its cpuid told the program.
#pragma once

#include <span>
#include <string>

#include "lens/cache/cache_model.h"
#include "x86/cpu_profile.h"

namespace orrery::lens::cache {

/// Caches by Intel's leaf 4 or AMD's leaves 8000'0005 and 8000'0006, buffers for pages of 4 KB by leaf 2 or
/// AMD's (SDM vol. 2, CPUID; APM vol. 3, E.4.4 and E.4.5). What these do not tell is as usual, but for the
/// second level: there is none then. The model needs a power of two of sets: a cache that has not is made one
/// of nearly its size with other ways, as Cachegrind does.
CacheShapes shapes_of_processor(std::span<const x86::CpuidRow> cpuid);

/// Of the recording in `directory`; the usual ones if it cannot be read.
CacheShapes recorded_shapes(const std::string& directory);

}  // namespace orrery::lens::cache
