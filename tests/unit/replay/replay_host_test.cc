// What was recorded over one host comes back from the recording, and every difference is found.
#include "replay/replay_host.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <string>

#include "host/fake_host.h"
#include "host/live_host.h"
#include "record/recording_host.h"
#include "trace/ring_hosted.h"

namespace orrery::replay {
namespace {

using host::Extent;
using host::HostCall;
using host::Instant;

class Silent final : public kernel::ReportSink {
 public:
  void line(std::string_view text) override { said.emplace_back(text); }
  std::vector<std::string> said;
};

/// Keeps nothing: maps what it is given, as file 7.
class SameFile final : public record::FileKeeper {
 public:
  i64 keep(int guest_fd, record::KeptFile& kept) override {
    if (error != 0) return error;
    kept.fd = guest_fd;
    kept.reference.file_number = 7;
    kept.path = "/some/library.so";
    return 0;
  }
  void forget(const trace::FileReference&) override {}
  i64 error = 0;
};

class OneFile final : public KeptFiles {
 public:
  explicit OneFile(int fd) : fd_(fd) {}
  i64 open(u32 file_number, u64, bool) override { return file_number == 7 ? fd_ : -ENOENT; }
  void close_scratch(u32) override {}

 private:
  int fd_;
};

struct Finished {
  int status, fatal_signal;
};
struct TraceEnded {};

/// A replay ends by not returning; here by throwing.
class Throwing final : public ReplayEnd {
 public:
  void diverged(const Divergence& divergence) override { throw divergence; }
  void trace_ended() override { throw TraceEnded{}; }
  void finished(int status, int fatal_signal) override { throw Finished{status, fatal_signal}; }
};

/// No process gets a ring of its own here.
class NoFamily final : public trace::Family {
 public:
  u32 new_process() override { return ++processes_; }
  u32 new_file() override { return 0; }
  bool join(u32) override { return false; }

 private:
  u32 processes_ = 0;
};

constexpr u64 kRingBytes = u64{16} << 20;

class RecordAndReplay : public testing::Test {
 protected:
  RecordAndReplay()
      : ring_(trace::MappedRing::create(kRingBytes).take()),
        producer_(ring_.base(), kRingBytes),
        consumer_(ring_.base(), kRingBytes),
        writer_(producer_, waiter_, host::TscClock{}),
        recording_({fake_, writer_, keeper_, report_, family_}),
        events_(consumer_, waiter_),
        order_(waiter_) {}

  /// Nothing more will be recorded.
  void close() { writer_.close(); }
  ReplayHost replay(KeptFiles& files) {
    return ReplayHost({.events = events_, .files = files, .end = end_, .family = family_, .order = order_});
  }
  ReplayHost replay() { return replay(no_files_); }

  /// What is different when `question` is asked of the replay.
  Difference difference_of(ReplayHost& host, const std::function<void(ReplayHost&)>& question) {
    try {
      question(host);
    } catch (const Divergence& divergence) {
      return divergence.difference;
    }
    ADD_FAILURE() << "no difference was found";
    return Difference::kind;
  }

