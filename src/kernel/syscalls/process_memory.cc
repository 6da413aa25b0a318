// Calls that reach into a process by its id or a descriptor for it: process_vm_readv and _writev,
// process_madvise, move_pages, pidfd_getfd. Of the process itself they are answered by the guest's own map;
// other processes are the host's business.
#include <asm/unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <vector>

#include "base/text.h"
#include "kernel/fd_table.h"
#include "kernel/forward.h"
#include "kernel/proc_self.h"
#include "kernel/scheduler.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

constexpr u64 kVectorsMost = 1024;  // UIO_MAXIOV
constexpr u64 kPageListMost = 512;

struct Vector {
  u64 base;
  u64 size_bytes;
};

bool is_self(const Call& call, u64 pid) {
  const auto number = static_cast<i32>(pid);
  return number == call.process.id.value || number == call.task.id.value;
}

/// import_iovec: 0, or -EINVAL, -EFAULT.
i64 read_vectors(Call& call, u64 address, u64 count, std::vector<Vector>& vectors) {
  if (count > kVectorsMost) return -EINVAL;
  vectors.resize(count);
  const std::span<u8> bytes(reinterpret_cast<u8*>(vectors.data()), count * sizeof(Vector));
  if (!call.space().read(address, bytes)) return -EFAULT;
  for (const Vector& vector : vectors)
    if (static_cast<i64>(vector.size_bytes) < 0) return -EINVAL;
  return 0;
}

u64 total_bytes(std::span<const Vector> vectors) {
  u64 total = 0;
  for (const Vector& vector : vectors) total += vector.size_bytes;
  return total;
}

/// Pages are pinned without force: what may only be executed or written cannot be read.
bool may_pin(memory::AddressSpace& space, u64 address, bool writes) {
  const memory::Region* const region = space.find(address);
  return region != nullptr && (region->protection & (writes ? PROT_WRITE : PROT_READ)) != 0;
}

/// The local side: a position in its vectors.
class LocalBytes {
 public:
  LocalBytes(memory::AddressSpace& space, std::span<const Vector> vectors)
      : space_(space), vectors_(vectors) {}

  /// Moves up to `bytes.size()`; false when a local page is missing. `bytes` is cut to what was moved.
  bool move(std::span<u8>& bytes, bool out_of_local) {
    std::size_t done = 0;
    while (done < bytes.size() && !vectors_.empty()) {
      const Vector vector = vectors_.front();
      const u64 address = vector.base + offset_;
      const auto access = out_of_local ? memory::Access::read : memory::Access::write;
      const u64 wanted = std::min<u64>(bytes.size() - done, vector.size_bytes - offset_);
      const u64 count = space_.accessible_bytes(address, wanted, access);
      const auto part = bytes.subspan(done, count);
      const bool moved = out_of_local ? space_.read(address, part) : space_.write(address, part);
      done += moved ? count : 0;
      offset_ += moved ? count : 0;
      if (!moved || count < wanted) {
        bytes = bytes.first(done);
        return false;
      }
      if (offset_ == vector.size_bytes) {
        vectors_ = vectors_.subspan(1);
        offset_ = 0;
      }
    }
    bytes = bytes.first(done);
    return true;
  }

 private:
  memory::AddressSpace& space_;
  std::span<const Vector> vectors_;
  u64 offset_ = 0;
};

/// process_vm_rw_core within one process, a page of the remote side at a time.
i64 copy_own_memory(Call& call, std::span<const Vector> local, std::span<const Vector> remote, bool writes) {
  LocalBytes cursor(call.space(), local);
  u64 room = total_bytes(local);
  i64 done = 0;
  u8 page[kPageBytes];
  for (const Vector& vector : remote) {
    for (u64 at = 0; at < vector.size_bytes && room != 0;) {
      const u64 address = vector.base + at;
      const u64 count = std::min({kPageBytes - address % kPageBytes, vector.size_bytes - at, room});
      std::span<u8> bytes(page, count);
      const bool reached =
          may_pin(call.space(), address, writes) && (writes || call.space().read(address, bytes));
      if (!reached) return done != 0 ? done : -EFAULT;
      const bool complete = cursor.move(bytes, writes);
      if (writes && !call.space().write(address, bytes)) return done != 0 ? done : -EFAULT;
      done += static_cast<i64>(bytes.size());
      room -= bytes.size();
      at += bytes.size();
      if (!complete) return done != 0 ? done : -EFAULT;
    }
  }
  return done;
}

i64 transfer(Call& call, bool writes) {
  if (call.args[5] != 0) return -EINVAL;
  std::vector<Vector> local, remote;
  if (const i64 error = read_vectors(call, call.args[1], call.args[2], local); error != 0) return error;
  if (total_bytes(local) == 0) return 0;
  if (const i64 error = read_vectors(call, call.args[3], call.args[4], remote); error != 0) return error;
  if (total_bytes(remote) == 0) return 0;
  if (is_self(call, call.args[0])) return copy_own_memory(call, local, remote, writes);
  CallBuilder builder(call, call.row.number);
  builder.value(0, call.args[0]);
  builder.vectors(1, call.args[1], call.args[2], !writes);
  builder.value(2, call.args[2]);
  builder.in(3, call.args[3], call.args[4] * sizeof(Vector));
  builder.value(4, call.args[4]);
  return builder.perform();
}

