// #! lines. The guest test exec/script compares the common ones with the real kernel.
#include "kernel/exec_script.h"

#include <gtest/gtest.h>

#include <string>

#include "elf/image.h"

namespace orrery::kernel {
namespace {

struct Parsed {
  bool valid;
  std::string interpreter;
  bool has_argument;
  std::string argument;
  bool operator==(const Parsed&) const = default;
};

Parsed parse(std::string text) {
  text.resize(std::min<std::size_t>(text.size(), elf::kHeadBytes));
  const ScriptLine line = parse_script_line({reinterpret_cast<const u8*>(text.data()), text.size()});
  return {line.valid,
          {line.interpreter.begin(), line.interpreter.end()},
          line.has_argument,
          {line.argument.begin(), line.argument.end()}};
}

const Parsed kInvalid{false, "", false, ""};

TEST(ScriptLine, TakesApart) {
  EXPECT_EQ(parse("#!/bin/sh\n"), (Parsed{true, "/bin/sh", false, ""}));
  EXPECT_EQ(parse("#!/bin/sh"), (Parsed{true, "/bin/sh", false, ""}));
  EXPECT_EQ(parse("#! \t /bin/sh \t\n"), (Parsed{true, "/bin/sh", false, ""}));
  EXPECT_EQ(parse("#!/bin/sh -e\nbody"), (Parsed{true, "/bin/sh", true, "-e"}));
  EXPECT_EQ(parse("#!/bin/sh  -e  -x \n"), (Parsed{true, "/bin/sh", true, "-e  -x"}));
  EXPECT_EQ(parse("#!\n"), kInvalid);
  EXPECT_EQ(parse("#!   \t\n"), kInvalid);
  EXPECT_EQ(parse("#!"), kInvalid);
}

TEST(ScriptLine, RefusesAnInterpreterThatMayBeCutOff) {
  EXPECT_EQ(parse("#!/" + std::string(300, 'a') + "\n"), kInvalid);
  EXPECT_EQ(parse("#!" + std::string(300, ' ') + "\n"), kInvalid);
  // A long argument is cut, since Linux 5.0 without complaint.
  const Parsed cut = parse("#!/bin/sh " + std::string(300, 'a') + "\n");
  EXPECT_TRUE(cut.valid);
  EXPECT_EQ(cut.interpreter, "/bin/sh");
  EXPECT_EQ(cut.argument, std::string(elf::kHeadBytes - 1 - 10, 'a'));
}

}  // namespace
}  // namespace orrery::kernel
