// The table of system calls against the host's own list of numbers and the sizes of its structures.
#include "linux/syscall_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace orrery::abi {
namespace {

/// "#define __NR_name number" of the host's header.
std::map<std::string, unsigned> host_numbers() {
  std::ifstream header("/usr/include/x86_64-linux-gnu/asm/unistd_64.h");
  std::map<std::string, unsigned> numbers;
  std::string line;
  while (std::getline(header, line)) {
    std::istringstream words(line);
    std::string define, name;
    unsigned number = 0;
    if (words >> define >> name >> number && define == "#define" && name.rfind("__NR_", 0) == 0)
      numbers[name.substr(5)] = number;
  }
  return numbers;
}

TEST(SyscallTable, HasEveryNumberOfTheHostsHeader) {
  const auto numbers = host_numbers();
  ASSERT_GT(numbers.size(), 350u);
  for (const auto& [name, number] : numbers) {
    const SyscallRow* row = find_syscall(number);
    ASSERT_NE(row, nullptr) << name;
    EXPECT_EQ(row->name, name);
    EXPECT_EQ(find_syscall(std::string_view(name)), row);
  }
}

TEST(SyscallTable, KnowsTheCallsAfterTheHeader) {
  const std::map<unsigned, std::string> later = {
      {451, "cachestat"},         {452, "fchmodat2"},         {453, "map_shadow_stack"}, {454, "futex_wake"},
      {455, "futex_wait"},        {456, "futex_requeue"},     {457, "statmount"},        {458, "listmount"},
      {459, "lsm_get_self_attr"}, {460, "lsm_set_self_attr"}, {461, "lsm_list_modules"}, {462, "mseal"}};
  for (const auto& [number, name] : later) EXPECT_EQ(find_syscall(number)->name, name);
  EXPECT_EQ(find_syscall(463), nullptr);
  EXPECT_EQ(find_syscall(400), nullptr);
  EXPECT_EQ(find_syscall(~u64{0}), nullptr);
}

TEST(SyscallTable, MostCallsAreSupported) {
  int supported = 0;
  for (const SyscallRow& row : syscall_rows()) supported += row.support != Support::refused ? 1 : 0;
  EXPECT_GE(supported, 270);
}

TEST(SyscallTable, StructureSizesAreTheHosts) {
  const std::map<Struct, std::size_t> sizes = {{Struct::timespec, sizeof(timespec)},
                                               {Struct::timeval, sizeof(timeval)},
                                               {Struct::itimerval, 2 * sizeof(timeval)},
                                               {Struct::itimerspec, sizeof(itimerspec)},
                                               {Struct::timex, sizeof(timex)},
                                               {Struct::stat, sizeof(struct stat)},
                                               {Struct::statfs, sizeof(struct statfs)},
                                               {Struct::statx, sizeof(struct statx)},
                                               {Struct::utsname, sizeof(utsname)},
                                               {Struct::sysinfo, sizeof(struct sysinfo)},
                                               {Struct::rlimit, sizeof(rlimit)},
                                               {Struct::rusage, sizeof(rusage)},
                                               {Struct::tms, sizeof(tms)},
                                               {Struct::siginfo, sizeof(siginfo_t)},
                                               {Struct::stack, sizeof(stack_t)},
                                               {Struct::sigevent, sizeof(sigevent)},
                                               {Struct::pollfd, sizeof(pollfd)},
                                               {Struct::epoll_event, sizeof(epoll_event)},
                                               {Struct::iovec, sizeof(iovec)},
                                               {Struct::msghdr, sizeof(msghdr)},
                                               {Struct::mmsghdr, sizeof(mmsghdr)},
                                               {Struct::flock, sizeof(struct flock)},
                                               {Struct::open_how, sizeof(open_how)},
                                               {Struct::clone_args, sizeof(clone_args)},
                                               {Struct::cap_header, sizeof(__user_cap_header_struct)},
                                               {Struct::cap_data, 2 * sizeof(__user_cap_data_struct)},
                                               {Struct::mq_attr, sizeof(mq_attr)}};
  for (const auto& [type, bytes] : sizes)
    EXPECT_EQ(struct_info(type).size_bytes, bytes) << struct_info(type).name;
}

TEST(SyscallTable, EveryRefusalSaysWhy) {
  for (const SyscallRow& row : syscall_rows())
    if (row.name != nullptr && row.support == Support::refused) {
      EXPECT_GT(std::string(row.note).size(), 8u) << row.name;
    }
}

}  // namespace
}  // namespace orrery::abi
