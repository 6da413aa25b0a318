// The checked-in instruction table is what Zydis says today.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "x86/isa_table_generator.h"

namespace orrery::x86 {
namespace {

void expect_same(const std::string& name, const std::string& generated) {
  const std::string path = ORRERY_SOURCE_DIR "/src/x86/" + name;
  if (std::getenv("ORRERY_UPDATE")) std::ofstream(path) << generated;
  std::stringstream file;
  file << std::ifstream(path).rdbuf();
  EXPECT_TRUE(file.str() == generated) << path << " is stale: run with ORRERY_UPDATE=1";
}

TEST(IsaTable, IsWhatZydisSays) { expect_same("isa_table.inc", generate_isa_table()); }
TEST(IsaTable, OfAccessesIsWhatZydisSays) { expect_same("access_table.inc", generate_access_table()); }

}  // namespace
}  // namespace orrery::x86
