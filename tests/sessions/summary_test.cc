// What the events alone tell of a run.
#include "lens/lens.h"
#include "lens/run_summary.h"
#include "recorded_session.h"

namespace orrery::testing {
namespace {

// Another program is mapped before its exec is in the events, and libraries behind it.
TEST(RunSummary, KnowsTheFileThatRan) {
  const std::string program = ORRERY_PROGRAMS "/steps";
  for (const std::string& words :
       {std::string("steps"), "../../../../../../../../../../../bin/env " + program}) {
    const Recorded recorded(words);
    auto recording = lens::open_recording(recorded.directory());
    ASSERT_TRUE(static_cast<bool>(recording));
    auto run = lens::summarize(recorded.directory(), recording.value().tree.begin()->second);
    ASSERT_TRUE(static_cast<bool>(run));
    EXPECT_EQ(run.value().image, std::filesystem::canonical(program)) << words;
  }
}

}  // namespace
}  // namespace orrery::testing
