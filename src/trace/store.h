// The content store: every file that a recorded program maps is kept once, and recordings hold hard
// links to the kept copies (REC/files/<n>). The engine keeps a file at the moment of mmap because the
// guest then maps the copy: what it saw is what a replay will see. This is lean code over the few
// system calls it needs; host/ implements them for the engine, store_hosted.h for tools and tests.
#pragma once

#include "base/types.h"
#include "trace/event.h"

namespace orrery::trace {

/// What names a version of a file, from statx(2).
struct FileIdentity {
  u64 device = 0;  ///< major << 32 | minor
  u64 inode = 0;
  u64 size_bytes = 0;
  u64 mtime_ns = 0;
  u64 ctime_ns = 0;
  u32 mode = 0;
  bool operator==(const FileIdentity&) const = default;
};

/// Results are the kernel's: >= 0, or -errno. Names are NUL-terminated and relative to the directory.
class StoreCalls {
 public:
  virtual i64 identify(int fd, FileIdentity& identity) = 0;
  /// Whether a store through a shared mapping of the file changes its ctime.
  virtual bool dates_stores(int fd) = 0;
  /// Must return a descriptor that the guest cannot see.
  virtual i64 open_at(int directory, const char* name, int flags, u32 mode) = 0;
  virtual i64 close(int fd) = 0;
  virtual i64 link_at(int from_directory, const char* from, int to_directory, const char* to) = 0;
  virtual i64 rename_at(int directory, const char* from, const char* to) = 0;  ///< replaces `to`
  virtual i64 unlink_at(int directory, const char* name) = 0;
  virtual i64 clone(int to_fd, int from_fd) = 0;  ///< ioctl FICLONE
  /// copy_file_range(2) with explicit offsets: the guest's file position must not move.
  virtual i64 copy_range(int from_fd, u64 from_offset, int to_fd, u64 to_offset, u64 size_bytes) = 0;
  virtual i64 read_at(int fd, void* bytes, u64 size_bytes, u64 offset) = 0;
  virtual i64 write_at(int fd, const void* bytes, u64 size_bytes, u64 offset) = 0;
  virtual i64 seek(int fd, u64 offset, int whence) = 0;  ///< lseek(2), for SEEK_DATA and SEEK_HOLE
  virtual i64 resize(int fd, u64 size_bytes) = 0;        ///< ftruncate(2)
  virtual u64 now_ns() = 0;                              ///< CLOCK_REALTIME, the clock of ctime
  virtual u32 process_id() = 0;

 protected:
  ~StoreCalls() = default;
};

class FileStore {
 public:
  /// Directories: the store, and REC/files. O_PATH descriptors will do.
  FileStore(StoreCalls& calls, int store_directory, int files_directory)
      : calls_(calls), store_(store_directory), files_(files_directory) {}

  /// Keeps the file behind `guest_fd` as REC/files/<file_number> and returns a read-only descriptor
  /// of the kept copy, or -errno (-EINVAL: no regular file; -EEXIST: the number is taken). Fills
  /// `reference`. The guest's descriptor must be readable; its position stays.
  i64 keep(int guest_fd, u32 file_number, FileReference& reference);
  /// The same under a name of the caller's choice (`engine`).
  i64 keep_as(int fd, const char* name, FileReference& reference);

  /// Copies the file behind `from_fd` to a new file. 0 or -errno.
  static i64 copy_file(StoreCalls& calls, int from_fd, int directory, const char* name);

 private:
  enum class Copied : u8 { stable, changing };
  /// `key`: its name in the store; null: the copy is for this recording alone.
  i64 keep_new(int guest_fd, const FileIdentity& identity, const char* key, const char* name);
  i64 copy_settled(int guest_fd, const char* name, FileIdentity& identity, Copied& copied);
  i64 open_kept(const char* name, const FileIdentity& identity, bool must_match);

  StoreCalls& calls_;
  int store_;
  int files_;
};

/// A NUL-terminated name, long enough for five 64-bit numbers in hexadecimal.
struct StoreName {
  char text[96];
};
StoreName store_key(const FileIdentity& identity);
StoreName file_name(u32 file_number);

}  // namespace orrery::trace
