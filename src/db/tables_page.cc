#include "db/tables_page.h"

#include <string_view>

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
    "row's own number, one in italics has an index.\n"
    "\n"
    "Reports print rows as they are with `--json`: tables.schema.json says what they hold, and\n"
    "reports.schema.json which report prints which.\n";

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

const char* json_type(Type type) {
  switch (type) {
    case Type::integer:
      return "integer";
    case Type::real:
      return "number";
    case Type::text:
    case Type::blob:
      break;
  }
  return "string";
}

std::string json_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out.append(c == '"' || c == '\\' ? "\\" : "").append(1, c);
  return out + "\"";
}

std::string row_schema(const TableDescription& table) {
  std::string required, properties;
  for (const ColumnDescription& column : table.columns) {
    const std::string type = json_text(json_type(column.type));
    required += (required.empty() ? "" : ", ") + json_text(column.name);
    properties += std::string(properties.empty() ? "" : ",\n") + "        " + json_text(column.name) +
                  ": {\"type\": " + (column.nullable ? "[" + type + ", \"null\"]" : type) +
                  ", \"description\": " + json_text(column.sentence) + "}";
  }
  return "    " + json_text(table.name) +
         ": {\n      \"type\": \"object\",\n      \"description\": " + json_text(table.sentence) +
         ",\n      \"required\": [" + required + "],\n      \"properties\": {\n" + properties +
         "\n      }\n    }";
}

}  // namespace

std::string tables_schema(std::span<const TableDescription> tables) {
  std::string rows;
  for (const TableDescription& table : tables) rows += (rows.empty() ? "" : ",\n") + row_schema(table);
  return "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
         "  \"title\": \"Rows of the tables that the lenses fill\",\n  \"$defs\": {\n" +
         rows + "\n  }\n}\n";
}

std::string tables_page(std::span<const TableDescription> tables, std::span<const TableExample> examples) {
  std::string page = kIntroduction;
  for (const TableDescription& table : tables) {
    page += std::string("\n## ") + table.name + "\n\n" + table.sentence +
            "\n\n| column | type | meaning |\n|---|---|---|\n";
    for (const ColumnDescription& column : table.columns) {
      page += "| " + column_name(column) + " | " + name_of(column.type) +
              (column.nullable ? " or NULL" : "") + " | " + column.sentence + " |\n";
    }
    for (const TableExample& example : examples)
      if (std::string_view(example.table) == table.name)
        page += std::string("\n") + example.question + ":\n\n```sql\n" + example.sql + ";\n```\n";
  }
  return page;
}

}  // namespace orrery::db
