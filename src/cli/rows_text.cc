#include "cli/rows_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/recording_text.h"
#include "elf/demangle_hosted.h"

namespace orrery::cli {
namespace {

constexpr std::size_t kWidestCell = 100;
/// Columns are as wide as these first rows need; later ones that are wider stick out.
constexpr std::size_t kRowsMeasured = 1000;

using Cells = std::vector<std::string>;

std::string hex(std::span<const u8> bytes) {
  std::string text = "x'";
  for (const u8 byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    text += digits;
  }
  return text + "'";
}

std::string cell(const db::Statement& statement, int column) {
  if (statement.is_null(column)) return "";
  if (statement.is_blob(column)) return hex(statement.blob(column));
  return std::string(statement.text(column));
}

Cells header(const db::Statement& statement) {
  Cells cells;
  for (int column = 0; column < statement.columns(); ++column) cells.emplace_back(statement.name(column));
  return cells;
}

/// Characters of UTF-8, not bytes; wide ones count once.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

class TextTable {
 public:
  TextTable(std::FILE* out, Cells names, bool demangled)
      : out_(out), demangled_(demangled), numeric_(names.size()), widths_(names.size()) {
    rows_.push_back(std::move(names));
  }
  void add(const db::Statement& statement) {
    Cells row;
    for (int column = 0; column < statement.columns(); ++column) {
      const std::string text = cell(statement, column);
      row.push_back(printable(demangled_ ? elf::demangle(text.c_str()) : text));
      if (statement.is_integer(column) || statement.is_real(column))
        numeric_[static_cast<std::size_t>(column)] = true;
    }
    if (printed_) return print(row);
    rows_.push_back(std::move(row));
    if (rows_.size() > kRowsMeasured) flush();
  }
  void flush() {
    if (printed_) return;
    printed_ = true;
    for (const Cells& row : rows_)
      for (std::size_t at = 0; at < row.size(); ++at)
        widths_[at] = std::max(widths_[at], std::min(width(row[at]), kWidestCell));
    for (const Cells& row : rows_) print(row);
    rows_.clear();
  }

 private:
  void print(const Cells& row) const {
    std::string line;
    for (std::size_t at = 0; at < row.size(); ++at) {
      const std::size_t used = width(row[at]);
      const std::string pad(widths_[at] > used ? widths_[at] - used : 0, ' ');
      const bool last = at + 1 == row.size();
      line += numeric_[at] ? pad + row[at] : last ? row[at] : row[at] + pad;
      if (!last) line += "  ";
    }
    std::fprintf(out_, "%s\n", line.c_str());
  }

  std::FILE* out_;
  bool demangled_;
  std::vector<bool> numeric_;
  std::vector<std::size_t> widths_;
  std::vector<Cells> rows_;
  bool printed_ = false;
};

Fallible<u64> print_table(db::Statement& statement, std::FILE* out, bool demangled) {
  TextTable table(out, header(statement), demangled);
  u64 rows = 0;
  for (; TRY(statement.step()); ++rows) table.add(statement);
  table.flush();
  return rows;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of("\",\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? "\"\"" : std::string(1, c));
  return quoted + "\"";
}

void print_csv_line(const Cells& cells, std::FILE* out) {
  std::string line;
  for (const std::string& each : cells)
    line.append(line.empty() && &each == cells.data() ? "" : ",").append(csv_field(each));
  std::fprintf(out, "%s\r\n", line.c_str());
}

Fallible<u64> print_csv(db::Statement& statement, std::FILE* out) {
  print_csv_line(header(statement), out);
  u64 rows = 0;
  for (; TRY(statement.step()); ++rows) {
    Cells cells;
    for (int column = 0; column < statement.columns(); ++column) cells.push_back(cell(statement, column));
    print_csv_line(cells, out);
  }
  return rows;
}

nlohmann::ordered_json json_value(const db::Statement& statement, int column) {
  if (statement.is_null(column)) return nullptr;
  if (statement.is_integer(column)) return statement.integer(column);
  if (statement.is_real(column)) return statement.real(column);
  return cell(statement, column);
}

/// One array, an object a row, a row a line.
Fallible<u64> print_json_rows(db::Statement& statement, std::FILE* out) {
  u64 rows = 0;
  std::fputs("[", out);
  for (; TRY(statement.step()); ++rows) {
    nlohmann::ordered_json row = nlohmann::ordered_json::object();
    for (int column = 0; column < statement.columns(); ++column)
      row[std::string(statement.name(column))] = json_value(statement, column);
    const std::string text = row.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    std::fprintf(out, "%s\n%s", rows == 0 ? "" : ",", text.c_str());
  }
  std::fputs(rows == 0 ? "]\n" : "\n]\n", out);
  return rows;
}

}  // namespace

Fallible<u64> print_rows(db::Statement& statement, RowFormat format, std::FILE* out) {
  switch (format) {
    case RowFormat::table:
    case RowFormat::report:
      return print_table(statement, out, format == RowFormat::report);
    case RowFormat::csv:
      return print_csv(statement, out);
    case RowFormat::json:
      break;
  }
  return print_json_rows(statement, out);
}

}  // namespace orrery::cli
