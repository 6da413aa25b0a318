// The table of ioctl requests, by family: terminals, sockets, files, block devices, consoles. Numbers and
// sizes are those of x86-64; the unit test compares them with the host's headers.
#include "linux/ioctl_table.h"

namespace orrery::abi {
namespace {

constexpr IoctlRow kIoctls[] = {
    {0x5401, "TCGETS", Direction::out, 36, false},
    {0x5402, "TCSETS", Direction::in, 36, false},
    {0x5403, "TCSETSW", Direction::in, 36, false},
    {0x5404, "TCSETSF", Direction::in, 36, false},
    {0x5405, "TCGETA", Direction::out, 18, false},
    {0x5406, "TCSETA", Direction::in, 18, false},
    {0x5407, "TCSETAW", Direction::in, 18, false},
    {0x5408, "TCSETAF", Direction::in, 18, false},
    {0x5409, "TCSBRK", Direction::none, 0, false},
    {0x540a, "TCXONC", Direction::none, 0, false},
    {0x540b, "TCFLSH", Direction::none, 0, false},
    {0x540c, "TIOCEXCL", Direction::none, 0, false},
    {0x540d, "TIOCNXCL", Direction::none, 0, false},
    {0x540e, "TIOCSCTTY", Direction::none, 0, false},
    {0x540f, "TIOCGPGRP", Direction::out, 4, false},
    {0x5410, "TIOCSPGRP", Direction::in, 4, false},
    {0x5411, "TIOCOUTQ", Direction::out, 4, false},
    {0x5412, "TIOCSTI", Direction::in, 1, false},
    {0x5413, "TIOCGWINSZ", Direction::out, 8, false},
    {0x5414, "TIOCSWINSZ", Direction::in, 8, false},
    {0x5415, "TIOCMGET", Direction::out, 4, false},
    {0x5416, "TIOCMBIS", Direction::in, 4, false},
    {0x5417, "TIOCMBIC", Direction::in, 4, false},
    {0x5418, "TIOCMSET", Direction::in, 4, false},
    {0x5419, "TIOCGSOFTCAR", Direction::out, 4, false},
    {0x541a, "TIOCSSOFTCAR", Direction::in, 4, false},
    {0x541b, "FIONREAD", Direction::out, 4, false},
    {0x541d, "TIOCCONS", Direction::none, 0, false},
    {0x5420, "TIOCPKT", Direction::in, 4, false},
    {0x5421, "FIONBIO", Direction::in, 4, false},
    {0x5422, "TIOCNOTTY", Direction::none, 0, false},
    {0x5423, "TIOCSETD", Direction::in, 4, false},
    {0x5424, "TIOCGETD", Direction::out, 4, false},
    {0x5425, "TCSBRKP", Direction::none, 0, false},
    {0x5427, "TIOCSBRK", Direction::none, 0, false},
    {0x5428, "TIOCCBRK", Direction::none, 0, false},
    {0x5429, "TIOCGSID", Direction::out, 4, false},
    {0x802c542a, "TCGETS2", Direction::out, 44, false},
    {0x402c542b, "TCSETS2", Direction::in, 44, false},
    {0x402c542c, "TCSETSW2", Direction::in, 44, false},
    {0x402c542d, "TCSETSF2", Direction::in, 44, false},
    {0x80045430, "TIOCGPTN", Direction::out, 4, false},
    {0x40045431, "TIOCSPTLCK", Direction::in, 4, false},
    {0x80045432, "TIOCGDEV", Direction::out, 4, false},
    {0x40045436, "TIOCSIG", Direction::none, 0, false},
    {0x5437, "TIOCVHANGUP", Direction::none, 0, false},
    {0x80045438, "TIOCGPKT", Direction::out, 4, false},
    {0x80045439, "TIOCGPTLCK", Direction::out, 4, false},
    {0x80045440, "TIOCGEXCL", Direction::out, 4, false},
    {0x5441, "TIOCGPTPEER", Direction::none, 0, true},
    {0x5450, "FIONCLEX", Direction::none, 0, false},
    {0x5451, "FIOCLEX", Direction::none, 0, false},
    {0x5452, "FIOASYNC", Direction::in, 4, false},
    {0x5460, "FIOQSIZE", Direction::out, 8, false},
    {0x8901, "FIOSETOWN", Direction::in, 4, false},
    {0x8902, "SIOCSPGRP", Direction::in, 4, false},
    {0x8903, "FIOGETOWN", Direction::out, 4, false},
    {0x8904, "SIOCGPGRP", Direction::out, 4, false},
    {0x8905, "SIOCATMARK", Direction::out, 4, false},
    {0x8906, "SIOCGSTAMP", Direction::out, 16, false},
    {0x8907, "SIOCGSTAMPNS", Direction::out, 16, false},
    {0x8910, "SIOCGIFNAME", Direction::in_out, 40, false},
    {0x8913, "SIOCGIFFLAGS", Direction::in_out, 40, false},
    {0x8914, "SIOCSIFFLAGS", Direction::in, 40, false},
    {0x8915, "SIOCGIFADDR", Direction::in_out, 40, false},
    {0x8916, "SIOCSIFADDR", Direction::in, 40, false},
    {0x8917, "SIOCGIFDSTADDR", Direction::in_out, 40, false},
    {0x8919, "SIOCGIFBRDADDR", Direction::in_out, 40, false},
    {0x891b, "SIOCGIFNETMASK", Direction::in_out, 40, false},
    {0x891c, "SIOCSIFNETMASK", Direction::in, 40, false},
    {0x891d, "SIOCGIFMETRIC", Direction::in_out, 40, false},
    {0x8921, "SIOCGIFMTU", Direction::in_out, 40, false},
    {0x8922, "SIOCSIFMTU", Direction::in, 40, false},
    {0x8927, "SIOCGIFHWADDR", Direction::in_out, 40, false},
    {0x8933, "SIOCGIFINDEX", Direction::in_out, 40, false},
    {0x8942, "SIOCGIFTXQLEN", Direction::in_out, 40, false},
    {0x1, "FIBMAP", Direction::in_out, 4, false},
    {0x2, "FIGETBSZ", Direction::out, 4, false},
    {0x40049409, "FICLONE", Direction::none, 0, false},
    {0x4020940d, "FICLONERANGE", Direction::in, 32, false},
    {0x80086601, "FS_IOC_GETFLAGS", Direction::out, 8, false},
    {0x40086602, "FS_IOC_SETFLAGS", Direction::in, 8, false},
    {0x80087601, "FS_IOC_GETVERSION", Direction::out, 8, false},
    {0x801c581f, "FS_IOC_FSGETXATTR", Direction::out, 28, false},
    {0x401c5820, "FS_IOC_FSSETXATTR", Direction::in, 28, false},
    {0x125d, "BLKROSET", Direction::in, 4, false},
    {0x125e, "BLKROGET", Direction::out, 4, false},
    {0x1260, "BLKGETSIZE", Direction::out, 8, false},
    {0x1261, "BLKFLSBUF", Direction::none, 0, false},
    {0x1263, "BLKRAGET", Direction::out, 8, false},
    {0x1268, "BLKSSZGET", Direction::out, 4, false},
    {0x80081272, "BLKGETSIZE64", Direction::out, 8, false},
    {0x1278, "BLKIOMIN", Direction::out, 4, false},
    {0x1279, "BLKIOOPT", Direction::out, 4, false},
    {0x127a, "BLKALIGNOFF", Direction::out, 4, false},
    {0x127b, "BLKPBSZGET", Direction::out, 4, false},
    {0x127e, "BLKROTATIONAL", Direction::out, 2, false},
    {0x80045200, "RNDGETENTCNT", Direction::out, 4, false},
    {0x4b33, "KDGKBTYPE", Direction::out, 1, false},
    {0x4b3b, "KDGETMODE", Direction::out, 4, false},
    {0x4b44, "KDGKBMODE", Direction::out, 4, false},
    {0x5600, "VT_OPENQRY", Direction::out, 4, false},
    {0x5603, "VT_GETSTATE", Direction::out, 6, false},
};

// _IOC of asm-generic/ioctl.h.
constexpr u32 kDirectionWrite = 1, kDirectionRead = 2;
constexpr u32 type_of(u32 request) { return request >> 8 & 0xff; }
constexpr u32 size_of(u32 request) { return request >> 16 & 0x3fff; }
constexpr u32 direction_of(u32 request) { return request >> 30; }

/// Kinds of devices whose structures hold no pointers: terminals, file systems, block devices, random.
constexpr bool is_plain_type(u32 type) {
  return type == 'T' || type == 'f' || type == 'v' || type == 'X' || type == 0x12 || type == 'R' ||
         type == 0x94;
}

}  // namespace

std::span<const IoctlRow> ioctl_rows() { return kIoctls; }

const IoctlRow* find_ioctl(u32 request) {
  for (const IoctlRow& row : kIoctls)
    if (row.request == request) return &row;
  return nullptr;
}

std::optional<IoctlRow> decode_ioctl(u32 request) {
  const u32 direction = direction_of(request);
  if (size_of(request) == 0) return std::nullopt;
  IoctlRow row{request, nullptr, Direction::none, size_of(request), false};
  // From the program's view: "read" means that the kernel writes.
  if (direction == kDirectionRead)
    row.direction = Direction::out;
  else if (direction == kDirectionWrite && is_plain_type(type_of(request)))
    row.direction = Direction::in;
  else if (direction == (kDirectionRead | kDirectionWrite) && is_plain_type(type_of(request)))
    row.direction = Direction::in_out;
  else
    return std::nullopt;
  return row;
}

}  // namespace orrery::abi
