// What the layer "build" is made of: phases from command lines, and a file's content from pieces.
#include <gtest/gtest.h>

#include "base/prng.h"
#include "lens/build/content.h"
#include "lens/build/kept_contents.h"
#include "lens/build/phase.h"

namespace orrery::lens::build {
namespace {

struct PhaseCase {
  std::vector<std::string> arguments;
  std::string phase, merged;
};

TEST(BuildPhase, IsToldFromNameAndArguments) {
  const PhaseCase cases[] = {
      {{"gcc", "a.c"}, "driver", ""},
      {{"/usr/bin/x86_64-linux-gnu-gcc-12", "a.c"}, "driver", ""},
      {{"clang++-14", "a.cc"}, "driver", ""},
      {{"/l/cc1", "-E", "-quiet", "a.c"}, "preprocess", ""},
      {{"/l/cc1plus", "-quiet", "a.cc"}, "compile", "preprocesses and compiles in one process"},
      {{"/l/cc1", "-fpreprocessed", "a.i"}, "compile", ""},
      {{"as", "--64", "a.s"}, "assemble", ""},
      {{"clang", "-cc1as", "a.s"}, "assemble", ""},
      {{"clang", "-cc1", "-emit-obj", "a.c"},
       "compile",
       "preprocesses, compiles and assembles in one process"},
      {{"clang", "-cc1", "-S", "a.c"}, "compile", "preprocesses and compiles in one process"},
      {{"clang", "-cc1", "-E", "a.c"}, "preprocess", ""},
      {{"clang", "-c", "a.c"}, "compile", "drives, preprocesses, compiles and assembles in one process"},
      {{"ld.lld", "a.o"}, "link", ""},
      {{"/usr/bin/ld.mold", "a.o"}, "link", ""},
      {{"gcc-ar", "rcs"}, "archive", ""},
      {{"ninja"}, "build tool", ""},
      {{"cat"}, "other", ""},
      {{"tar"}, "other", ""},
      {{}, "other", ""},
  };
  for (const PhaseCase& each : cases) {
    const std::string program = each.arguments.empty() ? "" : each.arguments.front();
    const PhaseFacts facts = phase_of(program, each.arguments, true);
    EXPECT_EQ(name_of(facts.phase), each.phase) << program;
    EXPECT_EQ(merged_words(facts), each.merged) << program;
  }
  EXPECT_EQ(name_of(phase_of("clang", {"clang", "-c", "a.c"}, false).phase), std::string("driver"));
}

/// A file of bytes, some of them unknown.
struct Model {
  std::vector<u8> bytes = std::vector<u8>(256);
  std::vector<bool> known = std::vector<bool>(256);
};

void expect_same(const Content& content, const Spool& spool, const Model& model) {
  std::vector<u8> bytes(model.bytes.size());
  ASSERT_TRUE(content.read(spool, bytes));
  ASSERT_EQ(bytes, model.bytes);
  const auto known = static_cast<u64>(std::count(model.known.begin(), model.known.end(), true));
  ASSERT_EQ(content.known_bytes(), known);
  const auto hole = std::find(model.known.begin(), model.known.end(), false);
  const u64 prefix = static_cast<u64>(hole - model.known.begin());
  EXPECT_TRUE(content.covers(prefix));
  if (prefix < model.bytes.size()) {
    EXPECT_FALSE(content.covers(prefix + 1));
  }
}

TEST(BuildContent, IsWhatWasWrittenLast) {
  Spool spool;
  SplitMix64 random(5);
  Content content;
  Model model;
  for (int step = 0; step < 3000; ++step) {
    const u64 offset = random.next() % 256, size = random.next() % (257 - offset);
    if (random.next() % 16 == 0) {
      content.cut(offset);
      for (u64 i = offset; i < 256; ++i) model.bytes[i] = 0, model.known[i] = false;
    } else if (random.next() % 8 == 0) {
      const u64 from = random.next() % (257 - size);
      const Model before = model;
      content.put(offset, content, from, size);
      for (u64 i = 0; i < size; ++i) {
        model.known[offset + i] = before.known[from + i];
        model.bytes[offset + i] = before.bytes[from + i];
      }
    } else {
      std::vector<u8> bytes(size);
      for (u8& byte : bytes) byte = static_cast<u8>(random.next());
      Data data = spool.add(bytes);
      data.known = random.next() % 8 != 0;
      content.put(offset, data);
      for (u64 i = 0; i < size; ++i) {
        model.known[offset + i] = data.known;
        model.bytes[offset + i] = data.known ? bytes[i] : u8{0};
      }
    }
    expect_same(content, spool, model);
    if (HasFatalFailure()) FAIL() << "step " << step;
  }
}

TEST(BuildContent, PathsOfStrangersStayInTheRecording) {
  EXPECT_EQ(content_path("/r", "artefacts/0123456789abcdef"), "/r/artefacts/0123456789abcdef");
  EXPECT_EQ(content_path("/r", "files/12"), "/r/files/12");
  for (const char* bad : {"", "artefacts/", "artefacts/../trace", "../files/1", "/etc/passwd", "files/1/2"})
    EXPECT_EQ(content_path("/r", bad), "") << bad;
}

}  // namespace
}  // namespace orrery::lens::build
