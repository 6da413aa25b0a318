#include "trace/packed_files_hosted.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <sstream>

#include "trace/descriptor_hosted.h"
#include "trace/escaped_text_hosted.h"

namespace orrery::trace {
namespace {

constexpr u64 kListBytesMost = 64 << 20;
constexpr const char* kHead = "orrery packed 1";

Failure failed(const std::string& doing, const std::string& path) {
  return Failure(doing + " " + path + ": " + std::strerror(errno));
}

/// Hands the bytes to `take`, piece by piece, up to the end.
template <class Take>
bool each_piece(int fd, const Take& take) {
  std::vector<u8> piece(1 << 20);
  while (true) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    if (!take(std::span<const u8>(piece).first(static_cast<std::size_t>(got)))) return false;
  }
}

bool write_all(int fd, std::span<const u8> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

/// A plain file below a directory of the recording; no link is followed.
int open_packed(const std::string& directory, const std::string& name) {
  const Descriptor parent(open(directory.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (parent.get() < 0) return -1;
  const int fd = openat(parent.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat status {};
  if (fd < 0 || (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))) return fd;
  close(fd);
  errno = EINVAL;
  return -1;
}

/// Names that mean the file itself, below its directory.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name[0] != '.' && name.find('/') == std::string::npos;
}

/// Makes the file anew, whole or not at all; `fill` writes it.
template <class Fill>
Fallible<Nothing> make_file(const std::string& directory, const std::string& name, const Fill& fill) {
  const std::string path = directory + "/" + name;
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return failed("making", directory);
  const Descriptor parent(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (parent.get() < 0) return failed("opening", directory);
  const std::string temporary = ".making-" + std::to_string(getpid());
  unlinkat(parent.get(), temporary.c_str(), 0);
  const Descriptor file(
      openat(parent.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) return failed("making", path);
  if (fill(file.get()) && fsync(file.get()) == 0 &&
      renameat(parent.get(), temporary.c_str(), parent.get(), name.c_str()) == 0)
    return Nothing{};
  const Failure failure = failed("writing", path);
  unlinkat(parent.get(), temporary.c_str(), 0);
  return failure;
}

std::string line_of(const char* kind, const std::string& name, const PackedFiles::Entry& entry) {
  return std::string(kind) + " " + md5_digits(entry.md5) + " " + std::to_string(entry.size_bytes) + " " +
         escape_line(name) + "\n";
}

std::string trouble_of(const std::string& directory, const std::string& name,
                       const PackedFiles::Entry& entry) {
  const Descriptor file(open_packed(directory, name));
  if (file.get() < 0) return "a packed file is missing: " + directory + "/" + name;
  Md5Sum sum;
  u64 size = 0;
  const bool whole = each_piece(file.get(), [&](std::span<const u8> piece) {
    sum.add(piece);
    size += piece.size();
    return size <= entry.size_bytes;
  });
  const bool right = whole && size == entry.size_bytes && sum.end() == entry.md5;
  return right ? "" : "a packed file is not as it was packed: " + directory + "/" + name;
}

}  // namespace

bool PackedFiles::read_line(std::string_view line) {
  const auto take = [&line] {
    const auto space = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, space);
    line.remove_prefix(std::min(space + 1, line.size()));
    return word;
  };
  const std::string_view kind = take();
  const auto md5 = parse_md5(take());
  const std::string_view digits = take();
  Entry entry;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), entry.size_bytes);
  if (!md5 || error != std::errc{} || stop != digits.data() + digits.size()) return false;
  entry.md5 = *md5;
  const std::string name = unescape_line(line);
  if (kind == "source" && !name.empty() && entry.size_bytes <= kSourceBytesMost) sources_[name] = entry;
  if (kind == "debug" && is_plain_name(name)) debug_files_[name] = entry;
  return kind != "debug" || is_plain_name(name);
}

Fallible<PackedFiles> PackedFiles::read(const std::string& recording) {
  const std::string path = recording + "/packed";
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0 && errno == ENOENT) return PackedFiles(recording);
  const Descriptor file(open_packed(recording, "packed"));
  if (file.get() < 0) return failed("reading", path);
  std::string text;
  const bool whole = each_piece(file.get(), [&text](std::span<const u8> piece) {
    text.append(piece.begin(), piece.end());
    return text.size() <= kListBytesMost;
  });
  if (!whole) return Failure(path + " cannot be read, or is too long");
  return parse(recording, text);
}

Fallible<PackedFiles> PackedFiles::parse(const std::string& recording, const std::string& list) {
  PackedFiles files(recording);
  const std::string path = recording + "/packed";
  std::istringstream lines(list);
  std::string line;
  if (!std::getline(lines, line) || line != kHead) return Failure(path + " is damaged in line 1");
  for (u64 number = 2; std::getline(lines, line); ++number)
    if (!files.read_line(line)) return Failure(path + " is damaged in line " + std::to_string(number));
  return files;
}

Fallible<std::string> PackedFiles::source_text(const std::string& path) const {
  const auto found = sources_.find(path);
  if (found == sources_.end()) return Failure("it is not packed: " + path);
  const std::string name = md5_digits(found->second.md5);
  const Descriptor file(open_packed(recording_ + "/sources", name));
  std::string text;
  const bool whole = file.get() >= 0 && each_piece(file.get(), [&](std::span<const u8> piece) {
                       text.append(piece.begin(), piece.end());
                       return text.size() <= found->second.size_bytes;
                     });
  if (!whole || md5(text) != found->second.md5)
    return Failure("the packed source is missing or not as it was packed: " + path);
  return text;
}

std::vector<std::string> PackedFiles::verify() const {
  std::vector<std::string> troubles;
  const auto look = [&](const std::string& directory, const std::string& name, const Entry& entry) {
    std::string trouble = trouble_of(recording_ + directory, name, entry);
    if (!trouble.empty()) troubles.push_back(std::move(trouble));
  };
  for (const auto& [path, entry] : sources_) look("/sources", md5_digits(entry.md5), entry);
  for (const auto& [name, entry] : debug_files_) look("/debug", name, entry);
  return troubles;
}

Fallible<Nothing> PackedFiles::add_source(const std::string& path, const std::string& text) {
  const Entry entry{md5(text), text.size()};
  TRY(make_file(recording_ + "/sources", md5_digits(entry.md5), [&text](int fd) {
    return write_all(fd, {reinterpret_cast<const u8*>(text.data()), text.size()});
  }));
  sources_[path] = entry;
  return Nothing{};
}

Fallible<Nothing> PackedFiles::add_debug_file(const std::string& name, int fd) {
  Entry entry{};
  Md5Sum sum;
  TRY(make_file(recording_ + "/debug", name, [&](int to) {
    return lseek(fd, 0, SEEK_SET) == 0 && each_piece(fd, [&](std::span<const u8> piece) {
             sum.add(piece);
             entry.size_bytes += piece.size();
             return write_all(to, piece);
           });
  }));
  entry.md5 = sum.end();
  debug_files_[name] = entry;
  return Nothing{};
}

Fallible<Nothing> PackedFiles::write_list() const {
  std::string text = std::string(kHead) + "\n";
  for (const auto& [path, entry] : sources_) text += line_of("source", path, entry);
  for (const auto& [name, entry] : debug_files_) text += line_of("debug", name, entry);
  return make_file(recording_, "packed", [&text](int fd) {
    return write_all(fd, {reinterpret_cast<const u8*>(text.data()), text.size()});
  });
}

}  // namespace orrery::trace
