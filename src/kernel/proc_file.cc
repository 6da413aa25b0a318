// Reading goes on in a text as long as it goes on where it stopped; a read from anywhere else, the start
// above all, sees the state of that moment, as with the kernel's seq_file.
#include "kernel/proc_file.h"

#include <asm/unistd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "kernel/path.h"
#include "kernel/proc_others.h"
#include "kernel/proc_self.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include "kernel/task.h"

namespace orrery::kernel {
namespace {

constexpr u64 kPageMapEntryBytes = 8;
constexpr std::size_t kChunkBytes = 4096;

/// Into guest memory, as far as it is there.
i64 give(Task& task, u64 address, std::span<const u8> bytes) {
  memory::AddressSpace& space = task.process.space();
  const u64 accessible = space.accessible_bytes(address, bytes.size(), memory::Access::write);
  if (accessible == 0 && !bytes.empty()) return -EFAULT;
  return space.write(address, bytes.first(accessible)) ? static_cast<i64>(accessible) : -EFAULT;
}

/// The bytes at `offset` up to the end. Written anew unless reading goes on where it stopped.
std::string_view text_at(Task& task, ProcFile& file, u64 offset) {
  if (offset == 0 || offset != file.text_left_at) {
    Text text;
    const auto entry = own_proc_entry(task.process, file.name());
    Task* const shown = task_of_proc_path(task.process, file.name());
    if (entry && shown != nullptr)
      write_own_proc_file(*shown, *entry, text);
    else
      write_others_proc_file(task.process, file.name(), text);
    file.text = text.take();
  }
  const std::string_view text(file.text.data(), file.text.size());
  return text.substr(std::min<u64>(offset, text.size()));
}

i64 read_text(Task& task, ProcFile& file, u64 offset, u64 address, u64 size_bytes) {
  const std::string_view rest = text_at(task, file, offset);
  const std::size_t count = std::min<std::size_t>(rest.size(), size_bytes);
  const i64 given = give(task, address, {reinterpret_cast<const u8*>(rest.data()), count});
  if (given >= 0) file.text_left_at = offset + static_cast<u64>(given);
  return given;
}

/// mem_rw: page by page through a buffer of the kernel's.
i64 read_memory(Task& task, u64 offset, u64 address, u64 size_bytes) {
  std::array<u8, kChunkBytes> chunk;
  u64 done = 0;
  while (done < size_bytes) {
    const std::size_t wanted = std::min<std::size_t>(chunk.size(), size_bytes - done);
    const u64 got = task.process.space().peek(offset + done, std::span(chunk).first(wanted));
    if (got == 0) return done != 0 ? static_cast<i64>(done) : -EIO;
    const i64 given = give(task, address + done, std::span(chunk).first(got));
    if (given < static_cast<i64>(got)) return -EFAULT;
    done += got;
  }
  return static_cast<i64>(done);
}

i64 write_memory(Task& task, u64 offset, u64 address, u64 size_bytes) {
  std::array<u8, kChunkBytes> chunk;
  u64 done = 0;
  while (done < size_bytes) {
    const auto bytes = std::span(chunk).first(std::min<std::size_t>(chunk.size(), size_bytes - done));
    if (!task.process.space().read(address + done, bytes)) return -EFAULT;
    const u64 got = task.process.space().poke(offset + done, bytes);
    if (got == 0) return done != 0 ? static_cast<i64>(done) : -EIO;
    done += got;
  }
  return static_cast<i64>(done);
}

/// Pages that are not the guest's look as if nothing were there.
void hide_engine_pages(Process& process, u64 first_page, std::span<u64> entries) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const memory::Region* const region = process.space().find((first_page + i) * kPageBytes);
    if (region == nullptr || region->on_paper) entries[i] = 0;
  }
}

i64 read_page_map(Task& task, int fd, u64 offset, u64 address, u64 size_bytes) {
  if ((offset | size_bytes) % kPageMapEntryBytes != 0) return -EINVAL;
  std::array<u64, kChunkBytes / kPageMapEntryBytes> entries;
  u64 done = 0;
  while (done < size_bytes) {
    const u64 wanted = std::min<u64>(sizeof entries, size_bytes - done);
    host::HostCall read;
    read.number = __NR_pread64;
    read.args = {static_cast<u64>(fd), reinterpret_cast<u64>(entries.data()), wanted, offset + done};
    read.checked_args = 0b1101;
    read.out.add({.address = reinterpret_cast<u64>(entries.data()),
                  .capacity_bytes = wanted,
                  .extent = host::Extent::result_bytes});
    const i64 got = call_uninterrupted(task.process, read);
    if (got <= 0) return done != 0 ? static_cast<i64>(done) : got;
    const auto words = std::span(entries).first(static_cast<u64>(got) / kPageMapEntryBytes);
    hide_engine_pages(task.process, (offset + done) / kPageMapEntryBytes, words);
    const i64 given =
        give(task, address + done, {reinterpret_cast<const u8*>(words.data()), words.size_bytes()});
    if (given < got) return -EFAULT;
    done += static_cast<u64>(got);
    if (static_cast<u64>(got) < wanted) break;
  }
  return static_cast<i64>(done);
}

