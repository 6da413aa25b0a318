#include "db/tables_page.h"

namespace orrery::db {
namespace {

constexpr const char* kIntroduction =
    "# Tables\n"
    "\n"
    "What the lenses write into SQLite, for reports and for SQL of your own. This page is written from the\n"
    "declarations in `src/lens`; a test compares the two (`ORRERY_UPDATE=1` writes it anew).\n"
    "\n"
    "Columns hold no NULL unless their type says so. Addresses and other unsigned numbers of 2^63 and above "
    "read as\n"
    "negative, since SQLite's integers are signed; `printf('%x', address)` shows them right. A column in "
    "bold is the\n"
    "row's own number, one in italics has an index.\n";

std::string column_name(const ColumnDescription& column) {
  const std::string name = std::string("`") + column.name + "`";
  switch (column.key) {
    case Key::primary:
      return "**" + name + "**";
    case Key::indexed:
      return "*" + name + "*";
    case Key::none:
      break;
  }
  return name;
}

}  // namespace

std::string tables_page(std::span<const TableDescription> tables) {
  std::string page = kIntroduction;
  for (const TableDescription& table : tables) {
    page += std::string("\n## ") + table.name + "\n\n" + table.sentence +
            "\n\n| column | type | meaning |\n|---|---|---|\n";
    for (const ColumnDescription& column : table.columns) {
      page += "| " + column_name(column) + " | " + name_of(column.type) +
              (column.nullable ? " or NULL" : "") + " | " + column.sentence + " |\n";
    }
  }
  return page;
}

}  // namespace orrery::db
