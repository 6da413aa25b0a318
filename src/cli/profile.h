// The processor that a guest is given, in the words of the launch block.
#pragma once

#include <string>

#include "base/result.h"
#include "machine/launch.h"

namespace orrery::cli {

/// Fills in everything that follows from the profile's name and this host.
Status set_profile(machine::LaunchHeader& header, const std::string& name);

/// Whether what was recorded can be run on this host, and what of the header depends on this host.
Status fit_profile(machine::LaunchHeader& header);

}  // namespace orrery::cli
