// Where in guest memory which live file is mapped (record/live_files.h): told of every memory operation that
// the guest brings about, it says when a file's last mapping has gone. Recording and replay close then what
// they keep open for the file, both at the same point of the run.
#pragma once

#include <algorithm>
#include <vector>

#include "base/interval_map.h"
#include "base/types.h"

namespace orrery::host {

class LiveMappings {
 public:
  bool empty() const { return pieces_.empty(); }

  /// The file is mapped here, over whatever was.
  void add(u64 address, u64 size_bytes, u32 file_number);
  /// Nothing is mapped here any more, or something else.
  void remove(u64 address, u64 size_bytes);
  /// As memory::Backend::move().
  void move(u64 from, u64 from_bytes, u64 to, u64 to_bytes);

  /// Tells `visit(file_number)` of each file that was mapped when last asked and is not now.
  template <class Visit>
  void take_unmapped(Visit visit);

 private:
  struct Piece {
    u64 start, end;
    u32 file_number;
    u64 lower_edge() const { return start; }
  };
  struct File {
    u32 number;
    u32 pieces;
  };

  void insert(const Piece& piece);
  void count(u32 file_number, bool added);

  IntervalMap<Piece> pieces_;
  std::vector<File> files_;
  bool any_unmapped_ = false;
};

template <class Visit>
void LiveMappings::take_unmapped(Visit visit) {
  if (!any_unmapped_) return;
  any_unmapped_ = false;
  for (const File& file : files_)
    if (file.pieces == 0) visit(file.number);
  std::erase_if(files_, [](const File& file) { return file.pieces == 0; });
}

}  // namespace orrery::host
