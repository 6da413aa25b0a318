// Layouts are the kernel's uapi ones on x86-64. Where a structure has many fields only those that explain a
// program's behaviour are shown, and "..." says that there are more, as strace does.
#include "linux/struct_print.h"

#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "linux/signal_names.h"

namespace orrery::abi {
namespace {

struct Time {
  i64 seconds, fraction;
};

void print_time(const Printer& p, u64 address, const char* seconds, const char* fraction) {
  Time time;
  if (!p.load(address, time)) return p.pointer(address);
  p.out.add("{").add(seconds).add("=").integer(time.seconds);
  p.out.add(", ").add(fraction).add("=").integer(time.fraction).add("}");
}

/// struct itimerval and itimerspec: the interval, then the value.
void print_timer(const Printer& p, u64 address, const char* prefix, const char* seconds,
                 const char* fraction) {
  p.out.add("{").add(prefix).add("_interval=");
  print_time(p, address, seconds, fraction);
  p.out.add(", ").add(prefix).add("_value=");
  print_time(p, address + sizeof(Time), seconds, fraction);
  p.out.add("}");
}

void print_mode(u32 mode, Text& out) {
  struct Type {
    u32 value;
    const char* name;
  };
  for (const Type type : {Type{S_IFREG, "S_IFREG"}, Type{S_IFDIR, "S_IFDIR"}, Type{S_IFLNK, "S_IFLNK"},
                          Type{S_IFCHR, "S_IFCHR"}, Type{S_IFBLK, "S_IFBLK"}, Type{S_IFIFO, "S_IFIFO"},
                          Type{S_IFSOCK, "S_IFSOCK"}})
    if ((mode & S_IFMT) == type.value) out.add(type.name).add("|");
  out.character('0').octal(mode & 07777, 3);
}

void print_stat(const Printer& p, u64 address) {
  struct stat status;
  if (!p.load(address, status)) return p.pointer(address);
  p.out.add("{st_mode=");
  print_mode(status.st_mode, p.out);
  if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
    p.out.add(", st_rdev=0x").hex(status.st_rdev);
  else
    p.out.add(", st_size=").integer(status.st_size);
  p.out.add(", ...}");
}

void print_statx(const Printer& p, u64 address) {
  // stx_mask, stx_blksize, stx_attributes, stx_nlink, stx_uid, stx_gid, stx_mode, stx_ino, stx_size.
  struct {
    u32 mask, block_bytes;
    u64 attributes;
    u32 links, uid, gid;
    u16 mode, padding;
    u64 inode, size;
  } status;
  if (!p.load(address, status)) return p.pointer(address);
  p.out.add("{stx_mask=");
  print_flags(Flags::stat_mask, status.mask, p.out);
  p.out.add(", stx_mode=");
  print_mode(status.mode, p.out);
  p.out.add(", stx_size=").decimal(status.size).add(", ...}");
}

void print_limit(const Printer& p, u64 address) {
  u64 limit[2];
  if (!p.load(address, limit)) return p.pointer(address);
  const char* names[2] = {"{rlim_cur=", ", rlim_max="};
  for (std::size_t i = 0; i < 2; ++i) {
    p.out.add(names[i]);
    if (limit[i] == ~u64{0})
      p.out.add("RLIM64_INFINITY");
    else
      p.out.decimal(limit[i]);
  }
  p.out.add("}");
}

void print_signal_set_value(u64 set, Text& out) {
  int members = 0;
  for (int number = 1; number <= 64; ++number) members += static_cast<int>(set >> (number - 1) & 1);
  const bool inverted = members > 32;
  if (inverted) out.add("~");
  out.add("[");
  bool first = true;
  for (int number = 1; number <= 64; ++number) {
    if (((set >> (number - 1) & 1) != 0) == inverted) continue;
    if (!first) out.add(" ");
    first = false;
    Text name;
    print_signal(number, name);
    out.add(name.view().substr(3));
  }
  out.add("]");
}

void print_signal_set(const Printer& p, u64 address) {
  u64 set;
  if (!p.load(address, set)) return p.pointer(address);
  print_signal_set_value(set, p.out);
}

void print_signal_action(const Printer& p, u64 address) {
  struct {
    u64 handler, flags, restorer, mask;
  } action;
  if (!p.load(address, action)) return p.pointer(address);
  p.out.add("{sa_handler=");
  if (action.handler <= 1)
    p.out.add(action.handler == 0 ? "SIG_DFL" : "SIG_IGN");
  else
    p.pointer(action.handler);
  p.out.add(", sa_mask=");
  print_signal_set_value(action.mask, p.out);
  p.out.add(", sa_flags=0x").hex(action.flags).add("}");
}

void print_signal_info(const Printer& p, u64 address) {
  struct {
    i32 number, error, code;
  } info;
  if (!p.load(address, info)) return p.pointer(address);
  p.out.add("{si_signo=");
  print_signal(info.number, p.out);
  p.out.add(", si_code=").integer(info.code).add(", ...}");
}

void print_poll_entry(const Printer& p, u64 address) {
  struct {
    i32 fd;
    u16 events, revents;
  } entry;
  if (!p.load(address, entry)) return p.pointer(address);
  p.out.add("{fd=").integer(entry.fd).add(", events=");
  print_flags(Flags::poll, entry.events, p.out);
  if (entry.revents != 0) {
    p.out.add(", revents=");
    print_flags(Flags::poll, entry.revents, p.out);
  }
  p.out.add("}");
}

void print_epoll_event(const Printer& p, u64 address) {
  struct __attribute__((packed)) {
    u32 events;
    u64 data;
  } event;
  if (!p.load(address, event)) return p.pointer(address);
  const u32 events = event.events;
  const u64 data = event.data;
  p.out.add("{events=");
  Text names;
  print_flags(Flags::poll, events, names);
  // The same bits have EPOLL names here.
  std::string_view rest = names.view();
  while (!rest.empty()) {
    const std::size_t bar = std::min(rest.find('|'), rest.size());
    if (rest.substr(0, 4) == "POLL") p.out.add("E");
    p.out.add(rest.substr(0, bar));
    if (bar < rest.size()) p.out.add("|");
    rest.remove_prefix(std::min(bar + 1, rest.size()));
  }
  p.out.add(", data=0x").hex(data).add("}");
}

/// utsname's first fields, 65 bytes each.
void print_system_name(const Printer& p, u64 address) {
  p.out.add("{sysname=");
  p.string(address);
  p.out.add(", nodename=");
  p.string(address + 65);
  p.out.add(", ...}");
}

void print_flock(const Printer& p, u64 address) {
  struct {
    i16 type, whence;
    i64 start, length;
    i32 pid;
  } lock;
  if (!p.load(address, lock)) return p.pointer(address);
  p.out.add("{l_type=");
  print_flags(Flags::lease, static_cast<u16>(lock.type), p.out);
  p.out.add(", l_whence=");
  print_flags(Flags::whence, static_cast<u16>(lock.whence), p.out);
  p.out.add(", l_start=").integer(lock.start).add(", l_len=").integer(lock.length).add("}");
}

void print_window_size(const Printer& p, u64 address) {
  u16 size[4];
  if (!p.load(address, size)) return p.pointer(address);
  p.out.add("{ws_row=").decimal(size[0]).add(", ws_col=").decimal(size[1]);
  p.out.add(", ws_xpixel=").decimal(size[2]).add(", ws_ypixel=").decimal(size[3]).add("}");
}

void print_stack(const Printer& p, u64 address) {
  struct {
    u64 address;
    i32 flags;
    u64 size;
  } stack;
  if (!p.load(address, stack)) return p.pointer(address);
  p.out.add("{ss_sp=");
  p.pointer(stack.address);
  p.out.add(", ss_flags=").integer(stack.flags).add(", ss_size=").decimal(stack.size).add("}");
}

template <class T>
void print_number(const Printer& p, u64 address) {
  T value;
  if (!p.load(address, value)) return p.pointer(address);
  p.out.add("[").integer(static_cast<i64>(value)).add("]");
}

void print_pair(const Printer& p, u64 address) {
  i32 pair[2];
  if (!p.load(address, pair)) return p.pointer(address);
  p.out.add("[").integer(pair[0]).add(", ").integer(pair[1]).add("]");
}

void print_usage(const Printer& p, u64 address) {
  p.out.add("{ru_utime=");
  print_time(p, address, "tv_sec", "tv_usec");
  p.out.add(", ru_stime=");
  print_time(p, address + sizeof(Time), "tv_sec", "tv_usec");
  p.out.add(", ...}");
}

void print_internet_address(const Printer& p, u64 address, bool version6) {
  u8 bytes[24] = {};
  const std::size_t wanted = version6 ? 24 : 8;
  if (p.memory.read(address, {bytes, wanted}) != wanted) return;
  p.out.add(version6 ? ", sin6_port=htons(" : ", sin_port=htons(");
  p.out.decimal(static_cast<u64>(bytes[2]) << 8 | bytes[3]).add(")");
  if (!version6) {
    p.out.add(", sin_addr=inet_addr(\"");
    for (std::size_t i = 4; i < 8; ++i) p.out.decimal(bytes[i]).add(i < 7 ? "." : "\")");
    return;
  }
  p.out.add(", sin6_addr=\"");
  for (std::size_t i = 8; i < 24; i += 2)
    p.out.hex(static_cast<u64>(bytes[i]) << 8 | bytes[i + 1]).add(i < 22 ? ":" : "\"");
}

}  // namespace

void Printer::pointer(u64 address) const {
  if (address == 0)
    out.add("NULL");
  else
    out.add("0x").hex(address);
}

void Printer::string(u64 address) const {
  if (address == 0) return pointer(address);
  std::vector<u8> bytes;
  constexpr std::size_t kPathBytes = 4096;
  u8 byte = 0;
  while (bytes.size() < kPathBytes && memory.read(address + bytes.size(), {&byte, 1}) == 1) {
    if (byte == 0) return print_bytes(bytes, out);
    bytes.push_back(byte);
  }
  if (bytes.empty()) return pointer(address);
  print_bytes(bytes, out);
  out.add("...");
}

void Printer::buffer(u64 address, u64 shown_bytes) const {
  if (address == 0) return pointer(address);
  std::vector<u8> bytes(std::min<u64>(shown_bytes, options.string_bytes_most));
  bytes.resize(memory.read(address, bytes));
  if (bytes.empty() && shown_bytes != 0) return pointer(address);
  print_bytes(bytes, out);
  if (bytes.size() < shown_bytes) out.add("...");
}

void Printer::vectors(u64 address, u64 count, u64 bytes_most) const {
  if (address == 0) return pointer(address);
  out.add("[");
  for (u64 i = 0; i < count; ++i) {
    u64 vector[2];
    if (i != 0) out.add(", ");
    if (i >= options.items_most || !load(address + i * sizeof vector, vector)) {
      out.add("...");
      break;
    }
    const u64 shown = std::min(vector[1], bytes_most);
    bytes_most -= shown;
    out.add("{iov_base=");
    buffer(vector[0], shown);
    out.add(", iov_len=").decimal(vector[1]).add("}");
  }
  out.add("]");
}

void print_struct(const Printer& p, Struct structure, u64 address) {
  switch (structure) {
    case Struct::i32_value:
      return print_number<i32>(p, address);
    case Struct::u32_value:
      return print_number<u32>(p, address);
    case Struct::u64_value:
      return print_number<u64>(p, address);
    case Struct::timespec:
      return print_time(p, address, "tv_sec", "tv_nsec");
    case Struct::timeval:
      return print_time(p, address, "tv_sec", "tv_usec");
    case Struct::itimerval:
      return print_timer(p, address, "it", "tv_sec", "tv_usec");
    case Struct::itimerspec:
      return print_timer(p, address, "it", "tv_sec", "tv_nsec");
    case Struct::stat:
      return print_stat(p, address);
    case Struct::statx:
      return print_statx(p, address);
    case Struct::utsname:
      return print_system_name(p, address);
    case Struct::rlimit:
      return print_limit(p, address);
    case Struct::rusage:
      return print_usage(p, address);
    case Struct::sigset:
      return print_signal_set(p, address);
    case Struct::sigaction:
      return print_signal_action(p, address);
    case Struct::siginfo:
      return print_signal_info(p, address);
    case Struct::stack:
      return print_stack(p, address);
    case Struct::pollfd:
      return print_poll_entry(p, address);
    case Struct::epoll_event:
      return print_epoll_event(p, address);
    case Struct::fd_pair:
      return print_pair(p, address);
    case Struct::flock:
      return print_flock(p, address);
    case Struct::winsize:
      return print_window_size(p, address);
    default:
      return p.pointer(address);
  }
}

void print_socket_address(const Printer& p, u64 address, u64 size_bytes) {
  u16 family = 0;
  if (address == 0 || size_bytes < sizeof family || !p.load(address, family)) return p.pointer(address);
  p.out.add("{sa_family=");
  print_flags(Flags::socket_family, family, p.out);
  constexpr u16 kUnix = 1, kInternet = 2, kInternet6 = 10;
  if (family == kUnix && size_bytes > sizeof family) {
    u8 first = 0;
    p.out.add(", sun_path=");
    if (p.load(address + 2, first) && first == 0) {
      p.out.add("@");  // an abstract name
      p.buffer(address + 3, size_bytes - 3);
    } else {
      p.string(address + 2);
    }
  } else if (family == kInternet && size_bytes >= 8) {
    print_internet_address(p, address, false);
  } else if (family == kInternet6 && size_bytes >= 24) {
    print_internet_address(p, address, true);
  }
  p.out.add("}");
}

void print_message(const Printer& p, u64 address, u64 bytes_most) {
  struct {
    u64 name;
    u32 name_bytes, padding;
    u64 vectors, vector_count, control, control_bytes;
    u32 flags;
  } header;
  if (!p.load(address, header)) return p.pointer(address);
  p.out.add("{msg_name=");
  print_socket_address(p, header.name, header.name_bytes);
  p.out.add(", msg_namelen=").decimal(header.name_bytes).add(", msg_iov=");
  p.vectors(header.vectors, header.vector_count, bytes_most);
  p.out.add(", msg_iovlen=").decimal(header.vector_count);
  p.out.add(", msg_controllen=").decimal(header.control_bytes).add(", msg_flags=");
  print_flags(Flags::message, header.flags, p.out);
  p.out.add("}");
}

void print_descriptor_set(const Printer& p, u64 address, u64 bits) {
  if (address == 0) return p.pointer(address);
  p.out.add("[");
  bool first = true;
  for (u64 word_at = 0; word_at < bits; word_at += 64) {
    u64 word = 0;
    if (!p.load(address + word_at / 8, word)) break;
    for (u64 bit = word_at; bit < std::min(bits, word_at + 64); ++bit) {
      if ((word >> (bit % 64) & 1) == 0) continue;
      if (!first) p.out.add(" ");
      first = false;
      p.out.decimal(bit);
    }
  }
  p.out.add("]");
}

}  // namespace orrery::abi
