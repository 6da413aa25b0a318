// The guest's one processor.
#include "kernel/cpu_view.h"

#include <fcntl.h>

#include "guest_fixture.h"

namespace orrery::kernel {
namespace {

using CpuViewTest = GuestTest;

constexpr std::string_view kHosts =
    "processor\t: 0\nsiblings\t: 8\ncpu cores\t: 4\nflags\t\t: fpu sse2 avx2 avx512f hle amx_tile\nbugs\t\t: "
    "x\n\n"
    "processor\t: 1\nflags\t\t: fpu\n\n";

TEST(CpuView, ShowsOneProcessorOfTheProfile) {
  Text out;
  write_cpuinfo(kHosts, 0x7, out);
  EXPECT_EQ(out.view(),
            "processor\t: 0\nsiblings\t: 1\ncpu cores\t: 1\nflags\t\t: fpu sse2 avx2\nbugs\t\t: x\n\n");
  out.clear();
  write_cpuinfo(kHosts, 0xe7, out);
  EXPECT_NE(out.view().find("avx512f"), std::string_view::npos);
}

TEST_F(CpuViewTest, CountsOne) {
  text(0, "/sys/devices/system/cpu/online");
  const i64 fd = call("open", page, O_RDONLY);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(call("read", fd, page, 100), 2);
  EXPECT_EQ(std::string_view(memory(), 2), "0\n");
  EXPECT_EQ(call("close", fd), 0);
  EXPECT_EQ(call("sched_getaffinity", 0, 128, page), 8);
  EXPECT_EQ(memory()[0], 1);
  text(0, "/proc/cpuinfo");
  const i64 info = call("openat", -100, page, O_RDONLY);
  ASSERT_GE(info, 0);
  EXPECT_GT(call("read", info, page, 4000), 100);
  const std::string_view shown(memory(), 4000);
  EXPECT_EQ(shown.substr(0, 9), "processor");
  EXPECT_EQ(shown.find("processor", 9), std::string_view::npos);
  EXPECT_EQ(call("close", info), 0);
}

}  // namespace
}  // namespace orrery::kernel
