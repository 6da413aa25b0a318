// Writes down what a process does to its descriptors while it is replayed.
#pragma once

#include <memory>

#include "lens/io/descriptor_action.h"
#include "lens/lens.h"

namespace orrery::lens::io {

/// `journal` outlives it.
std::unique_ptr<Watcher> watch_descriptors(const Recording& recording, const TreeProcess& process,
                                           DescriptorSink& journal);

}  // namespace orrery::lens::io
