// Which open files are the two ends of one pipe or connection.
#pragma once

#include <span>
#include <unordered_map>

#include "lens/io/descriptor_history.h"

namespace orrery::lens::sched {

/// By OpenFile::number: the number of the other end, where both are in the recording.
std::unordered_map<u64, u64> pair_sockets(std::span<const io::OpenFilePointer> files);

}  // namespace orrery::lens::sched
