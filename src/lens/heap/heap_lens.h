// The heap lens asked about an allocator that only its user knows.
#pragma once

#include <memory>

#include "lens/heap/own_allocator.h"
#include "lens/lens.h"

namespace orrery::lens {

extern const Lens kHeapLens;

namespace heap {

/// Fills the tables of kHeapLens with blocks of these functions; its finish() fails if one of them is
/// nowhere.
std::unique_ptr<Inquiry> inquire_own(const Recording& recording, Rows& rows, OwnAllocator own);

}  // namespace heap
}  // namespace orrery::lens
