// docs/syscalls.md is what the table says, and the table's promises have guest tests.
#include "linux/support_page.h"

#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

#include "linux/syscall_table.h"

namespace orrery::abi {
namespace {

const std::filesystem::path kSource = ORRERY_SOURCE_DIR;

bool updating() { return std::getenv("ORRERY_UPDATE") != nullptr; }

std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(SupportPage, IsWhatTheTableSays) {
  const std::string page(support_page().view());
  const auto path = kSource / "docs/syscalls.md";
  if (updating()) std::ofstream(path) << page;
  EXPECT_EQ(file_text(path), page) << "run this test with ORRERY_UPDATE=1";
}

/// All words of all guest tests: a call counts as tested when its name, or SYS_<name>, is among them.
std::set<std::string> guest_test_words() {
  std::set<std::string> words;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kSource / "tests/guest")) {
    if (entry.path().extension() != ".c" && entry.path().extension() != ".h") continue;
    std::string word;
    for (const char c : file_text(entry.path())) {
      if (std::isalnum(static_cast<unsigned char>(c)) || c == '_') {
        word += c;
        continue;
      }
      words.insert(word.rfind("SYS_", 0) == 0 ? word.substr(4) : word);
      word.clear();
    }
  }
  return words;
}

/// tests/guest/untested.txt lists the full rows that have none yet. No row may join it; rows leave it.
TEST(SupportPage, FullRowsHaveGuestTests) {
  const std::set<std::string> words = guest_test_words();
  const auto path = kSource / "tests/guest/untested.txt";
  std::istringstream listed_text(file_text(path));
  const std::set<std::string> listed{std::istream_iterator<std::string>(listed_text), {}};
  std::ostringstream untested;
  for (const SyscallRow& row : syscall_rows()) {
    if (row.name == nullptr || row.support != Support::full || words.contains(row.name)) continue;
    EXPECT_TRUE(listed.contains(row.name)) << row.name << " is said to be full, and no guest test names it";
    untested << row.name << '\n';
  }
  if (updating()) std::ofstream(path) << untested.str();
}

}  // namespace
}  // namespace orrery::abi
