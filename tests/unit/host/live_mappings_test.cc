// LiveMappings: when the last mapping of a file has gone.
#include "host/live_mappings.h"

#include <gtest/gtest.h>

#include <string>

namespace orrery::host {
namespace {

constexpr u64 kAt = 0x10000;

class LiveMappingsTest : public testing::Test {
 protected:
  /// The files that went since last asked.
  std::string unmapped() {
    std::string text;
    mappings_.take_unmapped([&](u32 number) { text += std::to_string(number) + ";"; });
    return text;
  }

  LiveMappings mappings_;
};

TEST_F(LiveMappingsTest, AFileGoesWithItsLastMapping) {
  mappings_.add(kAt, 4096, 0);
  mappings_.add(kAt + 0x4000, 4096, 0);
  mappings_.add(kAt + 0x8000, 4096, 1);
  mappings_.remove(kAt, 4096);
  EXPECT_EQ(unmapped(), "");
  mappings_.remove(kAt + 0x4000, 100);
  EXPECT_EQ(unmapped(), "0;");
  EXPECT_EQ(unmapped(), "");
  EXPECT_FALSE(mappings_.empty());
  mappings_.remove(0, 0x100000);
  EXPECT_EQ(unmapped(), "1;");
  EXPECT_TRUE(mappings_.empty());
}

TEST_F(LiveMappingsTest, AHoleLeavesBothEnds) {
  mappings_.add(kAt, 0x5000, 3);
  mappings_.remove(kAt + 0x2000, 0x1000);
  mappings_.remove(kAt, 0x2000);
  EXPECT_EQ(unmapped(), "");
  mappings_.remove(kAt + 0x3000, 0x2000);
  EXPECT_EQ(unmapped(), "3;");
}

TEST_F(LiveMappingsTest, AFileOverItselfStays) {
  mappings_.add(kAt, 0x2000, 3);
  mappings_.add(kAt, 0x2000, 3);
  EXPECT_EQ(unmapped(), "");
  mappings_.add(kAt, 0x2000, 4);
  EXPECT_EQ(unmapped(), "3;");
}

TEST_F(LiveMappingsTest, AMoveTakesTheFileAlong) {
  mappings_.add(kAt, 0x1000, 3);
  mappings_.add(kAt + 0x10000, 0x3000, 4);
  mappings_.move(kAt, 0x1000, kAt + 0x10000, 0x3000);
  EXPECT_EQ(unmapped(), "4;");
  mappings_.remove(kAt, 0x1000);
  mappings_.remove(kAt + 0x10000, 0x2000);
  EXPECT_EQ(unmapped(), "");
  mappings_.remove(kAt + 0x12000, 0x1000);
  EXPECT_EQ(unmapped(), "3;");
}

TEST_F(LiveMappingsTest, AMoveOfNothingIsASecondView) {
  mappings_.add(kAt, 0x1000, 3);
  mappings_.move(kAt, 0, kAt + 0x8000, 0x1000);
  mappings_.remove(kAt, 0x1000);
  EXPECT_EQ(unmapped(), "");
  mappings_.move(kAt + 0x8000, 0x1000, kAt + 0x8000, 0x4000);  // grows where it is
  mappings_.remove(kAt + 0x8000, 0x1000);
  EXPECT_EQ(unmapped(), "");
  mappings_.move(kAt + 0x20000, 0x1000, kAt + 0x9000, 0x3000);  // of something else
  EXPECT_EQ(unmapped(), "3;");
}

}  // namespace
}  // namespace orrery::host
