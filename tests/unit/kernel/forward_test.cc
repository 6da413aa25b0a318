// The generic handler: what the host is given for a row, and what the recorder is told.
#include "kernel/forward.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "guest_fixture.h"
#include "memory/layout.h"

namespace orrery::kernel {
namespace {

using ForwardTest = GuestTest;
constexpr u64 kEngineAddress = memory::layout::kEngineImage.start + 0x1000;

TEST_F(ForwardTest, ListsInputsAndOutputs) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_EQ(call("write", ends[1], text(0, "hello"), 5), 5);
  ASSERT_EQ(spy.last().in.items().size(), 1u);
  EXPECT_EQ(spy.last().in.items()[0].address, page);
  EXPECT_EQ(spy.last().in.items()[0].size_bytes, 5u);
  EXPECT_TRUE(spy.last().out.items().empty());
  EXPECT_EQ(call("read", ends[0], page + 100, 50), 5);
  ASSERT_EQ(spy.last().out.items().size(), 1u);
  EXPECT_EQ(spy.last().out.items()[0].capacity_bytes, 50u);
  EXPECT_EQ(spy.last().out.items()[0].extent, host::Extent::result_bytes);
  EXPECT_EQ(std::string_view(memory(100), 5), "hello");
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(ForwardTest, CutsRangesWhereTheGuestsMapEnds) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const u64 near_end = page + kPageBytes - 3;
  EXPECT_EQ(call("write", ends[1], near_end, 10), -EFAULT);  // a pipe takes whole buffers
  EXPECT_EQ(spy.last().in.items()[0].size_bytes, 3u);
  EXPECT_EQ(spy.last().args[2], 10u);  // the host decides what comes of it
  EXPECT_EQ(call("read", 9999, near_end, 10), -EBADF);
  EXPECT_EQ(spy.last().out.items()[0].capacity_bytes, 3u);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(ForwardTest, NeverHandsOverEngineMemory) {
  const int zero = ::open("/dev/zero", O_RDWR);
  EXPECT_EQ(call("read", zero, kEngineAddress, 100), -EFAULT);
  EXPECT_EQ(spy.last().args[1], kFaultingAddress);
  EXPECT_TRUE(spy.last().out.items().empty());
  EXPECT_EQ(call("read", 9999, kEngineAddress, 100), -EBADF);  // the host's order of checks
  EXPECT_EQ(call("open", kEngineAddress, O_RDONLY), -EFAULT);
  EXPECT_EQ(call("fstat", zero, kEngineAddress), -EFAULT);
  // Vectors are cleaned in a copy; what comes before the bad one still counts.
  auto* vectors = reinterpret_cast<iovec*>(memory(256));
  vectors[0] = {memory(0), 8};
  vectors[1] = {reinterpret_cast<void*>(kEngineAddress), 8};
  EXPECT_EQ(call("readv", zero, page + 256, 2), 8);
  EXPECT_NE(spy.last().args[1], page + 256);
  EXPECT_EQ(reinterpret_cast<iovec*>(memory(256))[1].iov_base, reinterpret_cast<void*>(kEngineAddress));
  ::close(zero);
}

TEST_F(ForwardTest, EngineDescriptorsDoNotExist) {
  const int hidden = ::fcntl(0, F_DUPFD, static_cast<int>(kEngineFirst));
  ASSERT_GE(hidden, static_cast<int>(kEngineFirst));
  EXPECT_EQ(call("read", hidden, page, 1), -EBADF);
  EXPECT_EQ(call("close", hidden), -EBADF);
  EXPECT_EQ(call("dup", hidden), -EBADF);
  EXPECT_EQ(call("dup2", hidden, 30), -EBADF);
  EXPECT_EQ(call("dup2", 0, hidden), -EBADF);
  EXPECT_EQ(call("fcntl", hidden, F_GETFD, 0), -EBADF);
  EXPECT_EQ(call("close_range", kEngineFirst, ~u32{0}, 0), 0);
  EXPECT_EQ(call("close_range", kEngineFirst - 5, ~u32{0}, 0), 0);
  EXPECT_NE(::fcntl(hidden, F_GETFD), -1) << "the engine's descriptor was closed";
  text(0, "/proc/self/fd/" + std::to_string(hidden));
  EXPECT_EQ(call("open", page, O_RDONLY), -ENOENT);
  EXPECT_EQ(call("readlink", page, page + 100, 100), -ENOENT);
  ::close(hidden);
}

TEST_F(ForwardTest, MarksTheProgramsWords) {
  spy.answer(5);
  EXPECT_EQ(call("write", 1, text(0, "hello"), 5), 5);
  EXPECT_EQ(spy.last().terminal_stream, 1);
  spy.answer(40);
  EXPECT_EQ(call("dup", 2), 40);
  spy.answer(5);
  call("write", 40, page, 5);
  EXPECT_EQ(spy.last().terminal_stream, 2);
  spy.answer(0);
  call("close", 40);
  spy.answer(5);
  call("write", 40, page, 5);
  EXPECT_EQ(spy.last().terminal_stream, 0);
  // What would pass by guest memory on its way to standard output is not done.
  EXPECT_EQ(call("sendfile", 1, 0, 0, 10), -EINVAL);
}

TEST_F(ForwardTest, HoldsTheGuestsDescriptorLimit) {
  process.limits[7].soft = 10;
  spy.answer(10);
  spy.answer(0);
  EXPECT_EQ(call("eventfd2", 0, 0), -EMFILE);
  EXPECT_EQ(spy.last().number, static_cast<u32>(abi::find_syscall("close")->number));
  EXPECT_EQ(spy.last().args[0], 10u);
  EXPECT_EQ(call("dup2", 0, 10), -EBADF);
}

TEST_F(ForwardTest, RecordsMessagesPartByPart) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  ASSERT_EQ(::send(pair[0], "abcdef", 6, 0), 6);
  auto* vectors = reinterpret_cast<iovec*>(memory(512));
  vectors[0] = {memory(0), 2};
  vectors[1] = {memory(64), 100};
  auto* message = reinterpret_cast<msghdr*>(memory(1024));
  *message = {};
  message->msg_iov = vectors;
  message->msg_iovlen = 2;
  message->msg_control = memory(128);
  message->msg_controllen = 64;
  EXPECT_EQ(call("recvmsg", pair[1], page + 1024, 0), 6);
  EXPECT_EQ(std::string_view(memory(64), 4), "cdef");
  const auto ranges = spy.last().out.items();
  ASSERT_EQ(ranges.size(), 4u);
  EXPECT_EQ(ranges[0].address, page + 1024);
  EXPECT_EQ(ranges[1].extent, host::Extent::length_word);
  EXPECT_EQ(ranges[2].extent, host::Extent::result_bytes);
  EXPECT_EQ(ranges[3].capacity_bytes, 100u);
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST_F(ForwardTest, SendsNoEngineDescriptors) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  auto* vectors = reinterpret_cast<iovec*>(memory(512));
  vectors[0] = {memory(0), 2};
  auto* message = reinterpret_cast<msghdr*>(memory(1024));
  *message = {};
  message->msg_iov = vectors;
  message->msg_iovlen = 1;
  message->msg_control = memory(128);
  message->msg_controllen = CMSG_SPACE(sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(message);
  header->cmsg_len = CMSG_LEN(sizeof(int));
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  const int hidden = ::fcntl(0, F_DUPFD, static_cast<int>(kEngineFirst));
  std::memcpy(CMSG_DATA(header), &hidden, sizeof hidden);
  EXPECT_LT(call("sendmsg", pair[0], page + 1024, 0), 0);
  std::memcpy(CMSG_DATA(header), &pair[0], sizeof pair[0]);
  EXPECT_EQ(call("sendmsg", pair[0], page + 1024, 0), 2);
  ::close(hidden);
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST_F(ForwardTest, OwnProgramStandsForTheEngines) {
  const std::string program = "/bin/true";
  process.exe.assign(program.begin(), program.end());
  text(0, "/proc/self/exe");
  EXPECT_EQ(call("readlink", page, page + 100, 100), 9);
  EXPECT_EQ(std::string_view(memory(100), 9), program);
  EXPECT_EQ(call("readlink", page, page + 100, 4), 4);
  struct stat expected;
  ASSERT_EQ(::stat("/bin/true", &expected), 0);
  EXPECT_EQ(call("stat", page, page + 200), 0);
  struct stat got;
  std::memcpy(&got, memory(200), sizeof got);
  EXPECT_EQ(got.st_ino, expected.st_ino);
  text(0, "/proc/4242/task/4242/exe");
  EXPECT_EQ(call("readlink", page, page + 100, 100), 9);
}

TEST_F(ForwardTest, GoesOnAfterSignalsTheGuestIgnores) {
  // SIGCHLD is ignored by default: the read was interrupted, and natively would not have been.
  spy.answer(-EINTR);
  spy.answer(3);
  spy.deliver(SIGCHLD);
  EXPECT_EQ(call("read", 0, page, 10), 3);
  EXPECT_EQ(spy.calls.size(), 2u);
  spy.answer(-EINTR);
  spy.deliver(SIGTERM);
  EXPECT_EQ(call("read", 0, page, 10), -512);  // ERESTARTSYS
  EXPECT_EQ(call("epoll_wait", 0, page, 1, 0), -EINVAL);
}

TEST_F(ForwardTest, ManyVectorsAreAllListed) {
  const int null = ::open("/dev/null", O_WRONLY);
  auto* vectors = reinterpret_cast<iovec*>(memory(0));
  for (int i = 0; i < 100; ++i) vectors[i] = {memory(2000), static_cast<std::size_t>(i)};
  EXPECT_EQ(call("writev", null, page, 100), 4950);
  EXPECT_EQ(call("writev", null, page, 1025), -EINVAL);
  EXPECT_EQ(call("writev", null, page, -1), -EINVAL);
  ::close(null);
}

}  // namespace
}  // namespace orrery::kernel
