// Calls noted by a replay, against the kernel's single steps through the same program run natively, and
// against breakpoints at the watched functions.
#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "lens/heap/call_tree.h"
#include "recorded_session.h"
#include "stepped.h"
#include "translate/call_stream.h"
#include "x86/decode.h"

namespace orrery::testing {
namespace {

using machine::StopReason;
using translate::EnteredFunction;

/// A call or a return: its pc, the stack from where it stood at the beginning, and what a return returns.
struct Transfer {
  bool is_call = false;
  u64 pc = 0, depth = 0, value = 0;
  bool operator==(const Transfer&) const = default;
};

void PrintTo(const Transfer& made, std::ostream* out) {
  *out << (made.is_call ? "call" : "ret") << std::hex << " at 0x" << made.pc << ", depth 0x" << made.depth
       << ", value 0x" << made.value;
}

/// Of the program run natively, from `begin` to `end`. Values that are places on the stack count as 0.
std::vector<Transfer> native_transfers(const std::string& argument, u64 begin, u64 end) {
  Stepped native(ORRERY_PROGRAMS "/static_accessing", argument);
  native.run_to(begin);
  const u64 stack = native.registers().rsp;
  std::map<u64, x86::Category> known;
  std::vector<Transfer> all;
  native.steps_to(end, [&](const user_regs_struct& regs) {
    const auto [found, added] = known.try_emplace(regs.rip);
    if (added) {
      std::array<u8, 16> bytes{};
      for (u64 at = 0; at < 16; at += 8) {
        const u64 word = native.word(regs.rip + at);
        std::memcpy(bytes.data() + at, &word, 8);
      }
      found->second = x86::decode(bytes).category;
    }
    const bool call = found->second == x86::Category::call || found->second == x86::Category::call_indirect;
    if (call) all.push_back({true, regs.rip, stack - regs.rsp, 0});
    if (found->second == x86::Category::ret) all.push_back({false, regs.rip, stack - regs.rsp, regs.rax});
  });
  return all;
}

/// The calls of a replay from the time it is asked for them.
class Noted {
 public:
  explicit Noted(Session& session) : session_(session) {
    EXPECT_TRUE(static_cast<bool>(session->note_calls(
        [this](std::span<const u64> records) { translate::read_calls(records, *this); })));
  }
  void run_to(u64 address) {
    EXPECT_TRUE(static_cast<bool>(session_->set_breakpoints(std::vector{address})));
    EXPECT_EQ(session_.run().reason, StopReason::breakpoint);
    session_->catch_up();
  }

  void turn(i32 task, u64, u64) { last_task = task; }
  void call(u64 pc, u64 rsp) { transfers.push_back({true, pc, rsp, 0}); }
  void ret(u64 pc, u64 rsp, u64 rax) { transfers.push_back({false, pc, rsp, rax}); }
  void entry(u64 pc, const EnteredFunction& entered) { entries.emplace_back(pc, entered); }

  std::vector<Transfer> transfers;
  std::vector<std::pair<u64, EnteredFunction>> entries;
  i32 last_task = 0;

 private:
  Session& session_;
};

class Calls : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(Calls, AreThoseOfTheProgramRunNatively) {
  const auto& [work, options] = GetParam();
  const Recorded recorded("static_accessing " + std::string(work), options);
  ASSERT_EQ(recorded.status(), 0);
  const u64 begin = recorded.address("begin"), end = recorded.address("end");
  std::vector<Transfer> native = native_transfers(work, begin, end);

