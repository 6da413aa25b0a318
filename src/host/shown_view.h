// Where a process puts what others of its machine may see of it: a file in memory behind one of the engine's
// descriptors, which they open by /proc/PID/fd, so that the host's kernel decides who may look.
#pragma once

#include <span>

#include "base/types.h"

namespace orrery::host {

/// What /proc/PID/fd/N of such a file is a link to.
inline constexpr char kShownViewLink[] = "/memfd:orrery-view (deleted)";

class ShownView {
 public:
  /// Whether it is worth while to show a view that has changed: always when it is settled, else now and then.
  bool is_due(bool settled) const;
  /// `fd`: where the file is to be; the same every time.
  void show(int fd, std::span<const u8> view);
  /// In a forked child: the file is its parent's.
  void begin_process() { is_open_ = false; }

 private:
  static bool open(int fd);

  bool is_open_ = false;
  bool is_refused_ = false;
  u64 shown_at_tsc_ = 0;
};

}  // namespace orrery::host
