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
    {0x541c, "TIOCLINUX", Direction::in_out, 1, false},
    {0x541e, "TIOCGSERIAL", Direction::out, 72, false},
    {0x541f, "TIOCSSERIAL", Direction::in, 72, false},
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
    {0x542e, "TIOCGRS485", Direction::out, 32, false},
    {0x542f, "TIOCSRS485", Direction::in_out, 32, false},
    {0x5456, "TIOCGLCKTRMIOS", Direction::out, 36, false},
    {0x5457, "TIOCSLCKTRMIOS", Direction::in, 36, false},
    {0x5459, "TIOCSERGETLSR", Direction::out, 4, false},
    {0x545d, "TIOCGICOUNT", Direction::out, 80, false},
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
    {0x8918, "SIOCSIFDSTADDR", Direction::in, 40, false},
    {0x891a, "SIOCSIFBRDADDR", Direction::in, 40, false},
    {0x891e, "SIOCSIFMETRIC", Direction::in, 40, false},
    {0x8923, "SIOCSIFNAME", Direction::in, 40, false},
    {0x8924, "SIOCSIFHWADDR", Direction::in, 40, false},
    {0x8925, "SIOCGIFENCAP", Direction::in_out, 40, false},
    {0x8929, "SIOCGIFSLAVE", Direction::in_out, 40, false},
    {0x8931, "SIOCADDMULTI", Direction::in, 40, false},
    {0x8932, "SIOCDELMULTI", Direction::in, 40, false},
    {0x8935, "SIOCGIFPFLAGS", Direction::in_out, 40, false},
    {0x8938, "SIOCGIFCOUNT", Direction::in_out, 40, false},
    {0x8943, "SIOCSIFTXQLEN", Direction::in, 40, false},
    {0x8947, "SIOCGMIIPHY", Direction::in_out, 40, false},
    {0x8948, "SIOCGMIIREG", Direction::in_out, 40, false},
    {0x894c, "SIOCGSKNS", Direction::none, 0, true},
    {0x8953, "SIOCDARP", Direction::in, 68, false},
    {0x8954, "SIOCGARP", Direction::in_out, 68, false},
    {0x8955, "SIOCSARP", Direction::in, 68, false},
    {0x8970, "SIOCGIFMAP", Direction::in_out, 40, false},
    {0x8b01, "SIOCGIWNAME", Direction::in_out, 32, false},
    {0x400454ca, "TUNSETIFF", Direction::in_out, 40, false},
    {0x400454cb, "TUNSETPERSIST", Direction::none, 0, false},
    {0x400454cc, "TUNSETOWNER", Direction::none, 0, false},
    {0x400454cd, "TUNSETLINK", Direction::none, 0, false},
    {0x400454ce, "TUNSETGROUP", Direction::none, 0, false},
    {0x800454cf, "TUNGETFEATURES", Direction::out, 4, false},
    {0x400454d0, "TUNSETOFFLOAD", Direction::none, 0, false},
    {0x800454d2, "TUNGETIFF", Direction::out, 40, false},
    {0x800454d3, "TUNGETSNDBUF", Direction::out, 4, false},
    {0x400454d4, "TUNSETSNDBUF", Direction::in, 4, false},
    {0x800454d7, "TUNGETVNETHDRSZ", Direction::out, 4, false},
    {0x400454d8, "TUNSETVNETHDRSZ", Direction::in, 4, false},
    {0x400454d9, "TUNSETQUEUE", Direction::in, 40, false},
    {0xb701, "NS_GET_USERNS", Direction::none, 0, true},
    {0xb702, "NS_GET_PARENT", Direction::none, 0, true},
    {0xb703, "NS_GET_NSTYPE", Direction::none, 0, false},
    {0xb704, "NS_GET_OWNER_UID", Direction::out, 4, false},
    {0x1, "FIBMAP", Direction::in_out, 4, false},
    {0x2, "FIGETBSZ", Direction::out, 4, false},
    {0x40049409, "FICLONE", Direction::none, 0, false},
    {0x4020940d, "FICLONERANGE", Direction::in, 32, false},
    {0x80086601, "FS_IOC_GETFLAGS", Direction::out, 8, false},
    {0x40086602, "FS_IOC_SETFLAGS", Direction::in, 8, false},
    {0x80087601, "FS_IOC_GETVERSION", Direction::out, 8, false},
    {0x801c581f, "FS_IOC_FSGETXATTR", Direction::out, 28, false},
    {0x401c5820, "FS_IOC_FSSETXATTR", Direction::in, 28, false},
    {0x40087602, "FS_IOC_SETVERSION", Direction::in, 8, false},
    {0x81009431, "FS_IOC_GETFSLABEL", Direction::out, 256, false},
    {0x41009432, "FS_IOC_SETFSLABEL", Direction::in, 256, false},
    {0xc0045877, "FIFREEZE", Direction::none, 0, false},
    {0xc0045878, "FITHAW", Direction::none, 0, false},
    {0xc0185879, "FITRIM", Direction::in_out, 24, false},
    {0x40047211, "FAT_IOCTL_SET_ATTRIBUTES", Direction::in, 4, false},
    {0x301, "HDIO_GETGEO", Direction::out, 16, false},
    {0x30d, "HDIO_GET_IDENTITY", Direction::out, 512, false},
    {0x5309, "CDROMEJECT", Direction::none, 0, false},
    {0x5326, "CDROM_DRIVE_STATUS", Direction::none, 0, false},
    {0x5331, "CDROM_GET_CAPABILITY", Direction::none, 0, false},
    {0x4c01, "LOOP_CLR_FD", Direction::none, 0, false},
    {0x4c04, "LOOP_SET_STATUS64", Direction::in, 232, false},
    {0x4c05, "LOOP_GET_STATUS64", Direction::out, 232, false},
    {0x4c82, "LOOP_CTL_GET_FREE", Direction::none, 0, false},
    {0x125f, "BLKRRPART", Direction::none, 0, false},
    {0x1265, "BLKFRAGET", Direction::out, 8, false},
    {0x1267, "BLKSECTGET", Direction::out, 2, false},
    {0x1277, "BLKDISCARD", Direction::in, 16, false},
    {0x127c, "BLKDISCARDZEROES", Direction::out, 4, false},
    {0x127f, "BLKZEROOUT", Direction::in, 16, false},
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
    {0x4b2f, "KIOCSOUND", Direction::none, 0, false},
    {0x4b30, "KDMKTONE", Direction::none, 0, false},
    {0x4b31, "KDGETLED", Direction::out, 1, false},
    {0x4b32, "KDSETLED", Direction::none, 0, false},
    {0x4b3a, "KDSETMODE", Direction::none, 0, false},
    {0x4b45, "KDSKBMODE", Direction::none, 0, false},
    {0x4b46, "KDGKBENT", Direction::in_out, 4, false},
    {0x4b47, "KDSKBENT", Direction::in, 4, false},
    {0x4b64, "KDGKBLED", Direction::out, 1, false},
    {0x4b65, "KDSKBLED", Direction::none, 0, false},
    {0x5601, "VT_GETMODE", Direction::out, 8, false},
    {0x5602, "VT_SETMODE", Direction::in, 8, false},
    {0x5605, "VT_RELDISP", Direction::none, 0, false},
    {0x5606, "VT_ACTIVATE", Direction::none, 0, false},
    {0x5607, "VT_WAITACTIVE", Direction::none, 0, false},
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

/// Kinds of devices whose structures hold no pointers and no array behind their end: terminals (up to where
/// the network tunnels' requests begin), block devices, random. File systems' do: each of theirs is listed.
constexpr bool is_plain(u32 request) {
  constexpr u32 kTunnels = 200, kReportZones = 130;
  const u32 type = type_of(request), number = request & 0xff;
  return (type == 'T' && number < kTunnels) || (type == 0x12 && number != kReportZones) || type == 'R';
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
  else if (direction == kDirectionWrite && is_plain(request))
    row.direction = Direction::in;
  else if (direction == (kDirectionRead | kDirectionWrite) && is_plain(request))
    row.direction = Direction::in_out;
  else
    return std::nullopt;
  return row;
}

}  // namespace orrery::abi
