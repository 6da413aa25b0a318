// Memory that programs outside the machine can write while the guest has it mapped. Nobody could record what
// they write, so such a mapping is refused as by a kernel that cannot map the file, and clients fall back to
// what they do without it (X's MIT-SHM, PulseAudio's memfds, nscd's tables).
//
// What can be told: a descriptor that a message brought or that was taken from another process, unless it is
// sealed against writing or a file that a process of the machine has opened or mapped itself; and memory
// without a name, open for writing when the machine began. Files that are opened by name may be written by
// others too, which nobody can see; what the guest only reads is then the state in which it was first mapped.
#pragma once

#include "kernel/syscalls/open_file.h"

namespace orrery::kernel {

/// Whether nobody can write to the file any more (F_SEAL_WRITE).
bool is_sealed(Call& call, int fd);

/// Whether others may write to the file behind one of the guest's descriptors.
bool is_written_outside(Call& call, int fd, const OpenFileStatus& status, bool writable);

}  // namespace orrery::kernel
