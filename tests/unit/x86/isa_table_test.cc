// The checked-in instruction table is what Zydis says today.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "x86/isa_table_generator.h"

namespace orrery::x86 {
namespace {

TEST(IsaTable, IsWhatZydisSays) {
  const std::string path = ORRERY_SOURCE_DIR "/src/x86/isa_table.inc";
  const std::string generated = generate_isa_table();
  if (std::getenv("ORRERY_UPDATE")) std::ofstream(path) << generated;
  std::stringstream file;
  file << std::ifstream(path).rdbuf();
  EXPECT_TRUE(file.str() == generated) << path << " is stale: run with ORRERY_UPDATE=1";
}

}  // namespace
}  // namespace orrery::x86
