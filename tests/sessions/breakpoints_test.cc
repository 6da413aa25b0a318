// Breakpoints of a replay, against what the recorded programs say they did themselves.
#include <chrono>
#include <map>

#include "recorded_session.h"

namespace orrery::testing {
namespace {

using machine::StopReason;

struct Hit {
  i32 task;
  u64 ticks, pc, argument;
  bool operator==(const Hit&) const = default;
};

/// Every stop at the breakpoints, up to the end, which must be as recorded.
std::vector<Hit> hits_of(const Recorded& recorded, const std::vector<u64>& addresses, u32 process = 0) {
  Session session(recorded, process);
  EXPECT_TRUE(static_cast<bool>(session->set_breakpoints(addresses)));
  std::vector<Hit> hits;
  for (lens::Stop stop = session.run(); !stop.ended(); stop = session.run()) {
    EXPECT_EQ(stop.reason, StopReason::breakpoint);
    EXPECT_EQ(session->registers().rip, stop.pc);
    hits.push_back({stop.task, stop.ticks, stop.pc, session.argument()});
  }
  EXPECT_TRUE(session.ends_equal());
  return hits;
}

std::vector<u64> arguments_of(const std::vector<Hit>& hits) {
  std::vector<u64> arguments;
  for (const Hit& hit : hits) arguments.push_back(hit.argument);
  return arguments;
}

TEST(Breakpoints, MeetEveryCallOfAFunction) {
  const Recorded recorded("calls");
  const u64 work = recorded.address("work");
  const std::vector<Hit> hits = hits_of(recorded, {work});
  EXPECT_EQ(arguments_of(hits), recorded.numbers());
  for (std::size_t i = 0; i < hits.size(); ++i) {
    EXPECT_EQ(hits[i].pc, work);
    EXPECT_GT(hits[i].ticks, i > 0 ? hits[i - 1].ticks : 0);
  }
}

TEST(Breakpoints, AreWhereTheTicksOfTheirStopsLead) {
  const Recorded recorded("calls");
  const std::vector<Hit> hits = hits_of(recorded, {recorded.address("work")});
  ASSERT_FALSE(hits.empty());
  Session session(recorded);
  for (const Hit& hit : hits) {  // a call is a tick: its target is where the tick leads
    ASSERT_TRUE(static_cast<bool>(session->stop_at_tick(hit.task, hit.ticks)));
    const lens::Stop stop = session.run();
    ASSERT_EQ(stop.reason, StopReason::tick);
    EXPECT_EQ((Hit{stop.task, stop.ticks, stop.pc, session.argument()}), hit);
  }
  EXPECT_EQ(session.run().reason, StopReason::exit);
  EXPECT_TRUE(session.ends_equal());
}

TEST(Breakpoints, StopOnceForATickAndOnceForTheInstruction) {
  const Recorded recorded("calls");
  const u64 work = recorded.address("work");
  const Hit first = hits_of(recorded, {work}).at(0);
  Session session(recorded);
  ASSERT_TRUE(static_cast<bool>(session->stop_at_tick(first.task, first.ticks)));
  EXPECT_EQ(session.run().reason, StopReason::tick);
  ASSERT_TRUE(static_cast<bool>(session->set_breakpoints(std::vector{work})));  // at the very pc
  EXPECT_EQ(session.run().reason, StopReason::breakpoint);
  EXPECT_EQ(session->stop().ticks, first.ticks);
  ASSERT_TRUE(static_cast<bool>(session->set_breakpoints({})));
  ASSERT_TRUE(static_cast<bool>(session->set_breakpoints(std::vector{work})));
  EXPECT_EQ(session.run().reason, StopReason::breakpoint);
  EXPECT_GT(session->stop().ticks, first.ticks);
}

TEST(Breakpoints, CanBeSetAndClearedOnTheWay) {
  const Recorded recorded("calls");
  const u64 work = recorded.address("work");
  Session session(recorded);
  std::vector<u64> arguments;
  for (int turn = 0; turn < 20; ++turn) {  // the calls one by one, and where each returns to
    ASSERT_TRUE(static_cast<bool>(session->set_breakpoints(std::vector{work})));
    ASSERT_EQ(session.run().reason, StopReason::breakpoint);
    const u64 argument = session.argument();
    arguments.push_back(argument);
    u64 returns_to = 0;
    ASSERT_TRUE(session->read_value(session->registers().gpr[4], returns_to));
    ASSERT_TRUE(static_cast<bool>(session->set_breakpoints(std::vector{returns_to})));
    const lens::Stop stop = session.run();
    ASSERT_EQ(stop.reason, StopReason::breakpoint);
    EXPECT_EQ(stop.pc, returns_to);
    EXPECT_EQ(session->registers().gpr[0], argument * 3);
  }
  std::vector<u64> said = recorded.numbers();
  said.resize(20);
  EXPECT_EQ(arguments, said);
  ASSERT_TRUE(static_cast<bool>(session->set_breakpoints({})));
  EXPECT_EQ(session.run().reason, StopReason::exit);
  EXPECT_TRUE(session.ends_equal());
}

TEST(Breakpoints, StandOnEveryInstructionOfALoop) {
  const Recorded recorded("loop 50");
  const u64 body = recorded.address("body");  // add (3 bytes), dec (3), jnz
  const std::vector<Hit> hits = hits_of(recorded, {body, body + 1, body + 3, body + 6, body + 8});
  std::map<u64, u64> count;
  for (const Hit& hit : hits) ++count[hit.pc - body];
  EXPECT_EQ(count, (std::map<u64, u64>{{0, 50}, {3, 50}, {6, 50}, {8, 1}}));
}

TEST(Breakpoints, AreCheapEnoughForAHotLoop) {
  constexpr u64 kTurns = 100'000;
  const Recorded recorded("loop " + std::to_string(kTurns));
  Session session(recorded);
  ASSERT_TRUE(static_cast<bool>(session->set_breakpoints(std::vector{recorded.address("body")})));
  const auto start = std::chrono::steady_clock::now();
  u64 hits = 0;
  for (lens::Stop stop = session.run(); stop.reason == StopReason::breakpoint; stop = session.run()) ++hits;
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(hits, kTurns);
  EXPECT_TRUE(session.ends_equal());
  RecordProperty("microseconds_a_stop", std::to_string(took.count() / kTurns));
  std::printf("%.2f us a stop\n", took.count() / kTurns);
}

/// The same as hits_of, without a stop at each.
std::vector<machine::ControlHit> collected(const Recorded& recorded, const std::vector<u64>& addresses) {
  Session session(recorded);
  EXPECT_TRUE(static_cast<bool>(session->set_breakpoints(addresses)));
  std::vector<machine::ControlHit> hits;
  std::size_t before = 0;
  for (;;) {
    auto stop = session->collect_before(~u64{0}, hits);
    EXPECT_TRUE(static_cast<bool>(stop));
    if (!stop || stop.value().ended()) break;
    EXPECT_EQ(stop.value().reason, StopReason::breakpoint);
    EXPECT_EQ(hits.size() - before, machine::kHitsMost);
    EXPECT_EQ(hits.back().pc, stop.value().pc);
    before = hits.size();
  }
  EXPECT_TRUE(session.ends_equal());
  return hits;
}

TEST(Breakpoints, AreCollectedAsManyAsAreWanted) {
  const Recorded recorded("threads");
  const u64 work = recorded.address("work");
  const std::vector<Hit> all = hits_of(recorded, {work});
  Session session(recorded);
  ASSERT_TRUE(static_cast<bool>(session->set_breakpoints(std::vector{work})));
  std::vector<machine::ControlHit> hits;
  for (const u64 wanted : {u64{1}, u64{7}, u64{machine::kHitsMost + 3}}) {
    hits.clear();
    while (hits.size() < wanted) {
      ASSERT_TRUE(static_cast<bool>(session->collect_before(~u64{0}, hits, wanted - hits.size())));
      ASSERT_EQ(session->stop().reason, StopReason::breakpoint);
    }
    ASSERT_EQ(hits.size(), wanted);
    EXPECT_EQ(session->stop().pc, work);
    EXPECT_EQ(session->stop().ticks, hits.back().ticks);
    EXPECT_EQ(session->stop().task, hits.back().task);
  }
  const Hit& last = all.at(1 + 7 + machine::kHitsMost + 3 - 1);
  EXPECT_EQ(session->stop().ticks, last.ticks);
  EXPECT_EQ(session->stop().task, last.task);
}

TEST(Breakpoints, CollectWhatTheirStopsShow) {
  const Recorded recorded("threads");
  const u64 work = recorded.address("work");
  std::vector<Hit> hits;
  for (const machine::ControlHit& hit : collected(recorded, {work}))
    hits.push_back({hit.task, hit.ticks, hit.pc, hit.gpr[7]});
  EXPECT_GT(hits.size(), machine::kHitsMost);
  EXPECT_EQ(hits, hits_of(recorded, {work}));

  const Recorded calls("calls");
  const u64 callee = calls.address("work");
  std::vector<u64> returns;
  for (const machine::ControlHit& hit : collected(calls, {callee})) returns.push_back(hit.return_address);
  Session session(calls);
  ASSERT_TRUE(static_cast<bool>(session->set_breakpoints(std::vector{callee})));
  for (const u64 address : returns) {
    ASSERT_EQ(session.run().reason, StopReason::breakpoint);
    u64 word = 0;
    EXPECT_TRUE(session->read_value(session->registers().gpr[4], word));
    EXPECT_EQ(address, word);
  }
  EXPECT_EQ(session.run().reason, StopReason::exit);
}

TEST(Breakpoints, AreCheaperWhenCollected) {
  constexpr u64 kTurns = 1'000'000;
  const Recorded recorded("loop " + std::to_string(kTurns));
  const auto start = std::chrono::steady_clock::now();
  const std::vector<machine::ControlHit> hits = collected(recorded, {recorded.address("body")});
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  ASSERT_EQ(hits.size(), kTurns);
  for (u64 i = 1; i < kTurns; ++i) ASSERT_EQ(hits[i].ticks, hits[i - 1].ticks + 1);
  RecordProperty("microseconds_a_hit", std::to_string(took.count() / kTurns));
  std::printf("%.3f us a hit\n", took.count() / kTurns);
}

TEST(Breakpoints, StandInALibrary) {
  const Recorded recorded("mallocs");
  std::vector<u64> sizes;
  for (const Hit& hit : hits_of(recorded, {recorded.address("malloc")}))
    if (hit.argument >= 0x51000 && hit.argument < 0x52000) sizes.push_back(hit.argument);
  EXPECT_EQ(sizes, recorded.numbers());
}

TEST(Breakpoints, AreMetByEveryThread) {
  const Recorded recorded("threads");
  std::map<i32, u64> calls, said;
  for (const Hit& hit : hits_of(recorded, {recorded.address("work")})) ++calls[hit.task];
  for (const std::string& line : recorded.lines()) {
    int task = 0;
    unsigned long count = 0;
    if (std::sscanf(line.c_str(), "%d %lu", &task, &count) == 2) said[task] = count;
  }
  EXPECT_EQ(said.size(), 4U);
  EXPECT_EQ(calls, said);
}

TEST(Breakpoints, StandInCodeThatIsWrittenAnew) {
  const Recorded recorded("patched");
  EXPECT_EQ(recorded.status(), 0);
  const u64 code = recorded.address("code");
  EXPECT_EQ(arguments_of(hits_of(recorded, {code})), recorded.numbers());
  EXPECT_EQ(arguments_of(hits_of(recorded, {code + 5})), recorded.numbers());  // in the midst of it
}

TEST(Breakpoints, AreMetBesideSignals) {
  const Recorded recorded("signals");
  const std::vector<Hit> hits = hits_of(recorded, {recorded.address("work")});
  EXPECT_EQ(std::vector{hits.size()}, recorded.numbers());
}

TEST(Breakpoints, AreMetByProgramsThatStepThemselves) {
  const Recorded recorded("steps");
  EXPECT_EQ(arguments_of(hits_of(recorded, {recorded.address("work")})), recorded.numbers());
}

TEST(Breakpoints, AreOfOneProcessAndItsProgram) {
  const Recorded recorded("family");
  const u64 work = recorded.address("work");
  EXPECT_EQ(arguments_of(hits_of(recorded, {work})), (std::vector<u64>{1, 4}));
  EXPECT_EQ(arguments_of(hits_of(recorded, {work}, 1)), (std::vector<u64>{2, 3}));
}

TEST(Breakpoints, MayBeManyAndAreCounted) {
  const Recorded recorded("calls");
  Session session(recorded);
  std::vector<u64> many(machine::kBreakpointsMost + 1);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = 0x1000 + i;
  EXPECT_FALSE(static_cast<bool>(session->set_breakpoints(many)));
  many.pop_back();
  many.back() = recorded.address("work");
  ASSERT_TRUE(static_cast<bool>(session->set_breakpoints(many)));
  EXPECT_EQ(session.run().pc, many.back());
}

}  // namespace
}  // namespace orrery::testing
