// The tables of names against the host's libc and headers.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>

#include "linux/error_names.h"
#include "linux/flag_tables.h"
#include "linux/ioctl_table.h"
#include "linux/signal_names.h"

namespace orrery::abi {
namespace {

TEST(ErrorNames, AreThoseOfLibc) {
  for (int value = 1; value < 134; ++value) {
    const char* name = strerrorname_np(value);
    const ErrorName* row = find_error(value);
    ASSERT_EQ(name != nullptr, row != nullptr) << value;
    if (row == nullptr) continue;
    EXPECT_STREQ(row->name, std::string(name) == "ENOTSUP" ? "EOPNOTSUPP" : name);
    EXPECT_STREQ(row->text, strerror(value));
  }
  EXPECT_EQ(find_error(0), nullptr);
  EXPECT_STREQ(find_error(516)->name, "ERESTART_RESTARTBLOCK");
}

TEST(SignalNames, AreThoseOfLibc) {
  for (int number = 1; number < 32; ++number) {
    const SignalName* row = find_signal(number);
    ASSERT_NE(row, nullptr) << number;
    const std::string name = sigabbrev_np(number);
    EXPECT_EQ(row->name, "SIG" + (name == "POLL" ? "IO" : name));
    EXPECT_STREQ(row->text, strsignal(number));
  }
  EXPECT_EQ(find_signal(32), nullptr);
}

TEST(FlagTables, AgreeWithHostHeaders) {
  const struct {
    Flags table;
    u64 value;
    const char* name;
  } sample[] = {
      {Flags::open, O_CLOEXEC, "O_CLOEXEC"},
      {Flags::open, O_DIRECTORY, "O_DIRECTORY"},
      {Flags::open, O_PATH, "O_PATH"},
      {Flags::open, O_TMPFILE & ~O_DIRECTORY, nullptr},
      {Flags::map, MAP_ANONYMOUS, "MAP_ANONYMOUS"},
      {Flags::map, MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE"},
      {Flags::advise, MADV_DONTNEED, "MADV_DONTNEED"},
      {Flags::poll, POLLRDHUP, "POLLRDHUP"},
      {Flags::message, MSG_NOSIGNAL, "MSG_NOSIGNAL"},
      {Flags::clone, CLONE_THREAD, "CLONE_THREAD"},
      {Flags::socket_family, AF_NETLINK, "AF_NETLINK"},
      {Flags::fcntl, F_DUPFD_CLOEXEC, "F_DUPFD_CLOEXEC"},
      {Flags::socket_option, SO_PEERCRED, "SO_PEERCRED"},
      {Flags::at, AT_EMPTY_PATH, "AT_EMPTY_PATH"},
      {Flags::rename, RENAME_EXCHANGE, "RENAME_EXCHANGE"},
      {Flags::memfd, MFD_ALLOW_SEALING, "MFD_ALLOW_SEALING"},
  };
  for (const auto& entry : sample) {
    if (entry.name == nullptr) continue;
    EXPECT_STREQ(flag_name(entry.table, entry.value), entry.name);
  }
}

TEST(FlagTables, NoValueHasTwoNames) {
  for (int table = 0; table < static_cast<int>(Flags::count); ++table) {
    const auto& names = flag_table(static_cast<Flags>(table)).names;
    for (const FlagName& one : names)
      for (const FlagName& other : names)
        if (&one != &other) {
          EXPECT_FALSE(one.value == other.value && one.mask == other.mask)
              << one.name << " and " << other.name;
        }
  }
}

TEST(IoctlTable, AgreesWithHostHeaders) {
  const struct {
    unsigned long request;
    const char* name;
    u32 bytes;
  } sample[] = {
      {TCGETS, "TCGETS", 36},
      {TIOCGWINSZ, "TIOCGWINSZ", sizeof(winsize)},
      {FIONREAD, "FIONREAD", 4},
      {TIOCGPGRP, "TIOCGPGRP", 4},
      {FICLONERANGE, "FICLONERANGE", sizeof(file_clone_range)},
      {FS_IOC_GETFLAGS, "FS_IOC_GETFLAGS", 8},
      {BLKGETSIZE64, "BLKGETSIZE64", 8},
      {SIOCGIFFLAGS, "SIOCGIFFLAGS", 40},
      {TIOCGPTN, "TIOCGPTN", 4},
      {FIOQSIZE, "FIOQSIZE", 8},
  };
  for (const auto& entry : sample) {
    const IoctlRow* row = find_ioctl(static_cast<u32>(entry.request));
    ASSERT_NE(row, nullptr) << entry.name;
    EXPECT_STREQ(row->name, entry.name);
    EXPECT_EQ(row->size_bytes, entry.bytes) << entry.name;
  }
}

TEST(IoctlTable, SizesInNumbersAgree) {
  for (const IoctlRow& row : ioctl_rows()) {
    const u32 encoded = row.request >> 16 & 0x3fff;
    // The tunnels' numbers say int where the kernel takes a struct ifreq (drivers/net/tun.c).
    constexpr u32 kInterfaceRequestBytes = 40;
    if ((row.request >> 8 & 0xff) == 'T' && row.size_bytes == kInterfaceRequestBytes) continue;
    if (encoded == 0 || row.direction == Direction::none) continue;
    EXPECT_EQ(row.size_bytes, encoded) << row.name;
  }
}

TEST(IoctlTable, DecodesOnlyWhatIsSafe) {
  EXPECT_FALSE(decode_ioctl(0x5499));          // an old number tells nothing
  EXPECT_FALSE(decode_ioctl(0xc0106401));      // a graphics card's structure holds pointers
  const auto read = decode_ioctl(0x80084599);  // _IOR('E', 0x99, 8)
  ASSERT_TRUE(read);
  EXPECT_EQ(read->direction, Direction::out);
  EXPECT_EQ(read->size_bytes, 8u);
}

}  // namespace
}  // namespace orrery::abi
