// docs/tables.md is what the declarations say, and their names and sentences are fit for SQL and for the
// page.
#include "lens/tables.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "db/tables_page.h"

namespace orrery::lens {
namespace {

bool is_plain_name(std::string_view name) {
  const auto plain = [](char c) {
    return std::islower(static_cast<unsigned char>(c)) || std::isdigit(static_cast<unsigned char>(c)) ||
           c == '_';
  };
  return !name.empty() && std::islower(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), plain);
}

bool is_sentence(std::string_view text) {
  return text.size() > 3 && text.back() == '.' && text.find_first_of("|\n") == std::string_view::npos;
}

TEST(Tables, PageIsWhatTheDeclarationsSay) {
  const auto tables = all_tables();
  const std::string page = db::tables_page(tables);
  const std::string path = ORRERY_SOURCE_DIR "/docs/tables.md";
  if (std::getenv("ORRERY_UPDATE") != nullptr) std::ofstream(path) << page;
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text, page) << "run this test with ORRERY_UPDATE=1";
}

TEST(Tables, NamesAndSentencesAreInOrder) {
  std::set<std::string> names;
  for (const db::TableDescription& table : all_tables()) {
    EXPECT_TRUE(is_plain_name(table.name)) << table.name;
    EXPECT_TRUE(is_sentence(table.sentence)) << table.name;
    EXPECT_TRUE(names.insert(table.name).second) << table.name << " is declared twice";
    int primary = 0;
    std::set<std::string> columns;
    for (const db::ColumnDescription& column : table.columns) {
      EXPECT_TRUE(is_plain_name(column.name)) << table.name << '.' << column.name;
      EXPECT_TRUE(is_sentence(column.sentence)) << table.name << '.' << column.name;
      EXPECT_TRUE(columns.insert(column.name).second) << table.name << '.' << column.name;
      primary += column.key == db::Key::primary ? 1 : 0;
    }
    EXPECT_LE(primary, 1) << table.name;
  }
}

}  // namespace
}  // namespace orrery::lens