i64 leading_number(std::string_view text) {
  i64 number = 0;
  for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1))
    number = number * 10 + (text[0] - '0');
  return number;
}

/// Under a seed the texts of the host's name us by an id that the guest does not know.
i64 as_guest_knows(Call& call, i64 pid) {
  if (!call.process.scheduler.turns_are_seeded()) return pid;
  const std::vector<char> own = read_host_file(call.process, "/proc/self/stat");
  return leading_number({own.data(), own.size()}) == pid ? call.process.id.value : 0;
}

/// Whom a pidfd means: "Pid:" of its fdinfo. -1 if it is no pidfd.
i64 pid_of(Call& call, int fd) {
  if (call.process.fds->is_engine(fd)) return -1;
  const std::vector<char> path = Text().add("/proc/self/fdinfo/").integer(fd).character('\0').take();
  const std::vector<char> text = read_host_file(call.process, path.data());
  constexpr std::string_view kKey = "\nPid:\t";
  std::string_view rest(text.data(), text.size());
  const std::size_t at = rest.find(kKey);
  if (at == std::string_view::npos) return -1;
  return as_guest_knows(call, leading_number(rest.substr(at + kKey.size())));
}

/// move_pages without a destination: where the pages are. What the guest does not have is EFAULT.
i64 ask_nodes(Call& call, std::span<u64> pages, std::span<i32> nodes) {
  std::vector<bool> missing(pages.size());
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const memory::Region* const region = call.space().find(pages[i]);
    missing[i] = region == nullptr;
    if (missing[i] || region->on_paper) pages[i] = kFaultingAddress;
  }
  CallBuilder builder(call, __NR_move_pages);
  builder.value(0, 0);
  builder.value(1, pages.size());
  builder.engine_in(2, pages.data(), pages.size_bytes());
  builder.value(3, 0);
  builder.engine_out(4, nodes.data(), nodes.size_bytes());
  builder.value(5, 0);
  if (const i64 error = builder.perform(); error < 0) return error;
  for (std::size_t i = 0; i < pages.size(); ++i)
    if (pages[i] == kFaultingAddress) nodes[i] = missing[i] ? -EFAULT : -ENOENT;
  return 0;
}

}  // namespace

i64 sys_process_vm_readv(Call& call) { return transfer(call, false); }
i64 sys_process_vm_writev(Call& call) { return transfer(call, true); }

/// A machine of one node: pages can only be asked about, or moved to where they are.
i64 sys_move_pages(Call& call) {
  constexpr u64 kMove = 2, kMoveAll = 4;
  if ((call.args[5] & ~(kMove | kMoveAll)) != 0) return -EINVAL;
  if (call.args[0] != 0 && !is_self(call, call.args[0])) return -EPERM;
  const u64 count = call.args[1];
  std::vector<u64> pages;
  std::vector<i32> nodes;
  for (u64 at = 0; at < count; at += pages.size()) {
    pages.resize(std::min(kPageListMost, count - at));
    nodes.resize(pages.size());
    const std::span<u8> list(reinterpret_cast<u8*>(pages.data()), pages.size() * sizeof(u64));
    if (!call.space().read(call.args[2] + at * sizeof(u64), list)) return -EFAULT;
    for (std::size_t i = 0; i < pages.size() && call.args[3] != 0; ++i) {
      i32 node = 0;
      if (!call.space().read_value(call.args[3] + (at + i) * sizeof node, node)) return -EFAULT;
      if (node != 0) return -ENODEV;
    }
    if (const i64 error = ask_nodes(call, pages, nodes); error < 0) return error;
    const std::span<const u8> status(reinterpret_cast<const u8*>(nodes.data()), nodes.size() * sizeof(i32));
    if (!call.space().write(call.args[4] + at * sizeof(i32), status)) return -EFAULT;
  }
  return 0;
}

/// Advice to the process itself is madvise, region by region of the list.
i64 sys_process_madvise(Call& call) {
  if (call.args[4] != 0) return -EINVAL;
  std::vector<Vector> vectors;
  if (const i64 error = read_vectors(call, call.args[1], call.args[2], vectors); error != 0) return error;
  const i64 pid = pid_of(call, call.fd(0));
  if (pid < 0) return -EBADF;
  if (!is_self(call, static_cast<u64>(pid))) return -EPERM;
  i64 done = 0;
  for (const Vector& vector : vectors) {
    const i64 error = call.space().madvise(vector.base, vector.size_bytes, call.fd(3));
    if (error < 0) return done != 0 ? done : error;
    done += static_cast<i64>(vector.size_bytes);
  }
  return done;
}

/// A copy of a descriptor of one's own is as good as dup's; the engine's do not exist.
i64 sys_pidfd_getfd(Call& call) {
  const i64 fd = forward(call);
  if (fd < 0) return fd;
  const i64 pid = pid_of(call, call.fd(0));
  if (pid >= 0 && is_self(call, static_cast<u64>(pid)))
    call.process.fds->duplicated(call.fd(1), static_cast<int>(fd));
  else
    call.process.fds->set_origin(static_cast<int>(fd), Origin::others);
  return fd;
}

}  // namespace orrery::kernel