/// comm_write: what does not fit is cut off, silently.
i64 write_command(Task& task, ProcFile& file, u64 address, u64 size_bytes) {
  Task* const named = task_of_proc_path(task.process, file.name());
  if (named == nullptr) return -ESRCH;
  std::array<char, 16> comm{};
  const auto count = std::min<std::size_t>(comm.size() - 1, size_bytes);
  if (!task.process.space().read(address, {reinterpret_cast<u8*>(comm.data()), count})) return -EFAULT;
  set_command_name(*named, comm);
  return static_cast<i64>(size_bytes);
}

/// Room for one entry of a directory: the number of a task, or a dot or two.
struct EntryBuffer {
  u8 bytes[48] = {};
  u16 size = 0;
};

/// struct linux_dirent64, or struct linux_dirent, which has the type behind the name.
EntryBuffer directory_entry(u64 node, u64 position, std::string_view name, bool old_layout) {
  constexpr u8 kDirectory = 4;  // DT_DIR
  const std::size_t name_at = old_layout ? 18 : 19;
  EntryBuffer entry;
  entry.size = static_cast<u16>((name_at + name.size() + (old_layout ? 2 : 1) + 7) & ~std::size_t{7});
  std::memcpy(entry.bytes, &node, sizeof node);
  std::memcpy(entry.bytes + 8, &position, sizeof position);
  std::memcpy(entry.bytes + 16, &entry.size, sizeof entry.size);
  std::memcpy(entry.bytes + name_at, name.data(), name.size());
  entry.bytes[old_layout ? entry.size - 1 : 18] = kDirectory;
  return entry;
}

std::vector<i32> numbers_of_tasks(Process& process, std::string_view path) {
  const Task* const shown = task_of_proc_path(process, path);
  if (shown == nullptr) return list_others_tasks(process, path);
  std::vector<i32> numbers;
  for (const auto& task : shown->process.tasks) numbers.push_back(task->id.value);
  return numbers;
}

}  // namespace

/// proc_task_readdir: the position is the index of the next entry.
i64 list_tasks(Task& task, ProcFile& file, u64 address, u64 size_bytes, bool old_layout) {
  constexpr u64 kFirstNode = 0x1000, kDots = 2;
  const std::vector<i32> tasks = numbers_of_tasks(task.process, file.name());
  if (tasks.empty()) return -ENOENT;
  u64 done = 0;
  for (; file.position < kDots + tasks.size(); ++file.position) {
    const u64 index = file.position;
    Text name;
    if (index < kDots)
      name.add(index == 0 ? "." : "..");
    else
      name.integer(tasks[index - kDots]);
    const EntryBuffer entry = directory_entry(kFirstNode + index, index + 1, name.view(), old_layout);
    if (done + entry.size > size_bytes) return done != 0 ? static_cast<i64>(done) : -EINVAL;
    if (!task.process.space().write(address + done, {entry.bytes, entry.size}))
      return done != 0 ? static_cast<i64>(done) : -EFAULT;
    done += entry.size;
  }
  return static_cast<i64>(done);
}

i64 read_proc_file(Task& task, int fd, ProcFile& file, u64 offset, u64 address, u64 size_bytes) {
  if (size_bytes == 0) return 0;
  switch (file.kind) {
    case ProcKind::memory:
      return read_memory(task, offset, address, size_bytes);
    case ProcKind::page_map:
      return read_page_map(task, fd, offset, address, size_bytes);
    case ProcKind::tasks:
      return -EISDIR;
    default:
      return read_text(task, file, offset, address, size_bytes);
  }
}

i64 write_proc_file(Task& task, ProcFile& file, u64 offset, u64 address, u64 size_bytes) {
  if (file.kind == ProcKind::memory) return write_memory(task, offset, address, size_bytes);
  return file.kind == ProcKind::command ? write_command(task, file, address, size_bytes) : -EINVAL;
}

/// mem_lseek takes any offset, since addresses are unsigned; the others do not go below 0. Only files with
/// generic_file_llseek know an end, which is 0.
i64 seek_proc_file(ProcFile& file, i64 offset, int origin) {
  const bool any = file.kind == ProcKind::memory || file.kind == ProcKind::page_map;
  const std::string_view name = file.name().substr(file.name().rfind('/') + 1);
  const bool ends = name == "cmdline" || name == "auxv";
  if (origin != SEEK_SET && origin != SEEK_CUR && !(origin == SEEK_END && ends)) return -EINVAL;
  if (origin == SEEK_CUR) offset += static_cast<i64>(file.position);
  if (!any && offset < 0) return -EINVAL;
  file.position = static_cast<u64>(offset);
  return offset;
}

}  // namespace orrery::kernel
