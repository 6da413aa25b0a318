// See fd_table.h.
#include "kernel/fd_table.h"

#include <asm/unistd.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <span>
#include <vector>

#include "kernel/process.h"

namespace orrery::kernel {
namespace {

/// struct linux_dirent64, whose name follows.
struct DirectoryEntry {
  u64 inode;
  i64 next;
  u16 size_bytes;
  u8 type;
};
constexpr std::size_t kNameOffset = 19;

i64 ask_host(Process& process, u32 number, std::array<u64, 6> args, u8 checked_args) {
  host::HostCall call;
  call.number = number;
  call.args = args;
  call.checked_args = checked_args;
  return process.host.call(call);
}

void close_if_marked(Process& process, int fd) {
  const u64 number = static_cast<u64>(fd);
  const i64 flags = ask_host(process, __NR_fcntl, {number, F_GETFD}, 0x3f);
  if (flags < 0 || (flags & FD_CLOEXEC) == 0) return;
  ask_host(process, __NR_close, {number}, 0x3f);
  process.fds->closed(fd);
}

/// The number a name of /proc/self/fd stands for, -1 for "." and "..".
int number_of(const char* name) {
  int number = 0;
  if (*name < '0' || *name > '9') return -1;
  for (; *name >= '0' && *name <= '9'; ++name) number = number * 10 + (*name - '0');
  return number;
}

void add_numbers(std::span<const u8> entries, std::vector<int>& numbers) {
  for (std::size_t at = 0; at + kNameOffset < entries.size();) {
    DirectoryEntry entry;
    std::memcpy(&entry, entries.data() + at, kNameOffset);
    if (entry.size_bytes <= kNameOffset) return;
    numbers.push_back(number_of(reinterpret_cast<const char*>(entries.data()) + at + kNameOffset));
    at += entry.size_bytes;
  }
}

/// What an open directory like /proc/PID/fd lists.
std::vector<int> read_numbers(Process& process, i64 directory) {
  std::vector<int> numbers;
  std::vector<u8> buffer(4096);
  for (;;) {
    host::HostCall call;
    call.number = __NR_getdents64;
    call.args = {static_cast<u64>(directory), reinterpret_cast<u64>(buffer.data()), buffer.size()};
    call.checked_args = 0x3d;
    call.out.add({reinterpret_cast<u64>(buffer.data()), buffer.size(), host::Extent::result_bytes});
    const i64 bytes = process.host.call(call);
    if (bytes <= 0) break;
    add_numbers({buffer.data(), static_cast<std::size_t>(bytes)}, numbers);
  }
  ask_host(process, __NR_close, {static_cast<u64>(directory)}, 0x3f);
  return numbers;
}

i64 open_directory(Process& process, const char* path) {
  host::HostCall call;
  call.number = __NR_open;
  call.args = {reinterpret_cast<u64>(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC};
  call.checked_args = 0x3e;
  call.in.add({reinterpret_cast<u64>(path), std::char_traits<char>::length(path) + 1});
  return process.host.call(call);
}

}  // namespace

std::vector<int> open_descriptors(Process& process) {
  const i64 directory = open_directory(process, "/proc/self/fd");
  if (directory < 0) return {};
  std::vector<int> numbers = read_numbers(process, directory);
  std::erase_if(numbers, [&](int fd) { return fd < 0 || fd == directory || process.fds->is_engine(fd); });
  return numbers;
}

std::vector<int> list_descriptors(Process& process, const char* path) {
  const i64 directory = open_directory(process, path);
  if (directory < 0) return {};
  std::vector<int> numbers = read_numbers(process, directory);
  std::erase_if(numbers, [&](int fd) { return fd < 0; });
  return numbers;
}

u32 descriptor_table_size(Process& process) { return table_size_for(open_descriptors(process)); }

u32 table_size_for(const std::vector<int>& open) {
  constexpr u32 kFirst = 64, kStep = 128;  // NR_OPEN_DEFAULT; 1,024 bytes of pointers
  const auto highest = open.empty() ? u32{0} : static_cast<u32>(*std::max_element(open.begin(), open.end()));
  return highest < kFirst ? kFirst : std::bit_ceil(highest / kStep + 1) * kStep;
}

void FdTable::set_role(int fd, Role role) {
  if (fd < 0 || is_engine(fd)) return;
  if (this->role(fd) == Role::proc_file) unbind(fd);
  const auto index = static_cast<std::size_t>(fd);
  if (index >= roles_.size()) {
    if (role == Role::plain) return;
    roles_.resize(index + 1, Role::plain);
  }
  roles_[index] = role;
}

void FdTable::set_origin(int fd, Origin origin) {
  if (fd < 0 || is_engine(fd)) return;
  const auto index = static_cast<std::size_t>(fd);
  if (index >= origins_.size()) {
    if (origin == Origin::machine) return;
    origins_.resize(index + 1, Origin::machine);
  }
  origins_[index] = origin;
}

void FdTable::closed_range(u32 first, u32 last) {
  for (std::size_t fd = first; fd <= last && fd < roles_.size(); ++fd) closed(static_cast<int>(fd));
}

void FdTable::duplicated(int from, int to) {
  if (from == to) return;
  ProcFile* const file = proc_file(from);
  set_role(to, role(from));
  set_origin(to, origin(from));
  if (file != nullptr) bindings_.push_back({to, file});
}

void FdTable::set_proc_file(int fd, ProcFile file) {
  set_role(fd, Role::proc_file);
  if (role(fd) != Role::proc_file) return;
  proc_files_.push_back(std::make_unique<ProcFile>(std::move(file)));
  bindings_.push_back({fd, proc_files_.back().get()});
}

ProcFile* FdTable::find_proc_file(int fd) {
  for (const Binding& binding : bindings_)
    if (binding.fd == fd) return binding.file;
  return nullptr;
}

void FdTable::unbind(int fd) {
  const ProcFile* const file = find_proc_file(fd);
  std::erase_if(bindings_, [fd](const Binding& binding) { return binding.fd == fd; });
  const bool used = std::any_of(bindings_.begin(), bindings_.end(),
                                [file](const Binding& binding) { return binding.file == file; });
  if (!used) std::erase_if(proc_files_, [file](const auto& kept) { return kept.get() == file; });
}

void close_on_exec(Process& process) {
  for (const int fd : open_descriptors(process)) close_if_marked(process, fd);
}

}  // namespace orrery::kernel