  trace::MappedRing ring_;
  trace::FutexWaiter waiter_;
  trace::Producer producer_;
  trace::Consumer consumer_;
  record::EventWriter writer_;
  host::FakeHost fake_{42};
  SameFile keeper_;
  Silent report_;
  NoFamily family_;
  record::RecordingHost recording_;
  EventReader events_;
  Order order_;
  Throwing end_;
  OneFile no_files_{-1};
};

HostCall call_of(u32 number, std::array<u64, 6> args = {}) {
  HostCall call;
  call.number = number;
  call.args = args;
  return call;
}

u64 address_of(const void* pointer) { return reinterpret_cast<u64>(pointer); }

/// A few hundred questions of all kinds, answered into `log`.
void ask_everything(host::Host& host, u64 seed, std::string& log) {
  SplitMix64 random(seed);
  const auto note = [&log](i64 value) { log += std::to_string(value) + ","; };
  for (u64 step = 0; step < 400; ++step) {
    host.at({.task = 1, .ticks = step / 3, .pc = 0x1000 + step * 2});
    std::array<u8, 64> one{}, two{}, input{};
    u32 length = 0;
    random.fill(input);
    HostCall call = call_of(static_cast<u32>(step % 300), {step, random.next(), 3, 4, 5, 6});
    call.in.add({address_of(input.data()), random.below(64)});
    switch (random.below(8)) {
      case 0:
        call.out.add({.address = address_of(one.data()), .capacity_bytes = 64});
        break;
      case 1:
        call.out.add(
            {.address = address_of(one.data()), .capacity_bytes = 10, .extent = Extent::result_bytes});
        call.out.add(
            {.address = address_of(two.data()), .capacity_bytes = 50, .extent = Extent::result_bytes});
        break;
      case 2:
        call.out.add({.address = address_of(one.data()),
                      .capacity_bytes = 64,
                      .extent = Extent::result_items,
                      .item_bytes = 8});
        break;
      case 3:
        call.out.add({.address = address_of(one.data()),
                      .capacity_bytes = 64,
                      .extent = Extent::length_word,
                      .length_at = address_of(&length)});
        call.out.add({.address = address_of(&length), .capacity_bytes = 4});
        break;
      case 4:
        call.out.add({.address = address_of(one.data()), .capacity_bytes = 16, .extent = Extent::always});
        break;
      case 5:
        note(static_cast<i64>(host.read_tsc()));
        continue;
      case 6:
        note(host.current_cpu());
        continue;
      default:
        host.random_bytes(std::span(one).first(random.below(64)));
        log.append(one.begin(), one.end());
        continue;
    }
    note(host.call(call));
    note(length);
    log.append(one.begin(), one.end());
    log.append(two.begin(), two.end());
  }
}

TEST_F(RecordAndReplay, GivesTheSameAnswers) {
  std::string recorded, replayed;
  ask_everything(recording_, 5, recorded);
  recording_.exit(3, 0);
  EXPECT_EQ(fake_.exit_status(), 3);
  ReplayHost host = replay();
  ask_everything(host, 5, replayed);
  EXPECT_EQ(recorded, replayed);
  EXPECT_GT(recorded.size(), 10000u);
  try {
    host.exit(3, 0);
    FAIL();
  } catch (const Finished& finished) {
    EXPECT_EQ(finished.status, 3);
    EXPECT_EQ(finished.fatal_signal, 0);
  }
}

TEST_F(RecordAndReplay, AnotherProgramIsFoundOut) {
  std::string recorded, replayed;
  ask_everything(recording_, 5, recorded);
  close();
  ReplayHost host = replay();
  EXPECT_THROW(ask_everything(host, 6, replayed), Divergence);
}

TEST_F(RecordAndReplay, EveryFieldIsCompared) {
  const Instant here{.task = 4, .ticks = 100, .pc = 0x4000};
  const std::array<u8, 4> input{1, 2, 3, 4};
  const auto question = [&input](host::Host& host, u32 number, u64 argument, u8 checked = 0x3f) {
    HostCall call = call_of(number, {argument, address_of(input.data())});
    call.checked_args = checked;
    call.in.add({address_of(input.data()), input.size()});
    return host.call(call);
  };
  for (int i = 0; i < 8; ++i) {
    recording_.at(here);
    question(recording_, __NR_write, 1);
  }
  close();
  const auto asked_at = [&question](const Instant& instant) {
    return [&question, instant](ReplayHost& host) {
      host.at(instant);
      question(host, __NR_write, 1);
    };
  };
  ReplayHost host = replay();
  EXPECT_EQ(difference_of(host, asked_at({.task = 5, .ticks = 100, .pc = 0x4000})), Difference::task);
  EXPECT_EQ(difference_of(host, asked_at({.task = 4, .ticks = 101, .pc = 0x4000})), Difference::ticks);
  EXPECT_EQ(difference_of(host, asked_at({.task = 4, .ticks = 100, .pc = 0x4001})), Difference::pc);
  host.at(here);
  EXPECT_EQ(difference_of(host, [&](ReplayHost& h) { question(h, __NR_read, 1); }), Difference::detail);
  EXPECT_EQ(difference_of(host, [&](ReplayHost& h) { question(h, __NR_write, 2); }), Difference::request);
  EXPECT_EQ(difference_of(host, [&](ReplayHost& h) { h.read_tsc(); }), Difference::kind);
  EXPECT_EQ(difference_of(host, [&](ReplayHost& h) { h.exit(0, 0); }), Difference::kind);
  EXPECT_NO_THROW(question(host, __NR_write, 1));  // nothing was used up by the wrong questions
}

TEST_F(RecordAndReplay, InputBytesAreCompared) {
  std::array<u8, 100> input{};
  HostCall call = call_of(__NR_write, {1});
  call.in.add({address_of(input.data()), input.size()});
  recording_.call(call);
  close();
  ReplayHost host = replay();
  input[99] = 1;
  EXPECT_EQ(difference_of(host, [&](ReplayHost& h) { h.call(call); }), Difference::request);
  input[99] = 0;
  EXPECT_NO_THROW(host.call(call));
}

TEST_F(RecordAndReplay, UncheckedArgumentsMayDiffer) {
  HostCall call = call_of(__NR_ioctl, {1, 2, 0xaaaa});
  call.checked_args = 0x3b;
  recording_.call(call);
  close();
  ReplayHost host = replay();
  call.args[2] = 0xbbbb;
  EXPECT_NO_THROW(host.call(call));
}

TEST_F(RecordAndReplay, AnswersThatDoNotFitTheQuestionAreFoundOut) {
  std::array<u8, 64> out{};
  HostCall big = call_of(__NR_uname);
  big.out.add({.address = address_of(out.data()), .capacity_bytes = 64});
  fake_.answer_next_call(0);
  recording_.call(big);
  close();
  HostCall small = call_of(__NR_uname);
  small.out.add({.address = address_of(out.data()), .capacity_bytes = 32});
  ReplayHost host = replay();
  EXPECT_EQ(difference_of(host, [&](ReplayHost& h) { h.call(small); }), Difference::payload);
}

TEST_F(RecordAndReplay, AnAnswerLargerThanAnEventGoesOn) {
  std::vector<u8> recorded(trace::kEventBytesMost * 2 + 12345), replayed(recorded.size());
  HostCall call = call_of(__NR_read, {3});
  call.out.add({.address = address_of(recorded.data()),
                .capacity_bytes = recorded.size(),
                .extent = Extent::result_bytes});
  fake_.answer_next_call(static_cast<i64>(recorded.size()));
  recording_.call(call);
  HostCall after = call_of(__NR_close, {3});
  recording_.call(after);
  close();
  EXPECT_EQ(writer_.next_number(), 4u);
  ReplayHost host = replay();
  HostCall again = call_of(__NR_read, {3});
  again.out.add({.address = address_of(replayed.data()),
                 .capacity_bytes = replayed.size(),
                 .extent = Extent::result_bytes});
  EXPECT_EQ(host.call(again), static_cast<i64>(recorded.size()));
  EXPECT_EQ(recorded, replayed);
  EXPECT_NO_THROW(host.call(after));
  EXPECT_EQ(host.next_event(), 4u);
}

TEST_F(RecordAndReplay, SignalsComeAtTheirInstant) {
  host::HostSignal signal{.number = SIGUSR1};
  signal.siginfo[20] = 99;
  HostCall call = call_of(__NR_getpid);
  recording_.at({.task = 1, .ticks = 10, .pc = 0x100});
  host::HostSignal got;
  EXPECT_FALSE(recording_.next_signal(got));
  recording_.call(call);
  fake_.deliver(signal);
  recording_.at({.task = 1, .ticks = 50, .pc = 0x200});
  EXPECT_TRUE(recording_.next_signal(got));
  recording_.exit(0, 0);

  ReplayHost host = replay();
  host.at({.task = 1, .ticks = 10, .pc = 0x100});
  EXPECT_EQ(host.stop_at_tick(), ~u64{0});  // the next event is the program's own
  EXPECT_FALSE(host.next_signal(got));
  host.call(call);
  EXPECT_EQ(host.stop_at_tick(), 50u);
  EXPECT_FALSE(host.next_signal(got));
  host.at({.task = 1, .ticks = 50, .pc = 0x1f0});
  EXPECT_EQ(host.stop_at_tick(), ~u64{0});  // reached before the next tick
  EXPECT_FALSE(host.next_signal(got));
  host.at({.task = 1, .ticks = 50, .pc = 0x200});
  got = {};
  EXPECT_TRUE(host.next_signal(got));
  EXPECT_EQ(got.number, SIGUSR1);
  EXPECT_EQ(got.siginfo[20], 99);
  EXPECT_FALSE(host.next_signal(got));
}

TEST_F(RecordAndReplay, SignalsComeAtTheirLook) {
  const host::Instant instant{.task = 1, .ticks = 50, .pc = 0x200};
  host::HostSignal got;
  recording_.at(instant);
  recording_.begin_look(1);
  EXPECT_FALSE(recording_.next_signal(got));  // a call looks twice, and the signal comes in between
  fake_.deliver({.number = SIGUSR1});
  recording_.begin_look(2);
  EXPECT_TRUE(recording_.next_signal(got));
  fake_.deliver({.number = SIGUSR2});
  recording_.begin_look(0);
  EXPECT_TRUE(recording_.next_signal(got));
  recording_.exit(0, 0);

  ReplayHost host = replay();
  host.at(instant);
  host.begin_look(1);
  EXPECT_FALSE(host.next_signal(got));
  host.begin_look(2);
  EXPECT_TRUE(host.next_signal(got));
  EXPECT_EQ(got.number, SIGUSR1);
  EXPECT_FALSE(host.next_signal(got));
  host.begin_look(0);
  EXPECT_TRUE(host.next_signal(got));
  EXPECT_EQ(got.number, SIGUSR2);
}

TEST_F(RecordAndReplay, AMissedSignalIsADifference) {
  fake_.deliver({.number = SIGTERM});
  recording_.at({.task = 1, .ticks = 50, .pc = 0x200});
  host::HostSignal got;
  recording_.next_signal(got);
  close();
  ReplayHost host = replay();
  host.at({.task = 1, .ticks = 51, .pc = 0x200});
  EXPECT_EQ(difference_of(host, [&](ReplayHost& h) { h.next_signal(got); }), Difference::signal_missed);
}

TEST_F(RecordAndReplay, ARecordingThatEndsEarlyEndsTheReplay) {
  HostCall call = call_of(__NR_getpid);
  recording_.call(call);
  close();
  ReplayHost host = replay();
  host.call(call);
  host::HostSignal signal;
  EXPECT_THROW(host.next_signal(signal), TraceEnded);
  EXPECT_THROW(host.call(call), TraceEnded);
}

TEST_F(RecordAndReplay, AGapEndsTheReplay) {
  HostCall call = call_of(__NR_getpid);
  writer_.write({}, {.kind = trace::EventKind::gap, .result = 1});
  recording_.call(call);
  close();
  ReplayHost host = replay();
  EXPECT_THROW(host.call(call), TraceEnded);
}

TEST_F(RecordAndReplay, AnotherEndIsADifference) {
  recording_.exit(0, SIGSEGV);
  ReplayHost host = replay();
  EXPECT_EQ(difference_of(host, [](ReplayHost& h) { h.exit(0, 0); }), Difference::status);
  EXPECT_EQ(difference_of(host, [](ReplayHost& h) { h.exit(0, SIGBUS); }), Difference::status);
  EXPECT_THROW(host.exit(0, SIGSEGV), Finished);
}

TEST_F(RecordAndReplay, DamageIsReportedWithItsPlace) {
  HostCall call = call_of(__NR_getpid);
  recording_.call(call);
  u8* bytes = producer_.reserve(64);
  std::memset(bytes, 0xee, 64);
  producer_.commit(64, waiter_);
  close();
  ReplayHost host = replay();
  host.call(call);
  try {
    host.call(call);
    FAIL();
  } catch (const Divergence& divergence) {
    EXPECT_EQ(divergence.difference, Difference::damaged);
    EXPECT_EQ(divergence.expected.number, 1u);
  }
}

TEST_F(RecordAndReplay, FilesAreMappedFromTheirCopies) {
  const int writable = memfd_create("original", MFD_CLOEXEC), copy = memfd_create("copy", MFD_CLOEXEC);
  ASSERT_EQ(pwrite(writable, "recorded", 8, 0), 8);
  const int original = open(("/proc/self/fd/" + std::to_string(writable)).c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(pwrite(copy, "replayed", 8, 0), 8);
  constexpr u64 kAt = 0x1420'0100'0000;
  const memory::MapRequest request{kAt, kPageBytes, PROT_READ, MAP_PRIVATE, original, 0};
  EXPECT_EQ(recording_.map(request), 0);
  EXPECT_EQ(std::memcmp(reinterpret_cast<void*>(kAt), "recorded", 8), 0);
  keeper_.error = -ENODEV;
  EXPECT_EQ(recording_.map(request), -ENODEV);
  close();
  OneFile files(copy);
  ReplayHost host = replay(files);
  EXPECT_EQ(host.map(request), 0);
  EXPECT_EQ(std::memcmp(reinterpret_cast<void*>(kAt), "replayed", 8), 0);
  EXPECT_EQ(host.map(request), -ENODEV);
  EXPECT_EQ(host.unmap(kAt, kPageBytes), 0);
  for (const int fd : {writable, original, copy}) ::close(fd);
}

TEST_F(RecordAndReplay, AMemoryOperationThatFailedFailsAgain) {
  constexpr u64 kAt = 0x1420'0200'0000;
  const memory::MapRequest request{kAt, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                                   -1,  0};
  EXPECT_EQ(recording_.map(request), 0);
  fake_.fail_next_memory_operation(-ENOMEM);
  EXPECT_EQ(recording_.move(kAt, kPageBytes, kAt + kPageBytes, kPageBytes), -ENOMEM);
  EXPECT_EQ(recording_.protect(kAt, kPageBytes, PROT_READ), 0);
  close();
  EXPECT_EQ(writer_.next_number(), 1u);  // what succeeds leaves no event
  ReplayHost host = replay();
  EXPECT_EQ(host.map(request), 0);
  EXPECT_EQ(host.move(kAt, kPageBytes, kAt + kPageBytes, kPageBytes), -ENOMEM);
  EXPECT_EQ(host.protect(kAt, kPageBytes, PROT_READ), 0);
  EXPECT_EQ(*reinterpret_cast<volatile u8*>(kAt), 0);  // still there: it was not moved
  EXPECT_EQ(host.unmap(kAt, 2 * kPageBytes), 0);
}

TEST(Divergence, SaysWhatWasExpectedAndWhatCame) {
  Divergence divergence;
  divergence.difference = Difference::request;
  divergence.expected.number = 17;
  divergence.expected.kind = trace::EventKind::syscall;
  divergence.expected.detail = __NR_write;
  divergence.expected.task = 1;
  divergence.expected.ticks = 12;
  divergence.expected.pc = 0x401000;
  divergence.got = trace::EventKind::syscall;
  divergence.got_detail = __NR_read;
  divergence.got_instant = {1, 12, 0x401000};
  divergence.args[0] = 5;
  std::array<char, 400> buffer;
  const std::string words(describe(divergence, buffer));
  EXPECT_NE(words.find("event 17"), std::string::npos) << words;
  EXPECT_NE(words.find("expected system call write"), std::string::npos) << words;
  EXPECT_NE(words.find("got system call read(0x5"), std::string::npos) << words;
  EXPECT_NE(words.find("tick 12, pc 0x401000"), std::string::npos) << words;
  std::array<char, 10> short_buffer;
  EXPECT_EQ(describe(divergence, short_buffer).size(), 10u);
}

}  // namespace
}  // namespace orrery::replay
