// Files that the machine both maps and may write: a memfd of a JIT, a database's file. The guest maps the
// file itself, not its kept copy, so that stores, write(2) and all its mappings agree; and what system
// calls do to it is recorded, so that a replay can do it to its own copy. What strangers do to such a file
// meanwhile is not known.
//
// A file that is mapped shared through a descriptor that cannot write it is mapped as its kept copy. If the
// program opens it for writing later, the mapping goes on showing the old bytes, and that is said.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "host/host.h"
#include "trace/event.h"
#include "trace/family.h"

namespace orrery::record {

struct LiveFile {
  int fd = -1;  ///< the engine's own; readable
  trace::FileReference reference;
  std::vector<char> path;
  u64 size_bytes = 0;  ///< when last looked at
};

class LiveFiles {
 public:
  /// The live file behind a guest descriptor, or null.
  const LiveFile* find(int guest_fd) const;
  /// Whether a file with this number is live.
  bool has(u32 file_number) const;
  /// Makes the file live if the descriptor may write it. `fd_least`: where engine descriptors may lie.
  const LiveFile* add_if_writable(int guest_fd, const trace::FileReference& reference, std::string_view path,
                                  int fd_least);

  /// The file is in the table of files that processes have in common, with its kept copy.
  const LiveFile* add_shared(int guest_fd, const trace::SharedFile& file, int fd_least);
  /// Null if no such file is live.
  const LiveFile* of_number(u32 file_number) const;
  /// The process has nothing mapped of the file any more.
  void forget(u32 file_number);
  /// The process has become another program: it has nothing mapped any more.
  void forget();

  /// A shared mapping shows the kept copy of the file behind this descriptor.
  void add_frozen(int guest_fd, std::string_view path);
  bool has_frozen() const { return !frozen_.empty(); }
  /// The path of a frozen file that `call`, whose answer is `result`, has opened for writing; each file is
  /// told once. Empty if it has not.
  std::vector<char> take_thawed(const host::HostCall& call, i64 result);

  /// Whether a call of this number has to be looked at.
  bool may_change(u32 call_number) const { return !files_.empty() && changes_files(call_number); }

  /// A file as fstatat names it: `path` relative to `directory`; empty: `directory` is the file.
  struct Place {
    int directory = -1;
    const char* path = "";
  };
  /// The file that a call with these arguments is about to change; of those that go by a path, if it makes
  /// the file shorter.
  static std::optional<Place> place_of_target(u64 number, const std::array<u64, 6>& args);

  /// Tells `visit(file, change)` of every file that `call` changed, where `result` is its answer. The bytes
  /// of the change can be read from LiveFile::fd.
  template <class Visit>
  void for_each_change(const host::HostCall& call, i64 result, Visit visit);

 private:
  static bool changes_files(u32 call_number);
  static u64 size_of(const LiveFile& file);
  bool written_range(const host::HostCall& call, i64 result, u64 size_bytes, trace::FileChange& change) const;
  const LiveFile* add(int guest_fd, const trace::FileReference& reference, std::string_view path,
                      int fd_least);
  LiveFile* target_of(const host::HostCall& call);

  struct FrozenFile {
    u64 device, inode;
    std::vector<char> path;
  };

  std::vector<LiveFile> files_;
  std::vector<FrozenFile> frozen_;
};

template <class Visit>
void LiveFiles::for_each_change(const host::HostCall& call, i64 result, Visit visit) {
  const LiveFile* const target = result < 0 ? nullptr : target_of(call);
  for (LiveFile& file : files_) {
    const u64 size_bytes = size_of(file);
    trace::FileChange change{.file_number = file.reference.file_number, .size_bytes = size_bytes};
    const bool written = &file == target && written_range(call, result, size_bytes, change);
    if (written || size_bytes != file.size_bytes) visit(file, change);
    file.size_bytes = size_bytes;
  }
}

}  // namespace orrery::record
