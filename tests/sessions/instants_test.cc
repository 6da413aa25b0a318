// Instants of recordings as users name them: found where the programs themselves say they were, and reached
// again by a replay of its own.
#include "lens/instants.h"

#include "cli/at_option.h"
#include "recorded_session.h"
#include "trace/trace_file_hosted.h"

namespace orrery::testing {
namespace {

using lens::ExactInstant;

ExactInstant instant_of(const Recorded& recorded, const std::string& word,
                        const std::set<u32>& processes = {}) {
  auto found = cli::find_instant(recorded.directory(), word, processes);
  EXPECT_TRUE(static_cast<bool>(found)) << word << ": " << (found ? "" : found.error().sentence);
  return found ? found.take() : ExactInstant{};
}

std::string refusal_of(const Recorded& recorded, const std::string& word,
                       const std::set<u32>& processes = {}) {
  auto found = cli::find_instant(recorded.directory(), word, processes);
  EXPECT_FALSE(static_cast<bool>(found)) << word;
  return found ? "" : found.error().sentence;
}

bool reach(Session& session, const ExactInstant& instant) {
  auto reached = lens::seek(*session.operator->(), instant);
  EXPECT_TRUE(static_cast<bool>(reached)) << (reached ? "" : reached.error().sentence);
  return static_cast<bool>(reached);
}

TEST(Instants, NthCallIsWhereItsArgumentSays) {
  const Recorded recorded("calls");
  const std::vector<u64> arguments = recorded.numbers();
  ASSERT_GT(arguments.size(), 10U);
  for (const std::size_t nth : {std::size_t{1}, std::size_t{2}, arguments.size() / 2, arguments.size()}) {
    const ExactInstant instant = instant_of(recorded, "work:" + std::to_string(nth));
    EXPECT_EQ(instant.pc, recorded.address("work"));
    Session session(recorded);
    ASSERT_TRUE(reach(session, instant));
    EXPECT_EQ(session->stop().pc, *instant.pc);
    EXPECT_EQ(session->stop().ticks, instant.at.ticks);
    EXPECT_EQ(session.argument(), arguments[nth - 1]) << "call " << nth;
    EXPECT_EQ(session.run().reason, machine::StopReason::exit) << "no breakpoint is left";
    EXPECT_TRUE(session.ends_equal());
  }
}

TEST(Instants, SayHowManyCallsThereWere) {
  const Recorded recorded("calls");
  const std::string count = std::to_string(recorded.numbers().size());
  EXPECT_NE(refusal_of(recorded, "work:100000000").find("called work " + count + " times"),
            std::string::npos);
  EXPECT_NE(refusal_of(recorded, "wrok").find("there is work"), std::string::npos);
  EXPECT_NE(refusal_of(recorded, "zzzzzzzzzzzz").find("no function zzzzzzzzzzzz"), std::string::npos);
  EXPECT_NE(refusal_of(recorded, "work", {77}).find("nothing of that process"), std::string::npos);
}

TEST(Instants, CallsOfThreadsAreInTheOrderOfTheRun) {
  const Recorded recorded("threads");
  u64 calls = 0;
  for (const std::string& line : recorded.lines())
    if (const auto space = line.find(' '); line.find("0x") == std::string::npos)
      calls += std::stoull(line.substr(space + 1));
  ASSERT_GT(calls, 100U);
  for (const u64 nth : {u64{1}, calls / 3, calls / 2, calls}) {
    const ExactInstant instant = instant_of(recorded, "work:" + std::to_string(nth));
    Session session(recorded);
    ASSERT_TRUE(reach(session, instant));
    EXPECT_EQ(session->stop().pc, recorded.address("work"));
    EXPECT_EQ(session->stop().task, instant.at.task);
  }
  EXPECT_NE(refusal_of(recorded, "work:" + std::to_string(calls + 1)).find(std::to_string(calls) + " times"),
            std::string::npos);
}

TEST(Instants, MainIsFoundWithItsArguments) {
  for (const char* program : {"calls", "static_counted"}) {
    const Recorded recorded(program);
    const ExactInstant main = instant_of(recorded, "main"), first = instant_of(recorded, "main:1");
    EXPECT_EQ(main.pc, first.pc);
    EXPECT_EQ(main.at.event, first.at.event);
    EXPECT_EQ(main.at.ticks, first.at.ticks);
    Session session(recorded);
    ASSERT_TRUE(reach(session, main));
    EXPECT_EQ(session.argument(), 1U) << "argc";
  }
}

TEST(Instants, OfCrashAndEnd) {
  const Recorded recorded("calls");
  const ExactInstant end = instant_of(recorded, "end");
  Session session(recorded);
  ASSERT_TRUE(reach(session, end));
  EXPECT_FALSE(session->stop().ended());
  EXPECT_EQ(session.run().reason, machine::StopReason::exit);
  EXPECT_NE(refusal_of(recorded, "crash").find("ended with exit 0"), std::string::npos);
  const Recorded crashed("crashes");
  const ExactInstant crash = instant_of(crashed, "crash");
  EXPECT_EQ(crash.pc, crashed.address("store"));
  Session other(crashed);
  ASSERT_TRUE(reach(other, crash));
  EXPECT_EQ(other->registers().gpr[0], 0x10U) << "rax holds the bad address";
  EXPECT_EQ(other.run().reason, machine::StopReason::fatal_signal);
}

TEST(Instants, TimesGoOnWithTheTicks) {
  const Recorded recorded("loop");
  const u64 end_ns = instant_of(recorded, "end").at.time_ns;
  ExactInstant before = instant_of(recorded, "0%");
  for (int percent = 5; percent <= 100; percent += 5) {
    const ExactInstant instant = instant_of(recorded, std::to_string(percent) + "%");
    const u64 time_ns = end_ns / 100 * static_cast<u64>(percent);
    EXPECT_LE(time_ns > instant.at.time_ns ? time_ns - instant.at.time_ns : instant.at.time_ns - time_ns,
              1000U);
    EXPECT_TRUE(instant.at.event > before.at.event ||
                (instant.at.event == before.at.event && instant.at.ticks >= before.at.ticks));
    const ExactInstant same = instant_of(recorded, std::to_string(instant.at.time_ns) + "ns");
    EXPECT_EQ(same.at.event, instant.at.event);
    Session session(recorded);
    ASSERT_TRUE(reach(session, instant));
    EXPECT_GE(session->stop().ticks, instant.at.ticks);
    before = instant;
  }
  EXPECT_NE(refusal_of(recorded, "999s").find("of the recording"), std::string::npos);
}

/// A replay comes by every event where its header says, or, of the few that come while the program waits,
/// just behind.
void reach_every_event(const std::string& program, u32 process) {
  const Recorded recorded(program);
  std::string trouble;
  const auto reader = trace::TraceReader::open(recorded.directory(), trouble, process);
  ASSERT_TRUE(reader != nullptr) << trouble;
  Session session(recorded, process);
  trace::EventView event;
  u64 count = 0, exact = 0;
  while (reader->next(event) == trace::ReadStatus::event) {
    const trace::EventHeader& header = *event.header;
    if (header.number < session->stop().event) continue;
    const ExactInstant instant = instant_of(recorded, std::to_string(header.number), {process});
    if (session->stop().event > instant.at.event) continue;
    ASSERT_TRUE(reach(session, instant)) << program << ": event " << header.number;
    const lens::Stop& stop = session->stop();
    const bool is_there = stop.task == header.task && stop.ticks == header.ticks && stop.pc == header.pc;
    EXPECT_TRUE(is_there || stop.event > header.number) << program << ": event " << header.number;
    ++count;
    exact += is_there ? 1 : 0;
  }
  EXPECT_GT(count, 0U) << program;
  EXPECT_GE(exact * 10, count * 8) << program << ": " << exact << " of " << count;
}

TEST(Instants, EveryEventIsReached) {
  reach_every_event("calls", 0);
  reach_every_event("signals", 0);
  reach_every_event("threads", 0);
  reach_every_event("family", 0);
  reach_every_event("family", 1);
}

}  // namespace
}  // namespace orrery::testing
