// The kept copies of a recording in its directory REC/files.
#pragma once

#include <vector>

#include "replay/replay_host.h"

namespace orrery::replay {

class KeptDirectory final : public KeptFiles {
 public:
  /// `directory` may be an O_PATH descriptor. `family`: whom to ask for what others map too, or null.
  KeptDirectory(int directory, trace::Family* family) : directory_(directory), family_(family) {}

  i64 open(u32 file_number, u64 size_bytes, bool writable) override;
  void close_scratch(u32 file_number) override;

 private:
  struct Scratch {
    u32 file_number;
    int fd;
  };
  /// Makes open_fd_ the kept copy. 0, -EUCLEAN if it is of another size, or -errno.
  i64 open_kept(u32 file_number, u64 size_bytes);
  static i64 make_scratch(int from_fd);
  static i64 copy_range(int from_fd, int to_fd, u64 start, u64 end);

  int directory_;
  trace::Family* family_;
  u32 open_number_ = 0;
  int open_fd_ = -1;
  std::vector<Scratch> scratch_;
};

}  // namespace orrery::replay
