// Keeps the files the guest maps in the content store. ld.so maps each library four or five times in a
// row, so what was kept is remembered by the identity of the file.
#pragma once

#include <array>
#include <vector>

#include "kernel/report.h"
#include "record/recording_host.h"
#include "trace/store.h"

namespace orrery::record {

class StoreKeeper final : public FileKeeper {
 public:
  /// Directories as trace::FileStore takes them.
  StoreKeeper(trace::StoreCalls& calls, int store_directory, int files_directory, kernel::ReportSink& report)
      : calls_(calls),
        files_directory_(files_directory),
        store_(calls, store_directory, files_directory),
        report_(report) {}
  ~StoreKeeper() {
    if (open_fd_ >= 0) calls_.close(open_fd_);
  }
  StoreKeeper(const StoreKeeper&) = delete;
  StoreKeeper& operator=(const StoreKeeper&) = delete;

  i64 keep(int guest_fd, KeptFile& kept) override;

 private:
  struct Entry {
    trace::FileIdentity identity;
    trace::FileReference reference;
    std::vector<char> path;
  };

  i64 find_or_keep(int guest_fd, std::size_t& index);
  i64 keep_new(int guest_fd, const trace::FileIdentity& identity);
  i64 open_again(std::size_t index);
  void set_open(std::size_t index, i64 fd);
  void complain(const std::vector<char>& path);

  trace::StoreCalls& calls_;
  int files_directory_;
  trace::FileStore store_;
  kernel::ReportSink& report_;
  std::vector<Entry> entries_;  ///< an entry's index is its file number
  std::size_t open_index_ = 0;  ///< the entry that `open_fd_` belongs to
  int open_fd_ = -1;
};

}  // namespace orrery::record
