// Functions whose last act was a call that the compiler made a jump of: they have no frame any more, but call
// sites in DWARF (DWARF 5, 3.4.1, DW_AT_call_tail_call) tell who may have jumped to whom. Only this room's
// own files include this.
#pragma once

#include <elfutils/libdw.h>

#include <vector>

#include "elf/images_hosted.h"

namespace orrery::elf {

/// What lies between a call and the function that runs in its place.
struct TailCalls {
  std::vector<Dwarf_Die> functions;  ///< those that jumped, in the order in which they did
  /// Where each did; none if a function may have jumped from several places.
  std::vector<Dwarf_Die> sites;
};

/// The description of the call that returns to `return_pc` (of the DWARF's addresses) within `function`.
bool find_call_site(Dwarf_Die& function, Dwarf_Addr return_pc, Dwarf_Die* site);

/// Whether the call at `site` is of that function; not, if it goes through a pointer.
bool calls_function(Dwarf_Die& site, Dwarf_Die& function);

/// From the function that is called at `site` to `running`, which is another one. Nothing if there is no way
/// within `image`, which is that of `running`, or several through different functions.
TailCalls find_tail_calls(const Image& image, Dwarf_Die& site, Dwarf_Die& running);

}  // namespace orrery::elf