  Session session(recorded);
  Noted noted(session);
  noted.run_to(begin);
  EXPECT_GT(noted.transfers.size(), 50u);  // the C library's
  const u64 stack = session->registers().gpr[4];
  noted.transfers.clear();
  noted.run_to(end);
  ASSERT_EQ(noted.transfers.size(), native.size());
  for (std::size_t at = 0; at < native.size(); ++at) {
    // Addresses on the stack differ, and so do the values of functions that return them; below a signal's
    // frame all is as deep as that is large, which hangs on the processor.
    constexpr u64 kSignalFrameBytes = 1024;
    Transfer& made = noted.transfers[at];
    made.depth = stack - made.depth;
    if (native[at].value > 0x1'0000'0000) made.value = native[at].value;
    if (native[at].depth - kSignalFrameBytes < u64{1} << 32 && made.depth > kSignalFrameBytes)
      made.depth = native[at].depth;
  }
  EXPECT_EQ(noted.transfers, native);
  EXPECT_GE(native.size(), 4u);
  session.run();
  EXPECT_TRUE(session.ends_equal());
}

INSTANTIATE_TEST_SUITE_P(Works, Calls,
                         ::testing::Combine(::testing::Values("calls", "strings", "faults"),
                                            ::testing::Values("", "--cpu host")),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) +
                                  (*std::get<1>(info.param) != '\0' ? "InMemory" : "");
                         });

// Threads, signals from outside, patched code, a dynamic program; a stream that is full many times.
TEST(CallNotes, LeaveTheReplayAsItIs) {
  for (const char* program :
       {"threads", "static_counted patches", "static_counted signals", "static_counted stack", "patched"}) {
    const Recorded recorded(program);
    Session plain(recorded), session(recorded);
    ASSERT_TRUE(static_cast<bool>(session->count_instructions()));
    ASSERT_TRUE(static_cast<bool>(plain->count_instructions()));
    Noted noted(session);
    const lens::Stop wanted = plain.run(), got = session.run();
    EXPECT_EQ(got.instructions, wanted.instructions) << program;
    EXPECT_EQ(got.ticks, wanted.ticks) << program;
    EXPECT_GT(noted.transfers.size(), 50u) << program;
    EXPECT_TRUE(session.ends_equal()) << program;
  }
}

/// Each entry of a watched function has the registers and the instant that a breakpoint there shows.
void compare_entries(const std::string& words, const std::string& options, const char* name) {
  const Recorded recorded(words, options);
  const u64 function = recorded.address(name);
  std::vector<machine::ControlHit> hits;
  Session stopped(recorded);
  ASSERT_TRUE(static_cast<bool>(stopped->count_instructions()));
  ASSERT_TRUE(static_cast<bool>(stopped->set_breakpoints(std::vector{function})));
  while (!stopped->stop().ended()) ASSERT_TRUE(static_cast<bool>(stopped->collect_before(~u64{0}, hits)));

  Session session(recorded);
  ASSERT_TRUE(static_cast<bool>(session->count_instructions()));
  Noted noted(session);
  ASSERT_TRUE(static_cast<bool>(session->watch_functions(std::vector{function})));
  session.run();
  ASSERT_EQ(noted.entries.size(), hits.size());
  ASSERT_FALSE(hits.empty());
  for (std::size_t at = 0; at < hits.size(); ++at) {
    const auto& [pc, entered] = noted.entries[at];
    EXPECT_EQ(pc, function);
    EXPECT_EQ(entered.rsp, hits[at].gpr[4]);
    EXPECT_EQ(entered.arguments[0], hits[at].gpr[7]);
    EXPECT_EQ(entered.arguments[1], hits[at].gpr[6]);
    EXPECT_EQ(entered.arguments[2], hits[at].gpr[2]);
    EXPECT_EQ(entered.ticks, hits[at].ticks);
  }
  EXPECT_TRUE(session.ends_equal());
}

TEST(CallNotes, HaveTheEntriesOfWatchedFunctions) { compare_entries("calls", "", "work"); }
TEST(CallNotes, HaveThemWithTheCountersInMemory) { compare_entries("calls", "--cpu host", "work"); }

