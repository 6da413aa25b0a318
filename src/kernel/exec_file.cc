// The kernel opens a program by its execute permission alone and without a descriptor (fs/exec.c
// do_open_execat). Through the door it takes four calls: what is it, may we run it, open it, where does it
// really lie. Between them somebody may swap the file; what counts is the descriptor that was opened, whose
// size and identity are asked again. A program that may be executed but not read cannot be mapped by us:
// EACCES.
#include "kernel/exec_file.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/text.h"
#include "kernel/device_numbers.h"
#include "kernel/signal.h"

namespace orrery::kernel {
namespace {

constexpr int kAtEaccess = 0x200;
constexpr int kAtEmptyPath = 0x1000;
constexpr int kAtSymlinkNofollow = 0x100;

u64 argument_of(int value) { return static_cast<u64>(static_cast<i64>(value)); }

template <class T>
u64 address_of(T* pointer) {
  return reinterpret_cast<u64>(pointer);
}

host::InRange string_range(const std::vector<char>& text) { return {address_of(text.data()), text.size()}; }

int at_flags(const ExecPath& path) {
  if (path.view().empty()) return kAtEmptyPath;
  return path.follow_links ? 0 : kAtSymlinkNofollow;
}

i64 stat_at(Process& process, int directory_fd, const std::vector<char>& path, int flags, struct stat& out) {
  host::HostCall call;
  call.number = __NR_newfstatat;
  call.args = {argument_of(directory_fd), address_of(path.data()), address_of(&out), argument_of(flags)};
  call.checked_args = 0b1001;
  call.in.add(string_range(path));
  call.out.add({.address = address_of(&out), .capacity_bytes = sizeof out});
  return call_uninterrupted(process, call);
}

}  // namespace

ExecPath ExecPath::from(std::string_view path) {
  ExecPath out;
  out.text.assign(path.begin(), path.end());
  out.text.push_back('\0');
  return out;
}

ExecFile& ExecFile::operator=(ExecFile&& other) noexcept {
  if (this == &other) return *this;
  close();
  process_ = other.process_;
  fd_ = std::exchange(other.fd_, -1);
  size_bytes_ = other.size_bytes_;
  device_ = other.device_;
  inode_ = other.inode_;
  set_id_ = other.set_id_;
  resolved_ = std::move(other.resolved_);
  return *this;
}

i64 ExecFile::check(const ExecPath& path) {
  struct stat status {};
  if (const i64 error = stat_at(*process_, path.directory_fd, path.text, at_flags(path), status); error < 0)
    return error;
  if (S_ISLNK(status.st_mode)) return -ELOOP;
  if (!S_ISREG(status.st_mode)) return -EACCES;
  host::HostCall call;
  call.number = __NR_faccessat2;
  call.args = {argument_of(path.directory_fd), address_of(path.text.data()), 1 /* X_OK */,
               argument_of(at_flags(path) | kAtEaccess)};
  call.checked_args = 0b1101;
  call.in.add(string_range(path.text));
  return call_uninterrupted(*process_, call);
}

i64 ExecFile::open(Process& process, const ExecPath& path) {
  close();
  process_ = &process;
  if (const i64 error = check(path); error < 0) return error;

  // A descriptor without a path is opened again, for reading, through its name in /proc.
  ExecPath target = path;
  if (path.view().empty())
    target = ExecPath::from(Text().add("/proc/self/fd/").integer(path.directory_fd).view());
  host::HostCall call;
  call.number = __NR_openat;
  call.args = {argument_of(target.directory_fd), address_of(target.text.data()),
               argument_of(O_RDONLY | O_CLOEXEC | O_NOCTTY | (path.follow_links ? 0 : O_NOFOLLOW))};
  call.checked_args = 0b1101;
  call.in.add(string_range(target.text));
  const i64 fd = call_uninterrupted(process, call);
  if (fd < 0) return fd;
  fd_ = static_cast<int>(fd);

  if (const i64 error = ask_status(); error < 0) return error;
  resolve(path);
  return 0;
}

i64 ExecFile::ask_status() {
  struct stat status {};
  const std::vector<char> no_path(1);
  if (const i64 error = stat_at(*process_, fd_, no_path, kAtEmptyPath, status); error < 0) return error;
  size_bytes_ = static_cast<u64>(status.st_size);
  device_ = status.st_dev;
  inode_ = status.st_ino;
  set_id_ = (status.st_mode & S_ISUID) != 0 || (status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
  return 0;
}

void ExecFile::resolve(const ExecPath& path) {
  const ExecPath link = ExecPath::from(Text().add("/proc/self/fd/").integer(fd_).view());
  std::vector<char> buffer(4096);
  host::HostCall call;
  call.number = __NR_readlink;
  call.args = {address_of(link.text.data()), address_of(buffer.data()), buffer.size()};
  call.checked_args = 0b100;
  call.in.add(string_range(link.text));
  call.out.add({.address = address_of(buffer.data()),
                .capacity_bytes = buffer.size(),
                .extent = host::Extent::result_bytes});
  const i64 length = call_uninterrupted(*process_, call);
  if (length > 0) {
    buffer.resize(static_cast<std::size_t>(length));
    resolved_ = std::move(buffer);
  } else {
    resolved_.assign(path.view().begin(), path.view().end());  // /proc is not mounted
  }
}

i64 ExecFile::read(u64 offset, std::span<u8> out) const {
  u64 done = 0;
  while (done < out.size()) {
    host::HostCall call;
    call.number = __NR_pread64;
    call.args = {argument_of(fd_), address_of(out.data() + done), out.size() - done, offset + done};
    call.checked_args = 0b1101;
    call.out.add({.address = address_of(out.data() + done),
                  .capacity_bytes = out.size() - done,
                  .extent = host::Extent::result_bytes});
    const i64 count = call_uninterrupted(*process_, call);
    if (count < 0) return count;
    if (count == 0) break;
    done += static_cast<u64>(count);
  }
  return static_cast<i64>(done);
}

memory::MappedFile ExecFile::describe() const {
  memory::MappedFile file;
  file.path = resolved_;
  file.device_major = device_major(device_);
  file.device_minor = device_minor(device_);
  file.inode = inode_;
  return file;
}

void ExecFile::close() {
  if (fd_ < 0) return;
  host::HostCall call;
  call.number = __NR_close;
  call.args = {argument_of(std::exchange(fd_, -1))};
  process_->host.call(call);
}

}  // namespace orrery::kernel
