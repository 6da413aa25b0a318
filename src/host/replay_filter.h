// The cage of a replay. A recording may come from a stranger, and its program is run again here; of the
// host it needs memory, the kept files, and somewhere to write. A seccomp filter allows those calls and
// kills the process at any other.
#pragma once

#include "base/types.h"

namespace orrery::host {

struct ReplayFilter {
  int files_directory = -1;      ///< the only directory that files are opened in, for reading
  int control_socket = -1;       ///< may be received from and written
  int family_socket = -1;        ///< may be sent to
  int own_socket = -1;           ///< may be written and received from
  int answer_socket = -1;        ///< may be received from
  int life_pipe = -1;            ///< may have its flags set
  bool makes_processes = false;  ///< may make copies of itself, each under this filter
};

/// Installs the filter for good. 0, or -errno where the host allows no filters: the replay then runs
/// without, as `orrery doctor` says.
i64 install_replay_filter(const ReplayFilter& filter);

/// Children of this process leave nothing behind that would have to be waited for.
void ignore_children();

}  // namespace orrery::host
