#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "events.h"
#include "trace/family.h"
#include "trace/family_message.h"
#include "trace/info_hosted.h"
#include "trace/ring_hosted.h"
#include "trace/trace_file_hosted.h"
#include "trace/writer_hosted.h"

namespace orrery::trace {
namespace {

using Clock = std::chrono::steady_clock;

/// Puts events into the ring as the engine does. False when the writer has gone.
bool produce(Producer& producer, const std::vector<u8>& events) {
  FutexWaiter waiter;
  for (u64 at = 0; at < events.size();) {
    EventView event;
    EXPECT_EQ(parse_event(std::span(events).subspan(at), event), ParseResult::event);
    const u64 size_bytes = event.header->size_bytes;
    u8* room = producer.reserve_waiting(size_bytes, waiter);
    if (room == nullptr) return false;
    std::memcpy(room, events.data() + at, size_bytes);
    producer.commit(size_bytes, waiter);
    at += size_bytes;
  }
  return true;
}

/// A writer process and its ring, as `orrery record` sets them up.
class Writing : public testing::Test {
 protected:
  void start(const std::string& recording, pid_t guest = 0, u64 file_bytes_most = 0) {
    recording_ = recording;
    auto made = MappedRing::create(1 << 20);
    ASSERT_TRUE(made);
    ring_ = std::make_unique<MappedRing>(made.take());
    int ready[2], done[2], words[2];
    ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
    ASSERT_EQ(pipe2(done, O_CLOEXEC), 0);
    ASSERT_EQ(pipe2(words, O_CLOEXEC), 0);
    int family[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, family), 0);
    WriterOptions options{.recording = recording,
                          .ring_fd = ring_->fd(),
                          .family_fd = family[0],
                          .done_fd = done[1],
                          .ready_fd = ready[1]};
    if (guest != 0) options.guest_pidfd = static_cast<int>(syscall(SYS_pidfd_open, guest, 0));
    writer_ = fork();
    if (writer_ == 0) {
      close(family[1]);
      dup2(words[1], STDERR_FILENO);
      if (file_bytes_most != 0) {
        const rlimit limit{file_bytes_most, file_bytes_most};
        setrlimit(RLIMIT_FSIZE, &limit);
      }
      _exit(run_writer(options));
    }
    for (const int fd : {ready[1], done[1], words[1], family[0]}) close(fd);
    family_ = family[1];
    done_ = done[0];
    words_ = words[0];
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
  }

