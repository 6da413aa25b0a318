// Keeps the files the guest maps in the content store. ld.so maps each library four or five times in a
// row, so what was kept is remembered by the identity of the file.
#pragma once

#include <array>
#include <vector>

#include "kernel/report.h"
#include "record/recording_host.h"
#include "trace/family.h"
#include "trace/store.h"

namespace orrery::record {

class StoreKeeper final : public FileKeeper {
 public:
  struct Parts {
    trace::StoreCalls& calls;
    int store_directory, files_directory;  ///< as trace::FileStore takes them
    trace::Family& numbers;
    kernel::ReportSink& report;
  };
  explicit StoreKeeper(const Parts& parts)
      : calls_(parts.calls),
        files_directory_(parts.files_directory),
        store_(parts.calls, parts.store_directory, parts.files_directory),
        numbers_(parts.numbers),
        report_(parts.report) {}
  ~StoreKeeper() {
    if (open_fd_ >= 0) calls_.close(open_fd_);
  }
  StoreKeeper(const StoreKeeper&) = delete;
  StoreKeeper& operator=(const StoreKeeper&) = delete;

  i64 keep(int guest_fd, KeptFile& kept) override;
  void forget(const trace::FileReference& file) override;

 private:
  struct Entry {
    trace::FileIdentity identity;
    trace::FileReference reference;
    std::vector<char> path;
  };

  i64 find_or_keep(int guest_fd, std::size_t& index);
  i64 keep_new(int guest_fd, const trace::FileIdentity& identity);
  i64 have_kept(int guest_fd, u32 number, const trace::FileIdentity& identity,
                trace::FileReference& reference);
  i64 open_again(std::size_t index, int guest_fd);
  void set_open(std::size_t index, i64 fd);
  void complain(const std::vector<char>& path, i64 error);

  trace::StoreCalls& calls_;
  int files_directory_;
  trace::FileStore store_;
  trace::Family& numbers_;
  kernel::ReportSink& report_;
  std::vector<Entry> entries_;  ///< also what our parent had kept when it made us
  std::size_t open_index_ = 0;  ///< the entry that `open_fd_` belongs to
  int open_fd_ = -1;
};

}  // namespace orrery::record
