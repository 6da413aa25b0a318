// Which programs cannot live at the usual places (memory/layout.h, kLowPlaces).
#pragma once

#include "kernel/loader.h"
#include "memory/address_space.h"

namespace orrery::kernel {

/// True for a program built with ThreadSanitizer, which is mapped already: it needs the shared library of
/// gcc's runtime, or has clang's in itself. Looked up as ld.so would, in a few pages.
bool wants_low_places(memory::AddressSpace& space, const Program& program, u64 bias);

}  // namespace orrery::kernel
