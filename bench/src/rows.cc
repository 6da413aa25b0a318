// How many rows of a table with an integer, a text, a real and a flag the room `db` writes in a
// second, into a file in the folder it is given.
#include <chrono>
#include <cstdio>
#include <string>

#include "db/batch_inserter.h"

namespace orrery::db {
namespace {

struct BenchRow {
  i64 id = 0;
  std::string name;
  u64 distance = 0;
  double period = 0;
  bool inner = false;
};
constexpr Column<BenchRow> kColumns[] = {
    column<&BenchRow::id>("id", "Its number.", Key::primary), column<&BenchRow::name>("name", "A text."),
    column<&BenchRow::distance>("distance", "A number."),     column<&BenchRow::period>("period", "A real."),
    column<&BenchRow::inner>("inner_one", "A flag."),
};
constexpr Table<BenchRow> kTable = {"bench", "One row.", kColumns};

Fallible<Nothing> fill(const std::string& path, i64 count) {
  Database database = TRY(Database::create(path));
  Transaction transaction = TRY(database.begin());
  TRY(database.create_table(kTable));
  auto insert = TRY(BatchInserter<BenchRow>::of(database, kTable));
  for (i64 i = 0; i < count; ++i)
    TRY(insert.add({i, "a planet of some length", static_cast<u64>(i), 1.5, true}));
  TRY(insert.flush());
  return transaction.commit();
}

int run(const std::string& folder) {
  constexpr i64 kRows = 1'000'000;
  const auto begin = std::chrono::steady_clock::now();
  const auto done = fill(folder + "/rows.sqlite", kRows);
  if (!done) {
    std::fprintf(stderr, "%s\n", done.error().sentence.c_str());
    return 1;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("%.2f M rows a second\n", kRows / seconds.count() / 1e6);
  return 0;
}

}  // namespace
}  // namespace orrery::db

int main(int count, char** words) { return count == 2 ? orrery::db::run(words[1]) : 2; }
