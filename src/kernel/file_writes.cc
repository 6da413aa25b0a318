#include "kernel/file_writes.h"

#include <asm/unistd.h>
#include <sys/stat.h>

#include "kernel/device_numbers.h"
#include "kernel/process.h"
#include "kernel/signal.h"

namespace orrery::kernel {
namespace {

using cpu::Gpr;

/// Calls that write to a file, and the register with its descriptor; rsp: the call goes by a path. Opening
/// may truncate; then the descriptor is the result.
struct Writer {
  u32 number;
  Gpr descriptor;
};
constexpr Writer kWriters[] = {
    {__NR_write, Gpr::rdi},     {__NR_pwrite64, Gpr::rdi}, {__NR_writev, Gpr::rdi},
    {__NR_pwritev, Gpr::rdi},   {__NR_pwritev2, Gpr::rdi}, {__NR_ftruncate, Gpr::rdi},
    {__NR_fallocate, Gpr::rdi}, {__NR_sendfile, Gpr::rdi}, {__NR_splice, Gpr::rdx},
    {__NR_ioctl, Gpr::rdi},     {__NR_truncate, Gpr::rsp}, {__NR_copy_file_range, Gpr::rdx},
    {__NR_open, Gpr::rax},      {__NR_openat, Gpr::rax},   {__NR_openat2, Gpr::rax},
    {__NR_creat, Gpr::rax},
};

const Writer* writer(i64 number) {
  for (const Writer& row : kWriters)
    if (row.number == number) return &row;
  return nullptr;
}

}  // namespace

void announce_file_writes(Task& task) {
  memory::AddressSpace& space = task.process.space();
  if (!space.has_shared_code() || task.call.replaced) return;
  const Writer* const row = writer(task.call.number);
  if (row == nullptr || static_cast<i64>(task.cpu.regs[Gpr::rax]) < 0) return;
  if (row->descriptor == Gpr::rsp) return space.any_file_written();
  struct stat status {};
  host::HostCall ask;
  ask.number = __NR_fstat;
  ask.args = {task.cpu.regs[row->descriptor], reinterpret_cast<u64>(&status)};
  ask.checked_args = 0b01;
  ask.out.add({.address = reinterpret_cast<u64>(&status), .capacity_bytes = sizeof status});
  if (call_uninterrupted(task.process, ask) < 0) return space.any_file_written();
  space.file_written(device_major(status.st_dev), device_minor(status.st_dev), status.st_ino);
}

}  // namespace orrery::kernel
