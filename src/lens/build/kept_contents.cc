#include "lens/build/kept_contents.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/hash.h"
#include "lens/build/build_tables.h"

namespace orrery::lens::build {
namespace {

constexpr u64 kKeptBytesMost = u64{1} << 30;
constexpr u64 kPageBytes = 4096;

/// Pages of zeros become holes.
bool write_sparse(int fd, std::span<const u8> bytes) {
  for (u64 at = 0; at < bytes.size(); at += kPageBytes) {
    const auto page = bytes.subspan(at, std::min<u64>(kPageBytes, bytes.size() - at));
    if (std::all_of(page.begin(), page.end(), [](u8 byte) { return byte == 0; })) continue;
    if (pwrite(fd, page.data(), page.size(), static_cast<off_t>(at)) != static_cast<ssize_t>(page.size()))
      return false;
  }
  return ftruncate(fd, static_cast<off_t>(bytes.size())) == 0;
}

}  // namespace

std::string hash_words(std::span<const u8> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string words(16, '0');
  u64 hash = xxh64(bytes);
  for (auto digit = words.rbegin(); digit != words.rend(); ++digit, hash >>= 4) *digit = kDigits[hash & 15];
  return words;
}

KeptContents::KeptContents(const std::string& recording) : bytes_left_(kKeptBytesMost) {
  const std::string path = recording + "/" + kArtefactsDirectory;
  mkdir(path.c_str(), 0700);
  directory_ = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

KeptContents::~KeptContents() {
  if (directory_ >= 0) close(directory_);
}

std::optional<std::string> KeptContents::keep(std::span<const u8> bytes) {
  if (directory_ < 0) return std::nullopt;
  const std::string name = hash_words(bytes);
  const std::string content = std::string(kArtefactsDirectory) + "/" + name;
  struct stat status {};
  const bool there = fstatat(directory_, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                     S_ISREG(status.st_mode) && static_cast<u64>(status.st_size) == bytes.size();
  if (there) return content;
  if (bytes.size() > bytes_left_ || !write(name, bytes)) return std::nullopt;
  bytes_left_ -= bytes.size();
  return content;
}

bool KeptContents::write(const std::string& name, std::span<const u8> bytes) {
  const std::string passing = name + ".new";
  unlinkat(directory_, passing.c_str(), 0);
  const int fd =
      openat(directory_, passing.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return false;
  const bool written = write_sparse(fd, bytes);
  close(fd);
  if (written && renameat(directory_, passing.c_str(), directory_, name.c_str()) == 0) return true;
  unlinkat(directory_, passing.c_str(), 0);
  return false;
}

std::string content_path(const std::string& recording, const std::string& content) {
  const auto slash = content.find('/');
  if (slash == std::string::npos || slash + 1 == content.size()) return "";
  const std::string directory = content.substr(0, slash), name = content.substr(slash + 1);
  const bool ours = directory == kArtefactsDirectory || directory == "files";
  const bool plain = name.find_first_not_of("0123456789abcdef") == std::string::npos;
  return ours && plain ? recording + "/" + content : "";
}

}  // namespace orrery::lens::build
