// How a child of vfork gives its parent's memory back.
//
// Natively the two share one address space while the parent waits. Here the child is a fork with a copy
// of its own, as invariant 2 wants of tasks that share writable memory, and at its end (exec or exit) the
// pages that it wrote are sent to the parent through a socket. Which these are the host's kernel knows: right
// after a fork all anonymous pages have two owners, and those the child writes get one (pagemap's bit 56,
// Documentation/admin-guide/mm/pagemap.rst). The parent, which stands still meanwhile with all its tasks,
// compares them with its own and keeps the bytes that differ: mostly some words of a stack.
//
// Not carried over: mappings the child made or changed, and a child that is killed gives nothing back.
#pragma once

#include <span>
#include <vector>

#include "base/types.h"
#include "host/host.h"

namespace orrery::host {

class MemoryLoan {
 public:
  /// A pair of sockets whose descriptors lie at `fd_least` or above. 0 or -errno.
  i64 open(int fd_least);
  /// Each side drops the other's end after the fork.
  void keep_lender();
  void keep_borrower();
  bool is_open() const { return read_fd_ >= 0 || write_fd_ >= 0; }
  void close();

  /// Borrower: sends what it wrote in `ranges`, and closes. False if that could not be found out.
  bool give_back(std::span<const PageRange> ranges, int fd_least);
  /// Lender: receives until the other end is closed. See Host::take_back().
  void receive(std::vector<u8>& changes);

 private:
  bool send_written_pages(int pagemap, PageRange range);
  bool send_page(u64 address);

  int read_fd_ = -1, write_fd_ = -1;
};

}  // namespace orrery::host
