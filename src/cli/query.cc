// `orrery query REC "SQL"`: the tables of a recording in the user's own words; without SQL, a prompt.
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdio>
#include <iostream>

#include "cli/collect.h"
#include "cli/command.h"
#include "cli/recording_text.h"
#include "cli/rows_text.h"
#include "lens/table_examples.h"
#include "lens/tables.h"

namespace orrery::cli {
namespace {

struct QueryOptions {
  std::vector<std::string> words;  ///< REC, SQL, both or neither
  bool csv = false, json = false, tables = false;

  RowFormat format() const { return csv ? RowFormat::csv : json ? RowFormat::json : RowFormat::table; }
};

constexpr const char* kExampleStatements =
    "  SELECT name, count(*) AS calls FROM call GROUP BY name ORDER BY calls DESC LIMIT 10;\n"
    "  SELECT process, command, (end_ns - start_ns) / 1e6 AS ms FROM process;\n"
    "  SELECT process, time_ns, text FROM call WHERE result BETWEEN -4095 AND -1;\n";

bool is_sql(const std::string& word) { return word.find_first_of(" \t\n;") != std::string::npos; }

bool is_of_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// The lenses that fill the tables a statement names. A name that only looks like one costs a replay.
std::vector<const lens::Lens*> lenses_for(const std::string& sql) {
  std::vector<const lens::Lens*> wanted;
  for (auto at = sql.begin(); at != sql.end();) {
    const auto begin = std::find_if(at, sql.end(), is_of_name);
    at = std::find_if_not(begin, sql.end(), is_of_name);
    std::string word(begin, at);
    std::transform(word.begin(), word.end(), word.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const lens::Lens* lens = lens_of_table(word);
    if (lens != nullptr && std::find(wanted.begin(), wanted.end(), lens) == wanted.end())
      wanted.push_back(lens);
  }
  return wanted;
}

volatile std::sig_atomic_t interrupted = 0;

/// While it lives, Ctrl-C stops the statement and not `orrery`.
class Interruptible {
 public:
  Interruptible() {
    interrupted = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    sigaction(SIGINT, &action, &before_);
  }
  ~Interruptible() { sigaction(SIGINT, &before_, nullptr); }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

 private:
  struct sigaction before_ {};
};

Fallible<u64> run_statement(const std::string& directory, const std::string& sql, RowFormat format) {
  db::Database database = TRY(collect(directory, lenses_for(sql)));
  const Interruptible guard;
  database.stop_when([] { return interrupted != 0; });
  db::Statement statement = TRY(database.prepare(sql));
  return print_rows(statement, format, stdout);
}

void list_tables(const std::string& only) {
  for (const db::TableDescription& table : lens::all_tables()) {
    if (only.empty()) std::printf("%-14s %s\n", table.name, table.sentence);
    if (only != table.name) continue;
    std::printf("%s\n", table.sentence);
    for (const db::ColumnDescription& column : table.columns)
      std::printf("  %-14s %-8s %s\n", column.name, db::name_of(column.type), column.sentence);
    for (const db::TableExample& example : lens::table_examples())
      if (only == example.table) std::printf("%s:\n  %s;\n", example.question, example.sql);
  }
}

/// A line that is no SQL. False at the end of the session.
bool run_dot_command(const std::string& line) {
  if (line == ".quit" || line == ".exit") return false;
  if (line == ".tables") {
    list_tables("");
  } else if (line.starts_with(".schema ")) {
    list_tables(line.substr(line.find_first_not_of(' ', 7)));
  } else {
    std::printf(
        ".tables         the tables there are\n.schema TABLE   its columns\n.quit\n\nStatements end with "
        ";\n%s",
        kExampleStatements);
  }
  return true;
}

/// Statements from stdin, each up to its semicolon. Where stdin is a terminal, with a prompt, and a failure
/// does not end it.
int run_prompt(const std::string& directory, RowFormat format) {
  const bool is_terminal = isatty(STDIN_FILENO) == 1;
  if (is_terminal) std::printf("The tables of %s. Help: .help\n", printable(directory).c_str());
  std::string sql;
  for (std::string line;;) {
    if (is_terminal) std::fputs(sql.empty() ? "orrery> " : "   ...> ", stdout);
    std::fflush(stdout);
    if (!std::getline(std::cin, line)) break;
    if (sql.empty() && line.starts_with(".")) {
      if (!run_dot_command(line)) return 0;
      continue;
    }
    sql += line + "\n";
    const auto last = sql.find_last_not_of(" \t\n");
    if (last == std::string::npos) sql.clear();
    if (last == std::string::npos || sql[last] != ';') continue;
    auto rows = run_statement(directory, sql, format);
    sql.clear();
    if (!rows && complain(printable(rows.error().sentence)) != 0 && !is_terminal) return kUsage;
  }
  if (is_terminal) std::printf("\n");
  if (sql.empty()) return 0;
  auto rows = run_statement(directory, sql, format);
  return rows ? 0 : complain(printable(rows.error().sentence), kUsage);
}

int run_query(const QueryOptions& options) {
  if (options.tables) {
    list_tables("");
    return 0;
  }
  const auto& words = options.words;
  const bool only_sql = words.size() == 1 && is_sql(words[0]);
  const auto directory = find_recording(words.empty() || only_sql ? "" : words[0]);
  if (!directory) return kCannotRun;
  if (words.empty() || (words.size() == 1 && !only_sql)) return run_prompt(*directory, options.format());
  auto rows = run_statement(*directory, words.back(), options.format());
  return rows ? 0 : complain(printable(rows.error().sentence), kUsage);
}

}  // namespace

void add_query(Arguments app, Session& session) {
  auto options = std::make_shared<QueryOptions>();
  const Arguments command = app.command("query", "Ask a recording's tables with SQL");
  command
      .option("REC SQL", options->words,
              "The recording, the latest if left out; and one statement, a prompt if left out")
      .words(0, 2);
  command.flag("--csv", options->csv, "Print CSV");
  command.flag("--json", options->json, "Print JSON");
  command.flag("--tables", options->tables, "List the tables");
  command.set_examples(
      "  orrery query make-0 'SELECT command, end FROM process'\n"
      "  orrery query 'SELECT name, count(*) FROM call GROUP BY name' --csv\n"
      "  orrery query make-0          a prompt; .tables lists the tables\n");
  command.run([options, &session] { session.exit_code = run_query(*options); });
}

}  // namespace orrery::cli
