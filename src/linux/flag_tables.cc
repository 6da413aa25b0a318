// The tables of flags.h, with the values of x86-64 from the kernel's uapi headers. The unit test compares a
// sample with the host's headers and proves that no two bits of a table overlap by mistake.
#include "linux/flag_tables.h"

#include <array>

namespace orrery::abi {
namespace {

constexpr FlagName kOpen[] = {
    {0x0, 0x3, "O_RDONLY"},
    {0x1, 0x3, "O_WRONLY"},
    {0x2, 0x3, "O_RDWR"},
    {0x40, 0x40, "O_CREAT"},
    {0x80, 0x80, "O_EXCL"},
    {0x100, 0x100, "O_NOCTTY"},
    {0x200, 0x200, "O_TRUNC"},
    {0x400, 0x400, "O_APPEND"},
    {0x800, 0x800, "O_NONBLOCK"},
    {0x101000, 0x101000, "O_SYNC"},
    {0x1000, 0x1000, "O_DSYNC"},
    {0x2000, 0x2000, "O_ASYNC"},
    {0x4000, 0x4000, "O_DIRECT"},
    {0x8000, 0x8000, "O_LARGEFILE"},
    {0x410000, 0x410000, "O_TMPFILE"},
    {0x10000, 0x10000, "O_DIRECTORY"},
    {0x20000, 0x20000, "O_NOFOLLOW"},
    {0x40000, 0x40000, "O_NOATIME"},
    {0x80000, 0x80000, "O_CLOEXEC"},
    {0x200000, 0x200000, "O_PATH"},
};
constexpr FlagName kProtection[] = {
    {0x0, 0xf, "PROT_NONE"},
    {0x1, 0x1, "PROT_READ"},
    {0x2, 0x2, "PROT_WRITE"},
    {0x4, 0x4, "PROT_EXEC"},
    {0x8, 0x8, "PROT_SEM"},
    {0x1000000, 0x1000000, "PROT_GROWSDOWN"},
    {0x2000000, 0x2000000, "PROT_GROWSUP"},
};
constexpr FlagName kMap[] = {
    {0x1, 0xf, "MAP_SHARED"},
    {0x2, 0xf, "MAP_PRIVATE"},
    {0x3, 0xf, "MAP_SHARED_VALIDATE"},
    {0x10, 0x10, "MAP_FIXED"},
    {0x20, 0x20, "MAP_ANONYMOUS"},
    {0x40, 0x40, "MAP_32BIT"},
    {0x100, 0x100, "MAP_GROWSDOWN"},
    {0x800, 0x800, "MAP_DENYWRITE"},
    {0x1000, 0x1000, "MAP_EXECUTABLE"},
    {0x2000, 0x2000, "MAP_LOCKED"},
    {0x4000, 0x4000, "MAP_NORESERVE"},
    {0x8000, 0x8000, "MAP_POPULATE"},
    {0x10000, 0x10000, "MAP_NONBLOCK"},
    {0x20000, 0x20000, "MAP_STACK"},
    {0x40000, 0x40000, "MAP_HUGETLB"},
    {0x80000, 0x80000, "MAP_SYNC"},
    {0x100000, 0x100000, "MAP_FIXED_NOREPLACE"},
};
constexpr FlagName kRemap[] = {
    {0x1, 0x1, "MREMAP_MAYMOVE"},
    {0x2, 0x2, "MREMAP_FIXED"},
    {0x4, 0x4, "MREMAP_DONTUNMAP"},
};
constexpr FlagName kAdvise[] = {
    {0x0, 0xffffffff, "MADV_NORMAL"},          {0x1, 0xffffffff, "MADV_RANDOM"},
    {0x2, 0xffffffff, "MADV_SEQUENTIAL"},      {0x3, 0xffffffff, "MADV_WILLNEED"},
    {0x4, 0xffffffff, "MADV_DONTNEED"},        {0x8, 0xffffffff, "MADV_FREE"},
    {0x9, 0xffffffff, "MADV_REMOVE"},          {0xa, 0xffffffff, "MADV_DONTFORK"},
    {0xb, 0xffffffff, "MADV_DOFORK"},          {0xc, 0xffffffff, "MADV_MERGEABLE"},
    {0xd, 0xffffffff, "MADV_UNMERGEABLE"},     {0xe, 0xffffffff, "MADV_HUGEPAGE"},
    {0xf, 0xffffffff, "MADV_NOHUGEPAGE"},      {0x10, 0xffffffff, "MADV_DONTDUMP"},
    {0x11, 0xffffffff, "MADV_DODUMP"},         {0x12, 0xffffffff, "MADV_WIPEONFORK"},
    {0x13, 0xffffffff, "MADV_KEEPONFORK"},     {0x14, 0xffffffff, "MADV_COLD"},
    {0x15, 0xffffffff, "MADV_PAGEOUT"},        {0x16, 0xffffffff, "MADV_POPULATE_READ"},
    {0x17, 0xffffffff, "MADV_POPULATE_WRITE"}, {0x18, 0xffffffff, "MADV_DONTNEED_LOCKED"},
    {0x19, 0xffffffff, "MADV_COLLAPSE"},
};
constexpr FlagName kSync[] = {
    {0x1, 0x1, "MS_ASYNC"},
    {0x2, 0x2, "MS_INVALIDATE"},
    {0x4, 0x4, "MS_SYNC"},
};
constexpr FlagName kLockAll[] = {
    {0x1, 0x1, "MCL_CURRENT"},
    {0x2, 0x2, "MCL_FUTURE"},
    {0x4, 0x4, "MCL_ONFAULT"},
};
constexpr FlagName kAccess[] = {
    {0x0, 0x7, "F_OK"},
    {0x1, 0x1, "X_OK"},
    {0x2, 0x2, "W_OK"},
    {0x4, 0x4, "R_OK"},
};
constexpr FlagName kAt[] = {
    {0x100, 0x100, "AT_SYMLINK_NOFOLLOW"},  {0x200, 0x200, "AT_REMOVEDIR"},
    {0x400, 0x400, "AT_SYMLINK_FOLLOW"},    {0x800, 0x800, "AT_NO_AUTOMOUNT"},
    {0x1000, 0x1000, "AT_EMPTY_PATH"},      {0x2000, 0x2000, "AT_STATX_FORCE_SYNC"},
    {0x4000, 0x4000, "AT_STATX_DONT_SYNC"}, {0x8000, 0x8000, "AT_RECURSIVE"},
};
constexpr FlagName kStatMask[] = {
    {0x7ff, 0x7ff, "STATX_BASIC_STATS"},
    {0x1, 0x1, "STATX_TYPE"},
    {0x2, 0x2, "STATX_MODE"},
    {0x4, 0x4, "STATX_NLINK"},
    {0x8, 0x8, "STATX_UID"},
    {0x10, 0x10, "STATX_GID"},
    {0x20, 0x20, "STATX_ATIME"},
    {0x40, 0x40, "STATX_MTIME"},
    {0x80, 0x80, "STATX_CTIME"},
    {0x100, 0x100, "STATX_INO"},
    {0x200, 0x200, "STATX_SIZE"},
    {0x400, 0x400, "STATX_BLOCKS"},
    {0x800, 0x800, "STATX_BTIME"},
    {0x1000, 0x1000, "STATX_MNT_ID"},
    {0x2000, 0x2000, "STATX_DIOALIGN"},
    {0x4000, 0x4000, "STATX_MNT_ID_UNIQUE"},
    {0x8000, 0x8000, "STATX_SUBVOL"},
};
constexpr FlagName kRename[] = {
    {0x1, 0x1, "RENAME_NOREPLACE"},
    {0x2, 0x2, "RENAME_EXCHANGE"},
    {0x4, 0x4, "RENAME_WHITEOUT"},
};
constexpr FlagName kWhence[] = {
    {0x0, 0xffffffff, "SEEK_SET"},  {0x1, 0xffffffff, "SEEK_CUR"},  {0x2, 0xffffffff, "SEEK_END"},
    {0x3, 0xffffffff, "SEEK_DATA"}, {0x4, 0xffffffff, "SEEK_HOLE"},
};
constexpr FlagName kFallocate[] = {
    {0x1, 0x1, "FALLOC_FL_KEEP_SIZE"},       {0x2, 0x2, "FALLOC_FL_PUNCH_HOLE"},
    {0x4, 0x4, "FALLOC_FL_NO_HIDE_STALE"},   {0x8, 0x8, "FALLOC_FL_COLLAPSE_RANGE"},
    {0x10, 0x10, "FALLOC_FL_ZERO_RANGE"},    {0x20, 0x20, "FALLOC_FL_INSERT_RANGE"},
    {0x40, 0x40, "FALLOC_FL_UNSHARE_RANGE"},
};
constexpr FlagName kAdvice[] = {
    {0x0, 0xffffffff, "POSIX_FADV_NORMAL"},     {0x1, 0xffffffff, "POSIX_FADV_RANDOM"},
    {0x2, 0xffffffff, "POSIX_FADV_SEQUENTIAL"}, {0x3, 0xffffffff, "POSIX_FADV_WILLNEED"},
    {0x4, 0xffffffff, "POSIX_FADV_DONTNEED"},   {0x5, 0xffffffff, "POSIX_FADV_NOREUSE"},
};
constexpr FlagName kSplice[] = {
    {0x1, 0x1, "SPLICE_F_MOVE"},
    {0x2, 0x2, "SPLICE_F_NONBLOCK"},
    {0x4, 0x4, "SPLICE_F_MORE"},
    {0x8, 0x8, "SPLICE_F_GIFT"},
};
constexpr FlagName kSyncRange[] = {
    {0x1, 0x1, "SYNC_FILE_RANGE_WAIT_BEFORE"},
    {0x2, 0x2, "SYNC_FILE_RANGE_WRITE"},
    {0x4, 0x4, "SYNC_FILE_RANGE_WAIT_AFTER"},
};
constexpr FlagName kReadWrite[] = {
    {0x1, 0x1, "RWF_HIPRI"},    {0x2, 0x2, "RWF_DSYNC"},    {0x4, 0x4, "RWF_SYNC"},
    {0x8, 0x8, "RWF_NOWAIT"},   {0x10, 0x10, "RWF_APPEND"}, {0x20, 0x20, "RWF_NOAPPEND"},
    {0x40, 0x40, "RWF_ATOMIC"},
};
constexpr FlagName kPoll[] = {
    {0x1, 0x1, "POLLIN"},
    {0x2, 0x2, "POLLPRI"},
    {0x4, 0x4, "POLLOUT"},
    {0x8, 0x8, "POLLERR"},
    {0x10, 0x10, "POLLHUP"},
    {0x20, 0x20, "POLLNVAL"},
    {0x40, 0x40, "POLLRDNORM"},
    {0x80, 0x80, "POLLRDBAND"},
    {0x100, 0x100, "POLLWRNORM"},
    {0x200, 0x200, "POLLWRBAND"},
    {0x400, 0x400, "POLLMSG"},
    {0x2000, 0x2000, "POLLRDHUP"},
    {0x10000000, 0x10000000, "EPOLLEXCLUSIVE"},
    {0x20000000, 0x20000000, "EPOLLWAKEUP"},
    {0x40000000, 0x40000000, "EPOLLONESHOT"},
    {0x80000000, 0x80000000, "EPOLLET"},
};
constexpr FlagName kEpollControl[] = {
    {0x1, 0xffffffff, "EPOLL_CTL_ADD"},
    {0x2, 0xffffffff, "EPOLL_CTL_DEL"},
    {0x3, 0xffffffff, "EPOLL_CTL_MOD"},
};
constexpr FlagName kEpollCreate[] = {
    {0x80000, 0x80000, "EPOLL_CLOEXEC"},
};
constexpr FlagName kEventFd[] = {
    {0x1, 0x1, "EFD_SEMAPHORE"},
    {0x800, 0x800, "EFD_NONBLOCK"},
    {0x80000, 0x80000, "EFD_CLOEXEC"},
};
constexpr FlagName kTimerFd[] = {
    {0x800, 0x800, "TFD_NONBLOCK"},
    {0x80000, 0x80000, "TFD_CLOEXEC"},
};
constexpr FlagName kTimerSet[] = {
    {0x1, 0x1, "TIMER_ABSTIME"},
    {0x2, 0x2, "TFD_TIMER_CANCEL_ON_SET"},
};
constexpr FlagName kSignalFd[] = {
    {0x800, 0x800, "SFD_NONBLOCK"},
    {0x80000, 0x80000, "SFD_CLOEXEC"},
};
constexpr FlagName kInotify[] = {
    {0x800, 0x800, "IN_NONBLOCK"},
    {0x80000, 0x80000, "IN_CLOEXEC"},
};
constexpr FlagName kInotifyMask[] = {
    {0x1, 0x1, "IN_ACCESS"},
    {0x2, 0x2, "IN_MODIFY"},
    {0x4, 0x4, "IN_ATTRIB"},
    {0x8, 0x8, "IN_CLOSE_WRITE"},
    {0x10, 0x10, "IN_CLOSE_NOWRITE"},
    {0x20, 0x20, "IN_OPEN"},
    {0x40, 0x40, "IN_MOVED_FROM"},
    {0x80, 0x80, "IN_MOVED_TO"},
    {0x100, 0x100, "IN_CREATE"},
    {0x200, 0x200, "IN_DELETE"},
    {0x400, 0x400, "IN_DELETE_SELF"},
    {0x800, 0x800, "IN_MOVE_SELF"},
    {0x1000000, 0x1000000, "IN_ONLYDIR"},
    {0x2000000, 0x2000000, "IN_DONT_FOLLOW"},
    {0x4000000, 0x4000000, "IN_EXCL_UNLINK"},
    {0x10000000, 0x10000000, "IN_MASK_CREATE"},
    {0x20000000, 0x20000000, "IN_MASK_ADD"},
    {0x40000000, 0x40000000, "IN_ISDIR"},
    {0x80000000, 0x80000000, "IN_ONESHOT"},
};
constexpr FlagName kFcntl[] = {
    {0x0, 0xffffffff, "F_DUPFD"},
    {0x1, 0xffffffff, "F_GETFD"},
    {0x2, 0xffffffff, "F_SETFD"},
    {0x3, 0xffffffff, "F_GETFL"},
    {0x4, 0xffffffff, "F_SETFL"},
    {0x5, 0xffffffff, "F_GETLK"},
    {0x6, 0xffffffff, "F_SETLK"},
    {0x7, 0xffffffff, "F_SETLKW"},
    {0x8, 0xffffffff, "F_SETOWN"},
    {0x9, 0xffffffff, "F_GETOWN"},
    {0xa, 0xffffffff, "F_SETSIG"},
    {0xb, 0xffffffff, "F_GETSIG"},
    {0xf, 0xffffffff, "F_SETOWN_EX"},
    {0x10, 0xffffffff, "F_GETOWN_EX"},
    {0x24, 0xffffffff, "F_OFD_GETLK"},
    {0x25, 0xffffffff, "F_OFD_SETLK"},
    {0x26, 0xffffffff, "F_OFD_SETLKW"},
    {0x400, 0xffffffff, "F_SETLEASE"},
    {0x401, 0xffffffff, "F_GETLEASE"},
    {0x402, 0xffffffff, "F_NOTIFY"},
    {0x403, 0xffffffff, "F_DUPFD_QUERY"},
    {0x404, 0xffffffff, "F_CREATED_QUERY"},
    {0x406, 0xffffffff, "F_DUPFD_CLOEXEC"},
    {0x407, 0xffffffff, "F_SETPIPE_SZ"},
    {0x408, 0xffffffff, "F_GETPIPE_SZ"},
    {0x409, 0xffffffff, "F_ADD_SEALS"},
    {0x40a, 0xffffffff, "F_GET_SEALS"},
    {0x40b, 0xffffffff, "F_GET_RW_HINT"},
    {0x40c, 0xffffffff, "F_SET_RW_HINT"},
    {0x40d, 0xffffffff, "F_GET_FILE_RW_HINT"},
    {0x40e, 0xffffffff, "F_SET_FILE_RW_HINT"},
};
constexpr FlagName kDescriptor[] = {
    {0x1, 0x1, "FD_CLOEXEC"},
};
constexpr FlagName kFlock[] = {
    {0x1, 0xb, "LOCK_SH"},
    {0x2, 0xb, "LOCK_EX"},
    {0x8, 0xb, "LOCK_UN"},
    {0x4, 0x4, "LOCK_NB"},
};
constexpr FlagName kSeal[] = {
    {0x1, 0x1, "F_SEAL_SEAL"},  {0x2, 0x2, "F_SEAL_SHRINK"},         {0x4, 0x4, "F_SEAL_GROW"},
    {0x8, 0x8, "F_SEAL_WRITE"}, {0x10, 0x10, "F_SEAL_FUTURE_WRITE"}, {0x20, 0x20, "F_SEAL_EXEC"},
};
constexpr FlagName kMemfd[] = {
    {0x1, 0x1, "MFD_CLOEXEC"},     {0x2, 0x2, "MFD_ALLOW_SEALING"}, {0x4, 0x4, "MFD_HUGETLB"},
    {0x8, 0x8, "MFD_NOEXEC_SEAL"}, {0x10, 0x10, "MFD_EXEC"},
};
constexpr FlagName kCloseRange[] = {
    {0x2, 0x2, "CLOSE_RANGE_UNSHARE"},
    {0x4, 0x4, "CLOSE_RANGE_CLOEXEC"},
};
constexpr FlagName kLease[] = {
    {0x0, 0xffffffff, "F_RDLCK"},
    {0x1, 0xffffffff, "F_WRLCK"},
    {0x2, 0xffffffff, "F_UNLCK"},
};
constexpr FlagName kSocketFamily[] = {
    {0x0, 0xffffffff, "AF_UNSPEC"}, {0x1, 0xffffffff, "AF_UNIX"},     {0x2, 0xffffffff, "AF_INET"},
    {0x3, 0xffffffff, "AF_AX25"},   {0x4, 0xffffffff, "AF_IPX"},      {0x5, 0xffffffff, "AF_APPLETALK"},
    {0x6, 0xffffffff, "AF_NETROM"}, {0x7, 0xffffffff, "AF_BRIDGE"},   {0xa, 0xffffffff, "AF_INET6"},
    {0xf, 0xffffffff, "AF_KEY"},    {0x10, 0xffffffff, "AF_NETLINK"}, {0x11, 0xffffffff, "AF_PACKET"},
    {0x15, 0xffffffff, "AF_RDS"},   {0x1e, 0xffffffff, "AF_TIPC"},    {0x1f, 0xffffffff, "AF_BLUETOOTH"},
    {0x26, 0xffffffff, "AF_ALG"},   {0x28, 0xffffffff, "AF_VSOCK"},   {0x2a, 0xffffffff, "AF_QIPCRTR"},
    {0x2c, 0xffffffff, "AF_XDP"},
};
constexpr FlagName kSocketType[] = {
    {0x1, 0xf, "SOCK_STREAM"},
    {0x2, 0xf, "SOCK_DGRAM"},
    {0x3, 0xf, "SOCK_RAW"},
    {0x4, 0xf, "SOCK_RDM"},
    {0x5, 0xf, "SOCK_SEQPACKET"},
    {0x800, 0x800, "SOCK_NONBLOCK"},
    {0x80000, 0x80000, "SOCK_CLOEXEC"},
};
constexpr FlagName kMessage[] = {
    {0x1, 0x1, "MSG_OOB"},
    {0x2, 0x2, "MSG_PEEK"},
    {0x4, 0x4, "MSG_DONTROUTE"},
    {0x8, 0x8, "MSG_CTRUNC"},
    {0x10, 0x10, "MSG_PROXY"},
    {0x20, 0x20, "MSG_TRUNC"},
    {0x40, 0x40, "MSG_DONTWAIT"},
    {0x80, 0x80, "MSG_EOR"},
    {0x100, 0x100, "MSG_WAITALL"},
    {0x200, 0x200, "MSG_FIN"},
    {0x400, 0x400, "MSG_SYN"},
    {0x800, 0x800, "MSG_CONFIRM"},
    {0x1000, 0x1000, "MSG_RST"},
    {0x2000, 0x2000, "MSG_ERRQUEUE"},
    {0x4000, 0x4000, "MSG_NOSIGNAL"},
    {0x8000, 0x8000, "MSG_MORE"},
    {0x10000, 0x10000, "MSG_WAITFORONE"},
    {0x40000, 0x40000, "MSG_BATCH"},
    {0x4000000, 0x4000000, "MSG_ZEROCOPY"},
    {0x20000000, 0x20000000, "MSG_FASTOPEN"},
    {0x40000000, 0x40000000, "MSG_CMSG_CLOEXEC"},
};
constexpr FlagName kShutdown[] = {
    {0x0, 0xffffffff, "SHUT_RD"},
    {0x1, 0xffffffff, "SHUT_WR"},
    {0x2, 0xffffffff, "SHUT_RDWR"},
};
constexpr FlagName kSocketLevel[] = {
    {0x0, 0xffffffff, "SOL_IP"},       {0x1, 0xffffffff, "SOL_SOCKET"},    {0x6, 0xffffffff, "SOL_TCP"},
    {0x11, 0xffffffff, "SOL_UDP"},     {0x29, 0xffffffff, "SOL_IPV6"},     {0xff, 0xffffffff, "SOL_RAW"},
    {0x107, 0xffffffff, "SOL_PACKET"}, {0x10e, 0xffffffff, "SOL_NETLINK"}, {0x117, 0xffffffff, "SOL_ALG"},
};
constexpr FlagName kSocketOption[] = {
    {0x1, 0xffffffff, "SO_DEBUG"},          {0x2, 0xffffffff, "SO_REUSEADDR"},
    {0x3, 0xffffffff, "SO_TYPE"},           {0x4, 0xffffffff, "SO_ERROR"},
    {0x5, 0xffffffff, "SO_DONTROUTE"},      {0x6, 0xffffffff, "SO_BROADCAST"},
    {0x7, 0xffffffff, "SO_SNDBUF"},         {0x8, 0xffffffff, "SO_RCVBUF"},
    {0x9, 0xffffffff, "SO_KEEPALIVE"},      {0xa, 0xffffffff, "SO_OOBINLINE"},
    {0xc, 0xffffffff, "SO_PRIORITY"},       {0xd, 0xffffffff, "SO_LINGER"},
    {0xf, 0xffffffff, "SO_REUSEPORT"},      {0x10, 0xffffffff, "SO_PASSCRED"},
    {0x11, 0xffffffff, "SO_PEERCRED"},      {0x12, 0xffffffff, "SO_RCVLOWAT"},
    {0x13, 0xffffffff, "SO_SNDLOWAT"},      {0x14, 0xffffffff, "SO_RCVTIMEO"},
    {0x15, 0xffffffff, "SO_SNDTIMEO"},      {0x19, 0xffffffff, "SO_BINDTODEVICE"},
    {0x1a, 0xffffffff, "SO_ATTACH_FILTER"}, {0x1d, 0xffffffff, "SO_TIMESTAMP"},
    {0x1e, 0xffffffff, "SO_ACCEPTCONN"},    {0x1f, 0xffffffff, "SO_PEERSEC"},
    {0x20, 0xffffffff, "SO_SNDBUFFORCE"},   {0x21, 0xffffffff, "SO_RCVBUFFORCE"},
    {0x24, 0xffffffff, "SO_MARK"},          {0x26, 0xffffffff, "SO_PROTOCOL"},
    {0x27, 0xffffffff, "SO_DOMAIN"},        {0x31, 0xffffffff, "SO_INCOMING_CPU"},
    {0x3b, 0xffffffff, "SO_PEERGROUPS"},    {0x3c, 0xffffffff, "SO_ZEROCOPY"},
};
constexpr FlagName kSignalHow[] = {
    {0x0, 0xffffffff, "SIG_BLOCK"},
    {0x1, 0xffffffff, "SIG_UNBLOCK"},
    {0x2, 0xffffffff, "SIG_SETMASK"},
};
constexpr FlagName kWait[] = {
    {0x1, 0x1, "WNOHANG"},
    {0x2, 0x2, "WUNTRACED"},
    {0x8, 0x8, "WCONTINUED"},
    {0x20000000, 0x20000000, "__WNOTHREAD"},
    {0x40000000, 0x40000000, "__WALL"},
    {0x80000000, 0x80000000, "__WCLONE"},
};
constexpr FlagName kWaitId[] = {
    {0x1, 0x1, "WNOHANG"},
    {0x2, 0x2, "WSTOPPED"},
    {0x4, 0x4, "WEXITED"},
    {0x8, 0x8, "WCONTINUED"},
    {0x1000000, 0x1000000, "WNOWAIT"},
};
constexpr FlagName kIdType[] = {
    {0x0, 0xffffffff, "P_ALL"},
    {0x1, 0xffffffff, "P_PID"},
    {0x2, 0xffffffff, "P_PGID"},
    {0x3, 0xffffffff, "P_PIDFD"},
};
constexpr FlagName kClone[] = {
    {0x100, 0x100, "CLONE_VM"},
    {0x200, 0x200, "CLONE_FS"},
    {0x400, 0x400, "CLONE_FILES"},
    {0x800, 0x800, "CLONE_SIGHAND"},
    {0x1000, 0x1000, "CLONE_PIDFD"},
    {0x2000, 0x2000, "CLONE_PTRACE"},
    {0x4000, 0x4000, "CLONE_VFORK"},
    {0x8000, 0x8000, "CLONE_PARENT"},
    {0x10000, 0x10000, "CLONE_THREAD"},
    {0x20000, 0x20000, "CLONE_NEWNS"},
    {0x40000, 0x40000, "CLONE_SYSVSEM"},
    {0x80000, 0x80000, "CLONE_SETTLS"},
    {0x100000, 0x100000, "CLONE_PARENT_SETTID"},
    {0x200000, 0x200000, "CLONE_CHILD_CLEARTID"},
    {0x400000, 0x400000, "CLONE_DETACHED"},
    {0x800000, 0x800000, "CLONE_UNTRACED"},
    {0x1000000, 0x1000000, "CLONE_CHILD_SETTID"},
    {0x2000000, 0x2000000, "CLONE_NEWCGROUP"},
    {0x4000000, 0x4000000, "CLONE_NEWUTS"},
    {0x8000000, 0x8000000, "CLONE_NEWIPC"},
    {0x10000000, 0x10000000, "CLONE_NEWUSER"},
    {0x20000000, 0x20000000, "CLONE_NEWPID"},
    {0x40000000, 0x40000000, "CLONE_NEWNET"},
    {0x80000000, 0x80000000, "CLONE_IO"},
    {0x11, 0xff, "SIGCHLD"},
};
constexpr FlagName kFutex[] = {
    {0x0, 0x7f, "FUTEX_WAIT"},
    {0x1, 0x7f, "FUTEX_WAKE"},
    {0x2, 0x7f, "FUTEX_FD"},
    {0x3, 0x7f, "FUTEX_REQUEUE"},
    {0x4, 0x7f, "FUTEX_CMP_REQUEUE"},
    {0x5, 0x7f, "FUTEX_WAKE_OP"},
    {0x6, 0x7f, "FUTEX_LOCK_PI"},
    {0x7, 0x7f, "FUTEX_UNLOCK_PI"},
    {0x8, 0x7f, "FUTEX_TRYLOCK_PI"},
    {0x9, 0x7f, "FUTEX_WAIT_BITSET"},
    {0xa, 0x7f, "FUTEX_WAKE_BITSET"},
    {0xb, 0x7f, "FUTEX_WAIT_REQUEUE_PI"},
    {0xc, 0x7f, "FUTEX_CMP_REQUEUE_PI"},
    {0xd, 0x7f, "FUTEX_LOCK_PI2"},
    {0x80, 0x80, "FUTEX_PRIVATE_FLAG"},
    {0x100, 0x100, "FUTEX_CLOCK_REALTIME"},
};
constexpr FlagName kClock[] = {
    {0x0, 0xffffffff, "CLOCK_REALTIME"},
    {0x1, 0xffffffff, "CLOCK_MONOTONIC"},
    {0x2, 0xffffffff, "CLOCK_PROCESS_CPUTIME_ID"},
    {0x3, 0xffffffff, "CLOCK_THREAD_CPUTIME_ID"},
    {0x4, 0xffffffff, "CLOCK_MONOTONIC_RAW"},
    {0x5, 0xffffffff, "CLOCK_REALTIME_COARSE"},
    {0x6, 0xffffffff, "CLOCK_MONOTONIC_COARSE"},
    {0x7, 0xffffffff, "CLOCK_BOOTTIME"},
    {0x8, 0xffffffff, "CLOCK_REALTIME_ALARM"},
    {0x9, 0xffffffff, "CLOCK_BOOTTIME_ALARM"},
    {0xb, 0xffffffff, "CLOCK_TAI"},
};
constexpr FlagName kItimer[] = {
    {0x0, 0xffffffff, "ITIMER_REAL"},
    {0x1, 0xffffffff, "ITIMER_VIRTUAL"},
    {0x2, 0xffffffff, "ITIMER_PROF"},
};
constexpr FlagName kResource[] = {
    {0x0, 0xffffffff, "RLIMIT_CPU"},      {0x1, 0xffffffff, "RLIMIT_FSIZE"},
    {0x2, 0xffffffff, "RLIMIT_DATA"},     {0x3, 0xffffffff, "RLIMIT_STACK"},
    {0x4, 0xffffffff, "RLIMIT_CORE"},     {0x5, 0xffffffff, "RLIMIT_RSS"},
    {0x6, 0xffffffff, "RLIMIT_NPROC"},    {0x7, 0xffffffff, "RLIMIT_NOFILE"},
    {0x8, 0xffffffff, "RLIMIT_MEMLOCK"},  {0x9, 0xffffffff, "RLIMIT_AS"},
    {0xa, 0xffffffff, "RLIMIT_LOCKS"},    {0xb, 0xffffffff, "RLIMIT_SIGPENDING"},
    {0xc, 0xffffffff, "RLIMIT_MSGQUEUE"}, {0xd, 0xffffffff, "RLIMIT_NICE"},
    {0xe, 0xffffffff, "RLIMIT_RTPRIO"},   {0xf, 0xffffffff, "RLIMIT_RTTIME"},
};
constexpr FlagName kUsage[] = {
    {0x0, 0xffffffff, "RUSAGE_SELF"},
    {0x1, 0xffffffff, "RUSAGE_THREAD"},
    {0xffffffff, 0xffffffff, "RUSAGE_CHILDREN"},
};
constexpr FlagName kPriority[] = {
    {0x0, 0xffffffff, "PRIO_PROCESS"},
    {0x1, 0xffffffff, "PRIO_PGRP"},
    {0x2, 0xffffffff, "PRIO_USER"},
};
constexpr FlagName kScheduler[] = {
    {0x0, 0xffffffff, "SCHED_OTHER"}, {0x1, 0xffffffff, "SCHED_FIFO"}, {0x2, 0xffffffff, "SCHED_RR"},
    {0x3, 0xffffffff, "SCHED_BATCH"}, {0x5, 0xffffffff, "SCHED_IDLE"}, {0x6, 0xffffffff, "SCHED_DEADLINE"},
};
constexpr FlagName kPrctl[] = {
    {0x1, 0xffffffff, "PR_SET_PDEATHSIG"},
    {0x2, 0xffffffff, "PR_GET_PDEATHSIG"},
    {0x3, 0xffffffff, "PR_GET_DUMPABLE"},
    {0x4, 0xffffffff, "PR_SET_DUMPABLE"},
    {0x7, 0xffffffff, "PR_GET_KEEPCAPS"},
    {0x8, 0xffffffff, "PR_SET_KEEPCAPS"},
    {0xd, 0xffffffff, "PR_GET_TIMING"},
    {0xe, 0xffffffff, "PR_SET_TIMING"},
    {0xf, 0xffffffff, "PR_SET_NAME"},
    {0x10, 0xffffffff, "PR_GET_NAME"},
    {0x15, 0xffffffff, "PR_GET_SECCOMP"},
    {0x16, 0xffffffff, "PR_SET_SECCOMP"},
    {0x17, 0xffffffff, "PR_CAPBSET_READ"},
    {0x18, 0xffffffff, "PR_CAPBSET_DROP"},
    {0x19, 0xffffffff, "PR_GET_TSC"},
    {0x1a, 0xffffffff, "PR_SET_TSC"},
    {0x1b, 0xffffffff, "PR_GET_SECUREBITS"},
    {0x1c, 0xffffffff, "PR_SET_SECUREBITS"},
    {0x1d, 0xffffffff, "PR_SET_TIMERSLACK"},
    {0x1e, 0xffffffff, "PR_GET_TIMERSLACK"},
    {0x21, 0xffffffff, "PR_MCE_KILL"},
    {0x22, 0xffffffff, "PR_MCE_KILL_GET"},
    {0x23, 0xffffffff, "PR_SET_MM"},
    {0x24, 0xffffffff, "PR_SET_CHILD_SUBREAPER"},
    {0x25, 0xffffffff, "PR_GET_CHILD_SUBREAPER"},
    {0x26, 0xffffffff, "PR_SET_NO_NEW_PRIVS"},
    {0x27, 0xffffffff, "PR_GET_NO_NEW_PRIVS"},
    {0x28, 0xffffffff, "PR_GET_TID_ADDRESS"},
    {0x29, 0xffffffff, "PR_SET_THP_DISABLE"},
    {0x2a, 0xffffffff, "PR_GET_THP_DISABLE"},
    {0x2f, 0xffffffff, "PR_CAP_AMBIENT"},
    {0x34, 0xffffffff, "PR_GET_SPECULATION_CTRL"},
    {0x35, 0xffffffff, "PR_SET_SPECULATION_CTRL"},
    {0x39, 0xffffffff, "PR_SET_IO_FLUSHER"},
    {0x3a, 0xffffffff, "PR_GET_IO_FLUSHER"},
    {0x3b, 0xffffffff, "PR_SET_SYSCALL_USER_DISPATCH"},
    {0x3e, 0xffffffff, "PR_SCHED_CORE"},
    {0x41, 0xffffffff, "PR_SET_MDWE"},
    {0x42, 0xffffffff, "PR_GET_MDWE"},
    {0x43, 0xffffffff, "PR_SET_MEMORY_MERGE"},
    {0x44, 0xffffffff, "PR_GET_MEMORY_MERGE"},
    {0x41555856, 0xffffffff, "PR_GET_AUXV"},
    {0x53564d41, 0xffffffff, "PR_SET_VMA"},
    {0x59616d61, 0xffffffff, "PR_SET_PTRACER"},
};
constexpr FlagName kArchPrctl[] = {
    {0x1001, 0xffffffff, "ARCH_SET_GS"},         {0x1002, 0xffffffff, "ARCH_SET_FS"},
    {0x1003, 0xffffffff, "ARCH_GET_FS"},         {0x1004, 0xffffffff, "ARCH_GET_GS"},
    {0x1011, 0xffffffff, "ARCH_GET_CPUID"},      {0x1012, 0xffffffff, "ARCH_SET_CPUID"},
    {0x1021, 0xffffffff, "ARCH_GET_XCOMP_SUPP"}, {0x1022, 0xffffffff, "ARCH_GET_XCOMP_PERM"},
    {0x1023, 0xffffffff, "ARCH_REQ_XCOMP_PERM"}, {0x3001, 0xffffffff, "ARCH_CET_STATUS"},
    {0x3002, 0xffffffff, "ARCH_CET_DISABLE"},    {0x3003, 0xffffffff, "ARCH_CET_LOCK"},
    {0x5001, 0xffffffff, "ARCH_SHSTK_ENABLE"},   {0x5002, 0xffffffff, "ARCH_SHSTK_DISABLE"},
    {0x5003, 0xffffffff, "ARCH_SHSTK_LOCK"},     {0x5004, 0xffffffff, "ARCH_SHSTK_UNLOCK"},
    {0x5005, 0xffffffff, "ARCH_SHSTK_STATUS"},
};
constexpr FlagName kRandom[] = {
    {0x1, 0x1, "GRND_NONBLOCK"},
    {0x2, 0x2, "GRND_RANDOM"},
    {0x4, 0x4, "GRND_INSECURE"},
};
constexpr FlagName kExtendedAttribute[] = {
    {0x1, 0x1, "XATTR_CREATE"},
    {0x2, 0x2, "XATTR_REPLACE"},
};
constexpr FlagName kMembarrier[] = {
    {0x0, 0xffffffff, "MEMBARRIER_CMD_QUERY"},
    {0x1, 0xffffffff, "MEMBARRIER_CMD_GLOBAL"},
    {0x2, 0xffffffff, "MEMBARRIER_CMD_GLOBAL_EXPEDITED"},
    {0x4, 0xffffffff, "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED"},
    {0x8, 0xffffffff, "MEMBARRIER_CMD_PRIVATE_EXPEDITED"},
    {0x10, 0xffffffff, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED"},
    {0x20, 0xffffffff, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE"},
    {0x40, 0xffffffff, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE"},
    {0x80, 0xffffffff, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ"},
    {0x100, 0xffffffff, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ"},
};
constexpr FlagName kMount[] = {
    {0x1, 0x1, "MS_RDONLY"},
    {0x2, 0x2, "MS_NOSUID"},
    {0x4, 0x4, "MS_NODEV"},
    {0x8, 0x8, "MS_NOEXEC"},
    {0x10, 0x10, "MS_SYNCHRONOUS"},
    {0x20, 0x20, "MS_REMOUNT"},
    {0x40, 0x40, "MS_MANDLOCK"},
    {0x80, 0x80, "MS_DIRSYNC"},
    {0x100, 0x100, "MS_NOSYMFOLLOW"},
    {0x400, 0x400, "MS_NOATIME"},
    {0x800, 0x800, "MS_NODIRATIME"},
    {0x1000, 0x1000, "MS_BIND"},
    {0x2000, 0x2000, "MS_MOVE"},
    {0x4000, 0x4000, "MS_REC"},
    {0x8000, 0x8000, "MS_SILENT"},
    {0x20000, 0x20000, "MS_UNBINDABLE"},
    {0x40000, 0x40000, "MS_PRIVATE"},
    {0x80000, 0x80000, "MS_SLAVE"},
    {0x100000, 0x100000, "MS_SHARED"},
    {0x200000, 0x200000, "MS_RELATIME"},
};
constexpr FlagName kUmount[] = {
    {0x1, 0x1, "MNT_FORCE"},
    {0x2, 0x2, "MNT_DETACH"},
    {0x4, 0x4, "MNT_EXPIRE"},
    {0x8, 0x8, "UMOUNT_NOFOLLOW"},
};
constexpr FlagName kKey[] = {
    {0x0, 0xffffffff, "KEYCTL_GET_KEYRING_ID"}, {0x1, 0xffffffff, "KEYCTL_JOIN_SESSION_KEYRING"},
    {0x2, 0xffffffff, "KEYCTL_UPDATE"},         {0x3, 0xffffffff, "KEYCTL_REVOKE"},
    {0x4, 0xffffffff, "KEYCTL_CHOWN"},          {0x5, 0xffffffff, "KEYCTL_SETPERM"},
    {0x6, 0xffffffff, "KEYCTL_DESCRIBE"},       {0x7, 0xffffffff, "KEYCTL_CLEAR"},
    {0x8, 0xffffffff, "KEYCTL_LINK"},           {0x9, 0xffffffff, "KEYCTL_UNLINK"},
    {0xa, 0xffffffff, "KEYCTL_SEARCH"},         {0xb, 0xffffffff, "KEYCTL_READ"},
};
constexpr FlagName kSeccomp[] = {
    {0x0, 0xffffffff, "SECCOMP_SET_MODE_STRICT"},
    {0x1, 0xffffffff, "SECCOMP_SET_MODE_FILTER"},
    {0x2, 0xffffffff, "SECCOMP_GET_ACTION_AVAIL"},
    {0x3, 0xffffffff, "SECCOMP_GET_NOTIF_SIZES"},
};
constexpr FlagName kPersonality[] = {
    {0x20000, 0x20000, "UNAME26"},
    {0x40000, 0x40000, "ADDR_NO_RANDOMIZE"},
    {0x80000, 0x80000, "FDPIC_FUNCPTRS"},
    {0x100000, 0x100000, "MMAP_PAGE_ZERO"},
    {0x200000, 0x200000, "ADDR_COMPAT_LAYOUT"},
    {0x400000, 0x400000, "READ_IMPLIES_EXEC"},
    {0x800000, 0x800000, "ADDR_LIMIT_32BIT"},
    {0x1000000, 0x1000000, "SHORT_INODE"},
    {0x2000000, 0x2000000, "WHOLE_SECONDS"},
    {0x4000000, 0x4000000, "STICKY_TIMEOUTS"},
    {0x8000000, 0x8000000, "ADDR_LIMIT_3GB"},
};
constexpr FlagName kReboot[] = {
    {0x1234567, 0xffffffff, "RB_AUTOBOOT"},    {0xcdef0123, 0xffffffff, "RB_HALT_SYSTEM"},
    {0x89abcdef, 0xffffffff, "RB_ENABLE_CAD"}, {0x0, 0xffffffff, "RB_DISABLE_CAD"},
    {0x4321fedc, 0xffffffff, "RB_POWER_OFF"},
};

struct Tables {
  std::array<FlagTable, static_cast<std::size_t>(Flags::count)> all{};

  constexpr void set(Flags flags, FlagTable table) { all[static_cast<std::size_t>(flags)] = table; }
  constexpr Tables();
};

constexpr Tables::Tables() {
  set(Flags::open, {kOpen, false});
  set(Flags::protection, {kProtection, false});
  set(Flags::map, {kMap, false});
  set(Flags::remap, {kRemap, false});
  set(Flags::advise, {kAdvise, true});
  set(Flags::sync, {kSync, false});
  set(Flags::lock_all, {kLockAll, false});
  set(Flags::access, {kAccess, false});
  set(Flags::at, {kAt, false});
  set(Flags::stat_mask, {kStatMask, false});
  set(Flags::rename, {kRename, false});
  set(Flags::whence, {kWhence, true});
  set(Flags::fallocate, {kFallocate, false});
  set(Flags::advice, {kAdvice, true});
  set(Flags::splice, {kSplice, false});
  set(Flags::sync_range, {kSyncRange, false});
  set(Flags::read_write, {kReadWrite, false});
  set(Flags::poll, {kPoll, false});
  set(Flags::epoll_control, {kEpollControl, true});
  set(Flags::epoll_create, {kEpollCreate, false});
  set(Flags::event_fd, {kEventFd, false});
  set(Flags::timer_fd, {kTimerFd, false});
  set(Flags::timer_set, {kTimerSet, false});
  set(Flags::signal_fd, {kSignalFd, false});
  set(Flags::inotify, {kInotify, false});
  set(Flags::inotify_mask, {kInotifyMask, false});
  set(Flags::fcntl, {kFcntl, true});
  set(Flags::descriptor, {kDescriptor, false});
  set(Flags::flock, {kFlock, false});
  set(Flags::seal, {kSeal, false});
  set(Flags::memfd, {kMemfd, false});
  set(Flags::close_range, {kCloseRange, false});
  set(Flags::lease, {kLease, true});
  set(Flags::socket_family, {kSocketFamily, true});
  set(Flags::socket_type, {kSocketType, false});
  set(Flags::message, {kMessage, false});
  set(Flags::shutdown, {kShutdown, true});
  set(Flags::socket_level, {kSocketLevel, true});
  set(Flags::socket_option, {kSocketOption, true});
  set(Flags::signal_how, {kSignalHow, true});
  set(Flags::wait, {kWait, false});
  set(Flags::wait_id, {kWaitId, false});
  set(Flags::id_type, {kIdType, true});
  set(Flags::clone, {kClone, false});
  set(Flags::futex, {kFutex, false});
  set(Flags::clock, {kClock, true});
  set(Flags::itimer, {kItimer, true});
  set(Flags::resource, {kResource, true});
  set(Flags::usage, {kUsage, true});
  set(Flags::priority, {kPriority, true});
  set(Flags::scheduler, {kScheduler, true});
  set(Flags::prctl, {kPrctl, true});
  set(Flags::arch_prctl, {kArchPrctl, true});
  set(Flags::random, {kRandom, false});
  set(Flags::extended_attribute, {kExtendedAttribute, false});
  set(Flags::membarrier, {kMembarrier, true});
  set(Flags::mount, {kMount, false});
  set(Flags::umount, {kUmount, false});
  set(Flags::key, {kKey, true});
  set(Flags::seccomp, {kSeccomp, true});
  set(Flags::personality, {kPersonality, false});
  set(Flags::reboot, {kReboot, true});
}

constexpr Tables kTables;

}  // namespace

const FlagTable& flag_table(Flags flags) { return kTables.all[static_cast<std::size_t>(flags)]; }

const char* flag_name(Flags flags, u64 value) {
  for (const FlagName& name : flag_table(flags).names)
    if (name.value == value && (name.mask & value) == value) return name.name;
  return nullptr;
}

}  // namespace orrery::abi
