// Looks at one process while it is replayed and writes down what it does to files.
#pragma once

#include "lens/build/journal.h"
#include "lens/lens.h"

namespace orrery::lens::build {

std::unique_ptr<Watcher> watch_files(const Recording& recording, const TreeProcess& process,
                                     Journal& journal);

}  // namespace orrery::lens::build