  /// Waits until the recording is complete. Returns the writer's status.
  int finish() {
    leave_family();
    char byte = 0;
    EXPECT_EQ(read(done_, &byte, 1), 1);
    int status = 0;
    waitpid(writer_, &status, 0);
    writer_ = 0;
    char text[4096];
    const ssize_t size = read(words_, text, sizeof text);
    said_.assign(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  /// As the last engine does when it ends.
  void leave_family() {
    if (family_ >= 0) close(family_);
    family_ = -1;
  }

  void TearDown() override {
    leave_family();
    if (writer_ > 0) {
      kill(writer_, SIGKILL);
      waitpid(writer_, nullptr, 0);
    }
  }

  std::vector<u8> read_back(Ending expected = Ending::clean, u32 process = 0) {
    std::string trouble;
    auto reader = TraceReader::open(recording_, trouble, process);
    EXPECT_NE(reader, nullptr) << trouble;
    std::vector<u8> all;
    if (reader == nullptr) return all;
    for (auto run = reader->next_run(); !run.empty(); run = reader->next_run())
      all.insert(all.end(), run.begin(), run.end());
    EXPECT_EQ(reader->ending(), expected) << reader->trouble();
    return all;
  }

  EventHeader last_event(u32 process = 0) {
    const auto all = read_back(Ending::clean, process);
    EventHeader last;
    for (u64 at = 0; at < all.size(); at += last.size_bytes) std::memcpy(&last, all.data() + at, sizeof last);
    return last;
  }

  TemporaryDirectory directory_;
  std::string recording_, said_;
  std::unique_ptr<MappedRing> ring_;
  pid_t writer_ = 0;
  int done_ = -1, words_ = -1;
  int family_ = -1;  ///< the engines' end
};

std::vector<u8> with_exit(std::vector<u8> events, u64 number, i64 result) {
  add_event(events, {.kind = EventKind::exit, .number = number, .result = result});
  return events;
}

/// Random events that are no exits.
std::vector<u8> plain_events(u64 seed, u64 first, u64 count) {
  auto events = random_events(seed, first, count);
  EventHeader header;
  for (u64 at = 0; at < events.size(); at += header.size_bytes) {
    std::memcpy(&header, events.data() + at, sizeof header);
    header.kind = EventKind::syscall;
    std::memcpy(events.data() + at, &header, sizeof header);
  }
  return events;
}

TEST_F(Writing, StoresWhatTheRingCarried) {
  ASSERT_TRUE(
      write_info(directory_.path(), {.program = "/bin/true", .arguments = {"true", "a\nb\\"}, .pid = 7}));
  start(directory_.path());
  Producer producer(ring_->base(), ring_->capacity_bytes());
  const auto events = with_exit(plain_events(1, 0, 40'000), 40'000, 3);
  ASSERT_TRUE(produce(producer, events));
  FutexWaiter waiter;
  producer.close(waiter);
  EXPECT_EQ(finish(), 0);
  EXPECT_EQ(said_, "");
  EXPECT_EQ(read_back(), events);
  auto info = read_info(directory_.path());
  ASSERT_TRUE(info);
  EXPECT_EQ(info.value().state, RecordingState::complete);
  EXPECT_EQ(info.value().exit_status, 3);
  EXPECT_FALSE(info.value().fatal_signal);
  EXPECT_EQ(info.value().event_count, 40'001u);
  EXPECT_EQ(info.value().raw_bytes, events.size());
  EXPECT_EQ(info.value().arguments, (std::vector<std::string>{"true", "a\nb\\"}));
  EXPECT_EQ(info.value().pid, 7);
  struct stat status {};
  ASSERT_EQ(stat((directory_.path() + "/trace").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(static_cast<u64>(status.st_size), info.value().trace_bytes);
}

TEST_F(Writing, EndsAtOnceWhenTheRingIsClosed) {
  start(directory_.path());
  FutexWaiter waiter;
  Producer producer(ring_->base(), ring_->capacity_bytes());
  ASSERT_TRUE(produce(producer, with_exit({}, 0, 0x10b)));
  const auto begin = Clock::now();
  producer.close(waiter);
  EXPECT_EQ(finish(), 0);
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(2));
  EXPECT_EQ(read_info(directory_.path()).value().fatal_signal, 11);
}

TEST_F(Writing, FlushesInTimeWhileTheGuestIsQuiet) {
  start(directory_.path());
  Producer producer(ring_->base(), ring_->capacity_bytes());
  ASSERT_TRUE(produce(producer, plain_events(1, 0, 3)));
  const auto begin = Clock::now();
  u64 count = 0;
  while (count == 0 && Clock::now() - begin < std::chrono::seconds(10)) {
    std::string trouble;
    if (const auto reader = TraceReader::open(directory_.path(), trouble)) count = reader->event_count();
    usleep(2000);
  }
  EXPECT_EQ(count, 3u);
  EXPECT_LT(Clock::now() - begin, std::chrono::milliseconds(500)) << "100 ms, and some for a loaded host";
}

TEST_F(Writing, AKilledGuestKeepsAllItCommitted) {
  auto made = MappedRing::create(1 << 20);
  for (int round = 0; round < 15; ++round) {
    const TemporaryDirectory recording;
    int go[2];
    ASSERT_EQ(pipe(go), 0);
    const pid_t guest = fork();
    if (guest == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      int ring_fd = -1;
      if (read(go[0], &ring_fd, sizeof ring_fd) != sizeof ring_fd) _exit(1);
      const std::string path = "/proc/" + std::to_string(getppid()) + "/fd/" + std::to_string(ring_fd);
      auto mapped = MappedRing::map(open(path.c_str(), O_RDWR));
      if (!mapped) _exit(1);
      MappedRing ring = mapped.take();
      Producer producer(ring.base(), ring.capacity_bytes());
      for (u64 number = 0;; number += 10) produce(producer, plain_events(number, number, 10));
    }
    start(recording.path(), guest);
    const int fd = ring_->fd();
    ASSERT_EQ(write(go[1], &fd, sizeof fd), static_cast<ssize_t>(sizeof fd));
    usleep(static_cast<useconds_t>(20'000 + 7'000 * round));
    kill(guest, SIGKILL);
    waitpid(guest, nullptr, 0);
    EXPECT_EQ(finish(), 0);
    const auto all = read_back();
    const auto* header = static_cast<const RingHeader*>(ring_->base());
    EXPECT_EQ(all.size(), header->head) << "every committed byte";
    EXPECT_EQ(read_info(recording.path()).value().state, RecordingState::cut);
    for (u64 at = 0, number = 0; at < all.size(); number += 10) {
      const auto expected = plain_events(number, number, 10);
      const u64 size = std::min<u64>(expected.size(), all.size() - at);
      ASSERT_EQ(std::memcmp(all.data() + at, expected.data(), size), 0);
      at += size;
    }
    for (const int end : go) close(end);
  }
}

TEST_F(Writing, AKilledWriterLeavesAReadableTraceAndAFreeGuest) {
  for (int round = 0; round < 15; ++round) {
    const TemporaryDirectory recording;
    start(recording.path());
    const pid_t killer = fork();
    if (killer == 0) {
      usleep(static_cast<useconds_t>(10'000 + 9'000 * round));
      kill(writer_, SIGKILL);
      _exit(0);
    }
    Producer producer(ring_->base(), ring_->capacity_bytes());
    u64 number = 0;
    while (produce(producer, plain_events(number, number, 10))) number += 10;
    EXPECT_EQ(producer.peer(), PeerState::died);
    waitpid(killer, nullptr, 0);
    waitpid(writer_, nullptr, 0);
    writer_ = 0;
    const auto all = read_back(Ending::cut);
    for (u64 at = 0, next = 0; at < all.size(); next += 10) {
      const auto expected = plain_events(next, next, 10);
      const u64 size = std::min<u64>(expected.size(), all.size() - at);
      ASSERT_EQ(std::memcmp(all.data() + at, expected.data(), size), 0);
      at += size;
    }
  }
}

TEST_F(Writing, AFullDiskEndsTheRecordingWithAGapAndLetsTheGuestGoOn) {
  const std::string disk = directory_.path() + "/disk";
  mkdir(disk.c_str(), 0700);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0)
    GTEST_SKIP() << "cannot mount a small disk here";
  ASSERT_TRUE(write_info(disk, {.program = "/bin/big"}));
  start(disk);
  Producer producer(ring_->base(), ring_->capacity_bytes());
  u64 number = 0;
  while (number < 400'000 && produce(producer, plain_events(number, number, 100))) number += 100;
  EXPECT_LT(number, 400'000u);
  EXPECT_EQ(producer.peer(), PeerState::closed);
  EXPECT_EQ(finish(), 1);
  EXPECT_NE(said_.find("No space left on device"), std::string::npos) << said_;
  EXPECT_EQ(std::count(said_.begin(), said_.end(), '\n'), 1);
  const EventHeader last = last_event();
  EXPECT_EQ(last.kind, EventKind::gap);
  EXPECT_EQ(last.result, static_cast<i64>(GapReason::disk_full));
  EXPECT_GT(last.number, 1000u);
  EXPECT_EQ(read_info(disk).value().state, RecordingState::gap);
  umount(disk.c_str());
}

TEST_F(Writing, AFileSizeLimitIsAFullDiskToo) {
  start(directory_.path(), 0, 300'000);
  Producer producer(ring_->base(), ring_->capacity_bytes());
  u64 number = 0;
  while (number < 400'000 && produce(producer, plain_events(number, number, 100))) number += 100;
  EXPECT_EQ(producer.peer(), PeerState::closed);
  EXPECT_EQ(finish(), 1);
  EXPECT_NE(said_.find("File too large"), std::string::npos) << said_;
}

TEST_F(Writing, ABrokenRecordIsSaidAndNotStored) {
  start(directory_.path());
  FutexWaiter waiter;
  Producer producer(ring_->base(), ring_->capacity_bytes());
  const auto events = plain_events(1, 0, 100);
  ASSERT_TRUE(produce(producer, events));
  u8* room = producer.reserve(4096);
  std::memset(room, 0xee, 4096);
  producer.commit(4096, waiter);
  EXPECT_EQ(finish(), 1);
  EXPECT_EQ(producer.peer(), PeerState::closed);
  EXPECT_NE(said_.find("broken record"), std::string::npos) << said_;
  const EventHeader last = last_event();
  EXPECT_EQ(last.kind, EventKind::gap);
  EXPECT_EQ(last.number, 100u);
  EXPECT_EQ(last.result, static_cast<i64>(GapReason::bad_record));
}

/// A forked process's side of trace/family.h. Null when it is refused.
struct Member {
  Member(int family, u32 process, int failure = 0) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    const FamilyRequest request{.process = process, .pid = getpid()};
    send_with(family, &request, sizeof request, ends[1], failure);
    close(ends[1]);
    socket = ends[0];
    FamilyReply reply{.error = ENOTCONN};
    const int fd = receive(&reply, sizeof reply);
    error = static_cast<int>(reply.error);
    if (fd < 0) return;
    auto mapped = MappedRing::map(fd);
    close(fd);
    EXPECT_TRUE(mapped);
    ring = std::make_unique<MappedRing>(mapped.take());
    producer = std::make_unique<Producer>(ring->base(), ring->capacity_bytes());
  }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;
  ~Member() { close(socket); }

  static void send_with(int to, const void* bytes, std::size_t size, int fd, int failure = 0) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
    iovec part{const_cast<void*>(bytes), size};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* with = CMSG_FIRSTHDR(&header);
    with->cmsg_level = SOL_SOCKET;
    with->cmsg_type = SCM_RIGHTS;
    with->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(with), &fd, sizeof fd);
    const ssize_t sent = sendmsg(to, &header, MSG_NOSIGNAL);
    EXPECT_EQ(sent < 0 ? errno : 0, failure);
  }
  int receive(void* bytes, std::size_t size) const {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    iovec part{bytes, size};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    if (recvmsg(socket, &header, MSG_CMSG_CLOEXEC) != static_cast<ssize_t>(size)) return -1;
    int fd = -1;
    if (const cmsghdr* with = CMSG_FIRSTHDR(&header)) std::memcpy(&fd, CMSG_DATA(with), sizeof fd);
    return fd;
  }
  void close_ring() const {
    FutexWaiter waiter;
    producer->close(waiter);
  }

  int socket = -1;
  int error = 0;
  std::unique_ptr<MappedRing> ring;
  std::unique_ptr<Producer> producer;
};

TEST_F(Writing, EachForkedProcessHasEventsOfItsOwn) {
  ASSERT_TRUE(write_info(directory_.path(), {.program = "/bin/sh"}));
  start(directory_.path());
  Producer producer(ring_->base(), ring_->capacity_bytes());
  constexpr u32 kProcesses = 12;
  std::vector<pid_t> pids;
  for (u32 process = 1; process <= kProcesses; ++process) {
    pids.push_back(fork());
    if (pids.back() != 0) continue;
    const Member member(family_, process);
    const bool good =
        member.producer && produce(*member.producer, with_exit(plain_events(process, 0, 9'000), 9'000, 0));
    if (good) member.close_ring();
    _exit(good ? 0 : 1);
  }
  const auto events = with_exit(plain_events(0, 0, 20'000), 20'000, 3);
  ASSERT_TRUE(produce(producer, events));
  FutexWaiter waiter;
  producer.close(waiter);
  for (const pid_t pid : pids) {
    int status = 1;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(finish(), 0);
  EXPECT_EQ(read_back(), events);
  for (u32 process = 1; process <= kProcesses; ++process)
    EXPECT_EQ(read_back(Ending::clean, process), with_exit(plain_events(process, 0, 9'000), 9'000, 0));
  auto info = read_info(directory_.path());
  EXPECT_EQ(info.value().process_count, kProcesses + 1);
  EXPECT_EQ(info.value().killed_count, 0u);
  EXPECT_EQ(info.value().event_count, 20'001u + kProcesses * 9'001u);
  EXPECT_EQ(info.value().state, RecordingState::complete);
}

TEST_F(Writing, OutlivesTheFirstProcessUntilTheLastHasEnded) {
  ASSERT_TRUE(write_info(directory_.path(), {.program = "/bin/daemon"}));
  start(directory_.path());
  const Member daemon(family_, 1);
  ASSERT_EQ(daemon.error, 0);
  FutexWaiter waiter;
  Producer first(ring_->base(), ring_->capacity_bytes());
  ASSERT_TRUE(produce(first, with_exit({}, 0, 0)));
  first.close(waiter);
  usleep(120'000);
  const auto events = with_exit(plain_events(5, 0, 100), 100, 0);
  ASSERT_TRUE(produce(*daemon.producer, events));
  daemon.close_ring();
  EXPECT_EQ(finish(), 0);
  EXPECT_EQ(read_back(Ending::clean, 1), events);
}

TEST_F(Writing, AKilledForkedProcessKeepsAllItCommitted) {
  ASSERT_TRUE(write_info(directory_.path(), {.program = "/bin/sh"}));
  start(directory_.path());
  int committed[2];
  ASSERT_EQ(pipe(committed), 0);
  constexpr u32 kProcesses = 6;
  std::vector<pid_t> pids;
  for (u32 process = 1; process <= kProcesses; ++process) {
    pids.push_back(fork());
    if (pids.back() != 0) continue;
    const Member member(family_, process);
    for (u64 number = 0; member.producer; number += 10) {
      produce(*member.producer, plain_events(number + process, number, 10));
      const u64 told[2] = {process, number + 10};
      [[maybe_unused]] const ssize_t wrote = write(committed[1], told, sizeof told);
    }
    _exit(1);
  }
  close(committed[1]);
  // Each has committed something, however late it was let run.
  u64 told[2], least[kProcesses + 1] = {};
  u32 heard = 0;
  while (heard < kProcesses && read(committed[0], told, sizeof told) == static_cast<ssize_t>(sizeof told)) {
    heard += least[told[0]] == 0 ? 1 : 0;
    least[told[0]] = told[1];
  }
  usleep(50'000);
  for (const pid_t pid : pids) kill(pid, SIGKILL);
  while (read(committed[0], told, sizeof told) == static_cast<ssize_t>(sizeof told)) least[told[0]] = told[1];
  for (const pid_t pid : pids) waitpid(pid, nullptr, 0);
  close(committed[0]);
  FutexWaiter waiter;
  Producer first(ring_->base(), ring_->capacity_bytes());
  ASSERT_TRUE(produce(first, with_exit({}, 0, 0)));
  first.close(waiter);
  EXPECT_EQ(finish(), 0);
  for (u32 process = 1; process <= kProcesses; ++process) {
    const auto all = read_back(Ending::clean, process);
    u64 number = 0;
    for (u64 at = 0; at < all.size(); number += 10) {
      const auto expected = plain_events(number + process, number, 10);
      const u64 size = std::min<u64>(expected.size(), all.size() - at);
      ASSERT_EQ(std::memcmp(all.data() + at, expected.data(), size), 0);
      at += size;
    }
    EXPECT_GE(number, least[process]) << "process " << process;
    EXPECT_GT(least[process], 0u);
  }
  EXPECT_EQ(read_info(directory_.path()).value().killed_count, kProcesses);
}

u64 count_entries(const std::string& directory) {
  u64 count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++count;
  return count;
}

TEST_F(Writing, ShortProcessesOneAfterTheOtherLeaveNothingBehind) {
  ASSERT_TRUE(write_info(directory_.path(), {.program = "/bin/sh"}));
  start(directory_.path());
  const std::string proc = "/proc/" + std::to_string(writer_);
  u64 descriptors = 0;
  for (u32 process = 1; process <= 600; ++process) {
    {
      const Member member(family_, process);
      ASSERT_EQ(member.error, 0);
      ASSERT_TRUE(produce(*member.producer, with_exit(plain_events(process, 0, 5), 5, 0)));
      member.close_ring();
    }
    if (process == 100) descriptors = count_entries(proc + "/fd");
  }
  usleep(200'000);
  EXPECT_LE(count_entries(proc + "/task"), 3 + 5u) << "threads";
  EXPECT_LE(count_entries(proc + "/fd"), descriptors + 4);
  std::ifstream maps(proc + "/maps");
  const std::string text(std::istreambuf_iterator<char>(maps), {});
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 300) << text.substr(0, 2000);
  FutexWaiter waiter;
  Producer first(ring_->base(), ring_->capacity_bytes());
  ASSERT_TRUE(produce(first, with_exit({}, 0, 0)));
  first.close(waiter);
  EXPECT_EQ(finish(), 0);
  EXPECT_EQ(read_back(Ending::clean, 600), with_exit(plain_events(600, 0, 5), 5, 0));
}

TEST_F(Writing, AKilledWriterFreesAllProcesses) {
  start(directory_.path());
  const Member member(family_, 1), other(family_, 2);
  ASSERT_EQ(member.error, 0);
  const pid_t killer = fork();
  if (killer == 0) {
    usleep(50'000);
    kill(writer_, SIGKILL);
    _exit(0);
  }
  u64 number = 0;
  while (produce(*member.producer, plain_events(number, number, 10))) number += 10;
  EXPECT_EQ(member.producer->peer(), PeerState::died);
  EXPECT_EQ(other.producer->peer(), PeerState::died);
  waitpid(killer, nullptr, 0);
  waitpid(writer_, nullptr, 0);
  writer_ = 0;
  const Member late(family_, 3, EPIPE);
  EXPECT_EQ(late.producer, nullptr) << "nobody answers";
}

TEST_F(Writing, WrongRequestsAreRefused) {
  start(directory_.path());
  EXPECT_EQ(Member(family_, 0).error, EPROTO) << "the first process has its ring";
  const Member once(family_, 1);
  EXPECT_EQ(once.error, 0);
  EXPECT_EQ(Member(family_, 1).error, EPROTO) << "a number is given once";
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  Member::send_with(family_, "x", 1, ends[1]);
  FamilyReply reply;
  EXPECT_EQ(recv(ends[0], &reply, sizeof reply, 0), static_cast<ssize_t>(sizeof reply));
  EXPECT_EQ(reply.error, static_cast<u32>(EPROTO));
  EXPECT_EQ(send(family_, "no descriptor", 13, 0), 13);
  EXPECT_EQ(Member(family_, 2).error, 0);
  for (const int end : ends) close(end);
}

/// What is asked for with this descriptor: the copy, or -errno.
i64 ask_for_copy(int family, u32 file_number, int fd) {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  FamilyRequest request{.kept_file = file_number + 1};
  FamilyMessage message(&request, sizeof request);
  const int passed[] = {ends[1], fd};
  message.put({passed, fd >= 0 ? std::size_t{2} : std::size_t{1}});
  EXPECT_EQ(sendmsg(family, &message.header(), MSG_NOSIGNAL), static_cast<ssize_t>(sizeof request));
  close(ends[1]);
  FamilyReply reply;
  FamilyMessage answer(&reply, sizeof reply);
  EXPECT_EQ(recvmsg(ends[0], &answer.header(), MSG_CMSG_CLOEXEC), static_cast<ssize_t>(sizeof reply));
  close(ends[0]);
  return reply.error != 0 ? -static_cast<i64>(reply.error) : answer.descriptors()[0];
}

TEST_F(Writing, ACopyIsForWhoCanReadTheFile) {
  const auto file = [&](const char* name, const char* words) {
    const int fd = open((directory_.path() + "/" + name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    EXPECT_EQ(write(fd, words, std::strlen(words)), static_cast<ssize_t>(std::strlen(words)));
    return fd;
  };
  const auto content = [](i64 fd) {
    char bytes[64] = {};
    EXPECT_GE(pread(static_cast<int>(fd), bytes, sizeof bytes - 1, 0), 0) << fd;
    close(static_cast<int>(fd));
    return std::string(bytes);
  };
  mkdir((directory_.path() + "/files").c_str(), 0700);
  ASSERT_EQ(setenv("XDG_DATA_HOME", directory_.path().c_str(), 1), 0);
  close(file("files/5", "kept by another process"));
  const int own = file("own", "own"), other = file("other", "other");
  const int write_only = open((directory_.path() + "/other").c_str(), O_WRONLY | O_CLOEXEC);
  const int path_only = open((directory_.path() + "/other").c_str(), O_PATH | O_CLOEXEC);
  start(directory_.path());
  EXPECT_EQ(ask_for_copy(family_, 5, -1), -EACCES);
  EXPECT_EQ(ask_for_copy(family_, 5, own), -EEXIST) << "another file's copy";
  EXPECT_EQ(ask_for_copy(family_, 6, write_only), -EACCES);
  EXPECT_EQ(ask_for_copy(family_, 6, path_only), -EACCES);
  EXPECT_EQ(content(ask_for_copy(family_, 6, own)), "own");
  EXPECT_EQ(content(ask_for_copy(family_, 6, own)), "own") << "again";
  EXPECT_EQ(ask_for_copy(family_, 6, other), -EEXIST);
  EXPECT_EQ(content(open((directory_.path() + "/files/5").c_str(), O_RDONLY)), "kept by another process");
  for (const int fd : {own, other, write_only, path_only}) close(fd);
}

TEST_F(Writing, AFullDiskLetsAllProcessesGoOn) {
  const std::string disk = directory_.path() + "/disk";
  mkdir(disk.c_str(), 0700);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0)
    GTEST_SKIP() << "cannot mount a small disk here";
  ASSERT_TRUE(write_info(disk, {.program = "/bin/big"}));
  start(disk);
  std::vector<std::unique_ptr<Member>> members;
  for (u32 process = 1; process <= 3; ++process)
    members.push_back(std::make_unique<Member>(family_, process));
  Producer first(ring_->base(), ring_->capacity_bytes());
  bool going = true;
  for (u64 number = 0; number < 400'000 && going; number += 100) {
    going = produce(first, plain_events(number, number, 100));
    for (const auto& member : members) produce(*member->producer, plain_events(number, number, 100));
  }
  EXPECT_FALSE(going);
  for (const auto& member : members) {
    produce(*member->producer, {});
    for (int i = 0; i < 100 && member->producer->peer() == PeerState::present; ++i) usleep(20'000);
    EXPECT_EQ(member->producer->peer(), PeerState::closed);
  }
  EXPECT_EQ(Member(family_, 9).error, ENOSPC) << "a late process is told";
  EXPECT_EQ(finish(), 1);
  EXPECT_EQ(std::count(said_.begin(), said_.end(), '\n'), 1) << said_;
  for (u32 process = 0; process <= 3; ++process) {
    const EventHeader last = last_event(process);
    EXPECT_EQ(last.kind, EventKind::gap);
    EXPECT_EQ(last.result, static_cast<i64>(GapReason::disk_full));
  }
  EXPECT_EQ(read_info(disk).value().state, RecordingState::gap);
  umount(disk.c_str());
}

TEST_F(Writing, SignalsOfTheTerminalDoNotReachIt) {
  start(directory_.path());
  EXPECT_EQ(getsid(writer_), writer_);
  for (const int signal : {SIGINT, SIGHUP, SIGTERM, SIGQUIT}) kill(writer_, signal);
  FutexWaiter waiter;
  Producer producer(ring_->base(), ring_->capacity_bytes());
  const auto events = with_exit(plain_events(2, 0, 1000), 1000, 0);
  ASSERT_TRUE(produce(producer, events));
  producer.close(waiter);
  EXPECT_EQ(finish(), 0);
  EXPECT_EQ(read_back(), events);
}

}  // namespace
}  // namespace orrery::trace
