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
#include "lens/table_examples.h"

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

void expect_page(const std::string& page, const char* name) {
  const std::string path = std::string(ORRERY_SOURCE_DIR "/docs/") + name;
  if (std::getenv("ORRERY_UPDATE") != nullptr) std::ofstream(path) << page;
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text, page) << "run this test with ORRERY_UPDATE=1";
}

TEST(Tables, PageIsWhatTheDeclarationsSay) {
  const auto tables = all_tables();
  expect_page(db::tables_page(tables, table_examples()), "tables.md");
  expect_page(db::tables_schema(tables), "tables.schema.json");
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

TEST(Tables, EachHasAnExampleThatNamesIt) {
  std::set<std::string> named;
  for (const db::TableExample& example : table_examples()) {
    EXPECT_NE(std::string(example.sql).find(example.table), std::string::npos) << example.table;
    named.insert(example.table);
  }
  for (const db::TableDescription& table : all_tables())
    EXPECT_EQ(named.erase(table.name), 1u) << table.name << " has no example";
  EXPECT_TRUE(named.empty()) << *named.begin() << " is no table";
}

}  // namespace
}  // namespace orrery::lens
