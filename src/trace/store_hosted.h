// The content store's calls through libc, for tools and tests.
#pragma once

#include "trace/store.h"

namespace orrery::trace {

class LibcStoreCalls final : public StoreCalls {
 public:
  i64 identify(int fd, FileIdentity& identity) override;
  bool dates_stores(int fd) override;
  i64 open_at(int directory, const char* name, int flags, u32 mode) override;
  i64 close(int fd) override;
  i64 link_at(int from_directory, const char* from, int to_directory, const char* to) override;
  i64 rename_at(int directory, const char* from, const char* to) override;
  i64 unlink_at(int directory, const char* name) override;
  i64 clone(int to_fd, int from_fd) override;
  i64 copy_range(int from_fd, u64 from_offset, int to_fd, u64 to_offset, u64 size_bytes) override;
  i64 read_at(int fd, void* bytes, u64 size_bytes, u64 offset) override;
  i64 write_at(int fd, const void* bytes, u64 size_bytes, u64 offset) override;
  i64 seek(int fd, u64 offset, int whence) override;
  i64 resize(int fd, u64 size_bytes) override;
  u64 now_ns() override;
  u32 process_id() override;
};

}  // namespace orrery::trace
