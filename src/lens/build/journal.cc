#include "lens/build/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace orrery::lens::build {

Spool::Spool() {
  std::error_code error;
  const auto directory = std::filesystem::temp_directory_path(error);
  fd_ = open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd_ >= 0) return;
  std::string named = directory / "orrery-build-XXXXXX";  // a file system without O_TMPFILE
  fd_ = mkostemp(named.data(), O_CLOEXEC);
  if (fd_ >= 0) unlink(named.c_str());
}

Spool::~Spool() {
  if (fd_ >= 0) close(fd_);
}

Data Spool::add(std::span<const u8> bytes) {
  Data data{.at = end_.fetch_add(bytes.size()), .size = bytes.size()};
  data.known = fd_ >= 0 && data.at + data.size <= kBytesMost;
  for (u64 done = 0; data.known && done < data.size;) {
    const ssize_t wrote =
        pwrite(fd_, bytes.data() + done, data.size - done, static_cast<off_t>(data.at + done));
    data.known = wrote > 0;
    done += static_cast<u64>(std::max<ssize_t>(wrote, 0));
  }
  return data;
}

Data Spool::add(ReplaySession& session, u64 address, u64 size_bytes) {
  std::vector<u8> bytes(size_bytes);
  bytes.resize(session.read(address, bytes));
  Data data = add(bytes);
  data.known = data.known && data.size == size_bytes;
  return data;
}

bool Spool::read(u64 at, std::span<u8> out) const {
  for (u64 done = 0; done < out.size();) {
    const ssize_t got = pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(at + done));
    if (got <= 0) return false;
    done += static_cast<u64>(got);
  }
  return true;
}

void Journal::add(FileAction action) {
  const std::lock_guard lock(mutex_);
  actions_.push_back(std::move(action));
}

std::vector<FileAction> Journal::take() {
  const std::lock_guard lock(mutex_);
  std::stable_sort(actions_.begin(), actions_.end(), [](const FileAction& left, const FileAction& right) {
    return left.time_ns < right.time_ns;
  });
  return std::move(actions_);
}

}  // namespace orrery::lens::build
