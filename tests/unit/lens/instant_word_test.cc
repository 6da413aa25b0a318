// What people may write behind --at.
#include "lens/instant_word.h"

#include <gtest/gtest.h>

namespace orrery::lens {
namespace {

using Kind = InstantWord::Kind;

InstantWord word_of(const std::string& text) {
  auto word = parse_instant(text);
  EXPECT_TRUE(static_cast<bool>(word)) << text;
  return word ? word.take() : InstantWord{};
}

std::string refusal_of(const std::string& text) {
  auto word = parse_instant(text);
  EXPECT_FALSE(static_cast<bool>(word)) << text;
  return word ? "" : word.error().sentence;
}

TEST(InstantWord, EventsTimesAndPercentages) {
  EXPECT_EQ(word_of("0"), (InstantWord{.kind = Kind::event, .number = 0}));
  EXPECT_EQ(word_of("18446744073709551615"), (InstantWord{.kind = Kind::event, .number = ~u64{0}}));
  EXPECT_EQ(word_of("1.5s"), (InstantWord{.kind = Kind::time, .number = 1'500'000'000}));
  EXPECT_EQ(word_of("0.000123s"), (InstantWord{.kind = Kind::time, .number = 123'000}));
  EXPECT_EQ(word_of(".5ms"), (InstantWord{.kind = Kind::time, .number = 500'000}));
  EXPECT_EQ(word_of("20us"), (InstantWord{.kind = Kind::time, .number = 20'000}));
  EXPECT_EQ(word_of("7ns"), (InstantWord{.kind = Kind::time, .number = 7}));
  EXPECT_EQ(word_of("33.5%"), (InstantWord{.kind = Kind::percent, .percent = 33.5}));
  EXPECT_EQ(word_of("100%"), (InstantWord{.kind = Kind::percent, .percent = 100}));
}

TEST(InstantWord, Places) {
  EXPECT_EQ(word_of("start").kind, Kind::start);
  EXPECT_EQ(word_of("main").kind, Kind::main);
  EXPECT_EQ(word_of("end").kind, Kind::end);
  EXPECT_EQ(word_of("crash").kind, Kind::crash);
}

TEST(InstantWord, PlacesBetweenEvents) {
  EXPECT_EQ(word_of("17+4"), (InstantWord{.kind = Kind::place, .number = 17, .ticks = 4}));
  EXPECT_EQ(word_of("17+0+12"),
            (InstantWord{.kind = Kind::place, .number = 17, .ticks = 0, .instructions = 12}));
  EXPECT_EQ(word_of("operator+").function, "operator+");
  for (const char* wrong : {"17+", "+4", "17+4+", "17+4+1+1", "17+-1"}) EXPECT_NE(refusal_of(wrong), "");
}

TEST(InstantWord, CallsOfFunctions) {
  const auto call = [](const char* function, u64 nth) {
    return InstantWord{.kind = Kind::call, .number = nth, .function = function};
  };
  EXPECT_EQ(word_of("work"), call("work", 1));
  EXPECT_EQ(word_of("work:12"), call("work", 12));
  EXPECT_EQ(word_of("end:1"), call("end", 1));
  EXPECT_EQ(word_of("main:2"), call("main", 2));
  EXPECT_EQ(word_of("a::b"), call("a::b", 1));
  EXPECT_EQ(word_of("a::b:3"), call("a::b", 3));
  EXPECT_EQ(word_of("a::f(int, char)"), call("a::f(int, char)", 1));
  EXPECT_EQ(word_of("operator new"), call("operator new", 1));
  EXPECT_EQ(word_of("_ZN1a1bEv:2"), call("_ZN1a1bEv", 2));
}

TEST(InstantWord, SaysWhatIsWrong) {
  EXPECT_NE(refusal_of("").find("which instant"), std::string::npos);
  EXPECT_EQ(refusal_of("1.5"), "1.5: an event has a whole number, and a time a unit: 1.5s");
  EXPECT_EQ(refusal_of("101%"), "101%: the run ends at 100 %");
  EXPECT_EQ(refusal_of("work:0"), "work:0: behind the colon stands which call, from 1");
  EXPECT_EQ(refusal_of("work:x"), "work:x: behind the colon stands which call, from 1");
  EXPECT_EQ(refusal_of("work:"), "work:: behind the colon stands which call, from 1");
  for (const char* wrong :
       {"-1", "1e3s", "5 s", "3min", "99999999999999999999", "1.2.3", "7x", "%", "9e99s", "-5%"})
    EXPECT_FALSE(static_cast<bool>(parse_instant(wrong))) << wrong;
  EXPECT_NE(refusal_of("18446744073709551616").find("18446744073709551616"), std::string::npos);
}

}  // namespace
}  // namespace orrery::lens
