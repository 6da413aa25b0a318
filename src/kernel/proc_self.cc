// Three kinds of files. Those that are wholly the guest's (maps, cmdline, auxv, comm, limits, statm) are
// written from its state, in the formats of fs/proc/{task_mmu,array,base}.c. Those that mix in what the host
// measures (stat, status: times, tty, faults) take the host's text through the door, where it is recorded,
// and replace the fields in which the engine would show. Those that would give the engine away or hand out
// its memory (mem, pagemap, smaps, ...) are refused with EACCES, as a hardened kernel does, and one line says
// so.
#include "kernel/proc_self.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "kernel/proc_self_text.h"
#include "kernel/signal.h"

namespace orrery::kernel {
namespace {

using memory::Region;

struct Entry {
  std::string_view name;
  void (*write)(Task& task, Text& out);  ///< null: refused
};

std::string_view path_of(const Process& process, const Region& region) {
  const auto& path = process.memory->files()[region.file - 1].path;
  return {path.data(), path.size()};
}

/// get_vma_name.
std::string_view name_of(const Process& process, const Region& region) {
  const memory::AddressSpace& space = *process.memory;
  if (region.file != 0) return path_of(process, region);
  if ((region.flags & MAP_SHARED) != 0) return "/dev/zero (deleted)";
  if (region.start < space.brk_end() && region.end > space.brk_start()) return "[heap]";
  const u64 stack = process.image.stack_start;
  if (region.start <= stack && region.end >= stack) return "[stack]";
  return {};
}

void write_map_line(const Process& process, const Region& region, Text& out) {
  constexpr std::size_t kNameColumn = 73;
  const std::size_t line = out.size();
  out.hex(region.start, 8).character('-').hex(region.end, 8).character(' ');
  out.character((region.protection & PROT_READ) != 0 ? 'r' : '-');
  out.character((region.protection & PROT_WRITE) != 0 ? 'w' : '-');
  out.character((region.protection & PROT_EXEC) != 0 ? 'x' : '-');
  out.character((region.flags & MAP_SHARED) != 0 ? 's' : 'p');
  if (region.file != 0) {
    const memory::MappedFile& file = process.memory->files()[region.file - 1];
    out.character(' ').hex(region.offset, 8).character(' ').hex(file.device_major, 2);
    out.character(':').hex(file.device_minor, 2).character(' ').decimal(file.inode);
  } else {
    const bool shared = (region.flags & MAP_SHARED) != 0;
    out.add(shared ? " 00000000 00:01 1" : " 00000000 00:00 0");
  }
  out.character(' ');
  if (const std::string_view name = name_of(process, region); !name.empty()) {
    out.pad_to(line + kNameColumn);
    for (const char c : name) {
      if (c == '\n')
        out.add("\\012");
      else
        out.character(c);
    }
  }
  out.character('\n');
}

void write_maps(Task& task, Text& out) {
  for (const Region& region : task.process.space().regions()) write_map_line(task.process, region, out);
}

/// Guest memory as it is now: a program may have overwritten its arguments.
void write_memory(Task& task, u64 start, u64 end, Text& out) {
  std::vector<u8> bytes(end - start);
  if (!task.process.space().read(start, bytes)) return;
  out.add(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void write_cmdline(Task& task, Text& out) {
  const ImageLayout& image = task.process.image;
  write_memory(task, image.arguments_start, image.arguments_end, out);
}

void write_environ(Task& task, Text& out) {
  const ImageLayout& image = task.process.image;
  write_memory(task, image.environment_start, image.environment_end, out);
}

void write_auxv(Task& task, Text& out) {
  const auto& words = task.process.auxv;
  out.add(std::string_view(reinterpret_cast<const char*>(words.data()), words.size() * sizeof(u64)));
}

void write_comm(Task& task, Text& out) { out.add(task.comm.data()).character('\n'); }

void write_limit(u64 value, Text& out) {
  const std::size_t start = out.size();
  if (value == ~u64{0})
    out.add("unlimited");
  else
    out.decimal(value);
  out.pad_to(start + 20).character(' ');
}

void write_limits(Task& task, Text& out) {
  struct Name {
    std::string_view name, unit;
  };
  static constexpr std::array<Name, kResourceLimitCount> kNames{{{"Max cpu time", "seconds"},
                                                                 {"Max file size", "bytes"},
                                                                 {"Max data size", "bytes"},
                                                                 {"Max stack size", "bytes"},
                                                                 {"Max core file size", "bytes"},
                                                                 {"Max resident set", "bytes"},
                                                                 {"Max processes", "processes"},
                                                                 {"Max open files", "files"},
                                                                 {"Max locked memory", "bytes"},
                                                                 {"Max address space", "bytes"},
                                                                 {"Max file locks", "locks"},
                                                                 {"Max pending signals", "signals"},
                                                                 {"Max msgqueue size", "bytes"},
                                                                 {"Max nice priority", ""},
                                                                 {"Max realtime priority", ""},
                                                                 {"Max realtime timeout", "us"}}};
  out.add("Limit                     Soft Limit           Hard Limit           Units     \n");
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const std::size_t start = out.size();
    out.add(kNames[i].name).pad_to(start + 25).character(' ');
    write_limit(task.process.limits[i].soft, out);
    write_limit(task.process.limits[i].hard, out);
    const std::size_t unit = out.size();
    out.add(kNames[i].unit);
    if (!kNames[i].unit.empty()) out.pad_to(unit + 10);
    out.character('\n');
  }
}

}  // namespace

std::vector<char> read_host_file(Process& process, const char* path) {
  std::vector<char> text;
  host::HostCall open;
  open.number = __NR_open;
  open.args = {reinterpret_cast<u64>(path), O_RDONLY | O_CLOEXEC};
  open.checked_args = 0b10;
  open.in.add({reinterpret_cast<u64>(path), std::char_traits<char>::length(path) + 1});
  const i64 fd = call_uninterrupted(process, open);
  if (fd < 0) return text;
  constexpr std::size_t kChunkBytes = 4096;
  for (i64 count = 1; count > 0;) {
    const std::size_t size = text.size();
    text.resize(size + kChunkBytes);
    host::HostCall read;
    read.number = __NR_read;
    read.args = {static_cast<u64>(fd), reinterpret_cast<u64>(text.data() + size), kChunkBytes};
    read.checked_args = 0b101;
    read.out.add({.address = reinterpret_cast<u64>(text.data() + size),
                  .capacity_bytes = kChunkBytes,
                  .extent = host::Extent::result_bytes});
    count = call_uninterrupted(process, read);
    text.resize(size + static_cast<std::size_t>(std::max<i64>(count, 0)));
  }
  host::HostCall close;
  close.number = __NR_close;
  close.args = {static_cast<u64>(fd)};
  process.host.call(close);
  return text;
}

namespace {

void write_stat(Task& task, Text& out) {
  write_stat_over(task, read_host_file(task.process, "/proc/self/stat"), out);
}
void write_status(Task& task, Text& out) {
  write_status_over(task, read_host_file(task.process, "/proc/self/status"), out);
}
void write_statm(Task& task, Text& out) {
  write_statm_over(task, read_host_file(task.process, "/proc/self/statm"), out);
}

constexpr Entry kEntries[] = {
    {"maps", write_maps},      {"cmdline", write_cmdline}, {"environ", write_environ},
    {"auxv", write_auxv},      {"comm", write_comm},       {"limits", write_limits},
    {"stat", write_stat},      {"status", write_status},   {"statm", write_statm},
    {"mem", nullptr},          {"pagemap", nullptr},       {"smaps", nullptr},
    {"smaps_rollup", nullptr}, {"numa_maps", nullptr},     {"clear_refs", nullptr},
    {"syscall", nullptr},      {"stack", nullptr},         {"map_files", nullptr},
};

const Entry* find_entry(std::string_view name) {
  if (name.substr(0, 10) == "map_files/") name = "map_files";
  const auto* found = std::find_if(std::begin(kEntries), std::end(kEntries),
                                   [name](const Entry& entry) { return entry.name == name; });
  return found == std::end(kEntries) ? nullptr : found;
}

}  // namespace

i64 make_memory_file(Process& process, const char* name, std::string_view text, bool close_on_exec) {
  host::HostCall create;
  create.number = __NR_memfd_create;
  create.args = {reinterpret_cast<u64>(name), close_on_exec ? u64{MFD_CLOEXEC} : 0};
  create.checked_args = 0b10;
  const i64 fd = process.host.call(create);
  if (fd < 0) return fd;
  while (!text.empty()) {
    host::HostCall write;
    write.number = __NR_write;
    write.args = {static_cast<u64>(fd), reinterpret_cast<u64>(text.data()), text.size()};
    write.checked_args = 0b101;
    write.in.add({reinterpret_cast<u64>(text.data()), text.size()});
    const i64 count = call_uninterrupted(process, write);
    if (count <= 0) break;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  host::HostCall rewind;
  rewind.number = __NR_lseek;
  rewind.args = {static_cast<u64>(fd), 0, SEEK_SET};
  process.host.call(rewind);
  return fd;
}

bool is_own_proc_file(std::string_view entry) { return find_entry(entry) != nullptr; }

bool write_own_proc_file(Task& task, std::string_view entry, Text& out) {
  const Entry* found = find_entry(entry);
  if (found == nullptr || found->write == nullptr) return false;
  found->write(task, out);
  return true;
}

i64 open_own_proc_file(Task& task, std::string_view entry, int flags) {
  if ((flags & O_DIRECTORY) != 0) return -ENOTDIR;
  Text text;
  if (!write_own_proc_file(task, entry, text)) {
    task.process.say(Text().add("/proc/self/").add(entry).add(" is refused: the program gets EACCES").view());
    return -EACCES;
  }
  if ((flags & O_ACCMODE) != O_RDONLY) return -EACCES;
  return make_memory_file(task.process, "proc", text.view(), (flags & O_CLOEXEC) != 0);
}

}  // namespace orrery::kernel