/// The entries of watched functions, and the calls that led to each, as a reader of either stream knows them.
class Paths {
 public:
  struct Entry {
    i32 task = 0;
    u64 pc = 0, rsp = 0, argument = 0, ticks = 0;
    lens::heap::CallTree::Node node = 0;
    bool operator==(const Entry&) const = default;
  };
  void turn(i32 task, u64, u64) { task_ = task; }
  void call(u64 pc, u64 rsp) {
    ++records;
    calls().call(pc, rsp);
  }
  void ret(u64, u64 rsp, u64 rax) {
    ++records;
    calls().ret(rsp);
    returns.emplace_back(rsp, rax);
  }
  void outer(u64 rsp) { calls().outer(rsp); }
  void entry(u64 pc, const EnteredFunction& entered) {
    entries.push_back(
        {task_, pc, entered.rsp, entered.arguments[0], entered.ticks, calls().enter(entered.rsp)});
  }
  std::vector<u64> stack_of(const Entry& entry) const {
    std::vector<u64> stack;
    for (auto node = entry.node; node != 0; node = tree_.parent(node)) stack.push_back(tree_.pc(node));
    return stack;
  }

  u64 records = 0;
  std::vector<Entry> entries;
  std::vector<std::pair<u64, u64>> returns;

 private:
  lens::heap::TaskCalls& calls() { return tasks_.try_emplace(task_, tree_).first->second; }
  i32 task_ = 0;
  lens::heap::CallTree tree_;
  std::map<i32, lens::heap::TaskCalls> tasks_;
};

void compare_entries_of(const Paths& all, const Paths& few, const std::string& words) {
  ASSERT_EQ(few.entries.size(), all.entries.size());
  for (std::size_t at = 0; at < all.entries.size(); ++at) {
    Paths::Entry wanted = all.entries[at], got = few.entries[at];
    ASSERT_EQ(few.stack_of(got), all.stack_of(wanted)) << words << " at entry " << at;
    wanted.node = got.node = 0;
    ASSERT_EQ(got, wanted) << words << " at entry " << at;
  }
}

/// What leads to each entry is the same whether all calls are noted or only those, with the returns of what
/// was entered or without; so are those returns.
void compare_paths(const std::string& words, const std::string& options, std::vector<std::string> names,
                   u64 entries_least) {
  const Recorded recorded(words, options);
  ASSERT_EQ(recorded.status(), 0);
  std::vector<u64> functions, without_returns;
  for (const std::string& name : names) {
    functions.push_back(recorded.address(name));
    without_returns.push_back(translate::WatchedFunction::of(functions.back(), 1, false).word);
  }
  Paths all, few, fewer;
  for (Paths* paths : {&all, &few, &fewer}) {
    Session session(recorded);
    const auto read = [paths](std::span<const u64> records) { translate::read_calls(records, *paths); };
    ASSERT_TRUE(
        static_cast<bool>(paths == &all ? session->note_calls(read) : session->note_watched_calls(read)));
    ASSERT_TRUE(static_cast<bool>(session->watch_functions(paths == &fewer ? without_returns : functions)));
    session.run();
    EXPECT_TRUE(session.ends_equal());
  }
  compare_entries_of(all, fewer, words);
  EXPECT_LT(fewer.returns.size(), few.returns.size());
  compare_entries_of(all, few, words);
  EXPECT_GE(few.entries.size(), entries_least);
  // The returns that are noted are some of all, in their order, and each entry's is among them.
  std::size_t next = 0;
  for (const auto& each : few.returns) {
    while (next < all.returns.size() && all.returns[next] != each) ++next;
    ASSERT_LT(next++, all.returns.size()) << words;
  }
  EXPECT_LT(few.records, all.records);
}

TEST(CallPaths, AreThoseOfAllCalls) { compare_paths("static_paths", "", {"work", "jumps"}, 100); }
TEST(CallPaths, AreThemWithTheCountersInMemory) {
  compare_paths("static_paths", "--cpu host", {"work", "malloc"}, 100);
}
TEST(CallPaths, OfThreads) { compare_paths("threads", "", {"work"}, 10); }

}  // namespace
}  // namespace orrery::testing
