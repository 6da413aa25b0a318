// Tables from their declaration: schema, rows in and out, transactions, and what a reader may not do.
#include "db/database.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "db/batch_inserter.h"
#include "db/tables_page.h"

namespace orrery::db {
namespace {

struct PlanetRow {
  i64 id = 0;
  std::string name;
  u64 distance = 0;
  double period = 0;
  bool inner = false;
  std::optional<u32> moons;
  std::vector<u8> picture;
  bool operator==(const PlanetRow&) const = default;
};
constexpr Column<PlanetRow> kPlanetColumns[] = {
    column<&PlanetRow::id>("id", "Counted from the sun.", Key::primary),
    column<&PlanetRow::name>("name", "As the Romans had it.", Key::indexed),
    column<&PlanetRow::distance>("distance", "Kilometres."),
    column<&PlanetRow::period>("period", "Years."),
    column<&PlanetRow::inner>("inner_one", "1 inside the belt."),
    column<&PlanetRow::moons>("moons", "How many; NULL if nobody has looked."),
    column<&PlanetRow::picture>("picture", "Bytes."),
};
constexpr Table<PlanetRow> kPlanet = {"planet", "One planet.", kPlanetColumns};

const std::vector<PlanetRow> kPlanets = {
    {1, "Mercury", 57'900'000, 0.24, true, 0, {}},
    {5, "Jupiter", std::numeric_limits<u64>::max(), 11.86, false, std::nullopt, {0, 1, 255}},
    {7, std::string("Ura\0nus", 7), 1u << 31, -0.5, false, std::numeric_limits<u32>::max(), {7}},
};

class DatabaseTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "orrery-db-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ / "planets.sqlite"; }

  Database filled() {
    auto database = Database::create(path());
    EXPECT_TRUE(database);
    auto fill = [&](Database& into) -> Fallible<Nothing> {
      Transaction transaction = TRY(into.begin());
      TRY(into.create_table(kPlanet));
      auto insert = TRY(into.inserter(kPlanet));
      for (const PlanetRow& planet : kPlanets) TRY(insert.add(planet));
      TRY(into.create_indexes(kPlanet));
      return transaction.commit();
    };
    auto done = fill(database.value());
    EXPECT_TRUE(done) << done.error().sentence;
    return database.take();
  }

  /// What SQLite says against the statement, run to its end; "" if nothing.
  static std::string complaint(Database& database, std::string_view sql) {
    auto run = [&]() -> Fallible<Nothing> {
      Statement statement = TRY(database.prepare(sql));
      while (TRY(statement.step())) {
      }
      return Nothing{};
    };
    auto done = run();
    return done ? "" : done.error().sentence;
  }

  std::filesystem::path folder_;
};

TEST_F(DatabaseTest, RowsComeBackAsTheyWentIn) {
  Database database = filled();
  auto rows = database.read(kPlanet, "ORDER BY id");
  ASSERT_TRUE(rows) << rows.error().sentence;
  EXPECT_EQ(rows.value(), kPlanets);
  auto outer = database.read(kPlanet, "WHERE name = 'Jupiter'");
  ASSERT_TRUE(outer);
  ASSERT_EQ(outer.value().size(), 1u);
  EXPECT_EQ(outer.value()[0], kPlanets[1]);
}

TEST_F(DatabaseTest, SchemaIsTheDeclaration) {
  const TableDescription description = describe(kPlanet);
  EXPECT_EQ(create_table_sql(description),
            "CREATE TABLE planet (id INTEGER PRIMARY KEY, name TEXT NOT NULL, distance INTEGER NOT NULL, "
            "period REAL NOT "
            "NULL, inner_one INTEGER NOT NULL, moons INTEGER, picture BLOB NOT NULL) STRICT");
  EXPECT_EQ(create_indexes_sql(description), "CREATE INDEX planet_name ON planet (name);");
  Database database = filled();
  auto there = database.has_table("planet"), missing = database.has_table("comet");
  ASSERT_TRUE(there);
  ASSERT_TRUE(missing);
  EXPECT_TRUE(there.value());
  EXPECT_FALSE(missing.value());
  auto plan = database.prepare("EXPLAIN QUERY PLAN SELECT * FROM planet WHERE name = 'Mars'");
  ASSERT_TRUE(plan);
  ASSERT_TRUE(plan.value().step().value());
  EXPECT_NE(plan.value().text(3).find("planet_name"), std::string_view::npos) << plan.value().text(3);
}

TEST_F(DatabaseTest, UnsignedNumbersPrintRight) {
  Database database = filled();
  auto statement = database.prepare("SELECT printf('%x', distance), distance FROM planet WHERE id = 5");
  ASSERT_TRUE(statement);
  ASSERT_TRUE(statement.value().step().value());
  EXPECT_EQ(statement.value().text(0), "ffffffffffffffff");
  EXPECT_EQ(statement.value().integer(1), -1);
}

TEST_F(DatabaseTest, FailuresSayWhatSqliteSaid) {
  Database database = filled();
  EXPECT_EQ(complaint(database, "SELECT colour FROM planet"), "no such column: colour");
  EXPECT_EQ(complaint(database, "SELEC"), "near \"SELEC\": syntax error");
  EXPECT_EQ(complaint(database, " ; "), "there is no statement in it");
  EXPECT_EQ(complaint(database, "SELECT 1; DROP TABLE planet"), "there is more than one statement in it");
  EXPECT_EQ(complaint(database, "SELECT 1 ;\n"), "");
  auto insert = database.inserter(kPlanet);
  ASSERT_TRUE(insert);
  auto twice = insert.value().add(kPlanets[0]);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().sentence, "UNIQUE constraint failed: planet.id");
  auto again = insert.value().add({9, "Pluto", 1, 1, false, {}, {}});  // the failure is not sticky
  EXPECT_TRUE(again);
  auto statement = database.prepare("SELECT ?");
  ASSERT_TRUE(statement);
  statement.value().bind(2, i64{1});
  auto row = statement.value().step();
  ASSERT_FALSE(row);
  EXPECT_NE(row.error().sentence.find("out of range"), std::string::npos) << row.error().sentence;
}

/// A table without bytes, of which many rows are inserted at once.
struct MoonRow {
  i64 id = 0;
  std::optional<std::string> name{};
  double mass = 0;
};
constexpr Column<MoonRow> kMoonColumns[] = {
    column<&MoonRow::id>("id", "Its number.", Key::primary),
    column<&MoonRow::name>("name", "If it has one."),
    column<&MoonRow::mass>("mass", "In tons."),
};
constexpr Table<MoonRow> kMoon = {"moon", "One moon.", kMoonColumns};

TEST_F(DatabaseTest, ManyRowsAreThoseThatWereAdded) {
  constexpr i64 kMoons = 5003;
  auto database = Database::create(path());
  ASSERT_TRUE(database);
  ASSERT_TRUE(database.value().create_table(kMoon));
  auto insert = BatchInserter<MoonRow>::of(database.value(), kMoon);
  ASSERT_TRUE(insert);
  const auto moon = [](i64 id) {
    return MoonRow{id, id % 3 == 0 ? std::nullopt : std::optional(std::to_string(id) + "th"),
                   0.5 * static_cast<double>(id)};
  };
  for (i64 id = 0; id < kMoons; ++id) ASSERT_TRUE(insert.value().add(moon(id)));
  ASSERT_TRUE(insert.value().flush());
  auto rows = database.value().read(kMoon, "ORDER BY rowid");
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows.value().size(), static_cast<std::size_t>(kMoons));
  for (i64 id = 0; id < kMoons; ++id) {
    const MoonRow& row = rows.value()[static_cast<std::size_t>(id)];
    EXPECT_EQ(std::tuple(row.id, row.name, row.mass), std::tuple(id, moon(id).name, moon(id).mass));
  }
  EXPECT_TRUE(insert.value().add(moon(0)));  // waits with others
  const auto twice = insert.value().flush();
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().sentence, "UNIQUE constraint failed: moon.id");
}

TEST_F(DatabaseTest, UncommittedTransactionIsUndone) {
  Database database = filled();
  {
    auto transaction = database.begin();
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(database.execute("DELETE FROM planet"));
  }
  auto rows = database.read(kPlanet);
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows.value().size(), kPlanets.size());
}

TEST_F(DatabaseTest, StatementsOutliveAMovedDatabase) {
  Database database = filled();
  auto statement = database.prepare("SELECT count(*) FROM planet");
  ASSERT_TRUE(statement);
  const Database moved = std::move(database);
  ASSERT_TRUE(statement.value().step().value());
  EXPECT_EQ(statement.value().integer(0), 3);
}

TEST_F(DatabaseTest, AReaderReadsAndNothingElse) {
  (void)filled();
  auto opened = Database::open_for_reading(path());
  ASSERT_TRUE(opened) << opened.error().sentence;
  Database& reader = opened.value();
  EXPECT_EQ(complaint(reader, "SELECT upper(name) FROM planet GROUP BY name ORDER BY 1"), "");
  EXPECT_EQ(
      complaint(reader,
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9) SELECT * FROM n"),
      "");
  EXPECT_EQ(complaint(reader, "PRAGMA table_info(planet)"), "");
  EXPECT_EQ(complaint(reader, "EXPLAIN QUERY PLAN SELECT * FROM planet"), "");
  const std::string other = (folder_ / "other.sqlite").string();
  const std::string refused[] = {
      "DELETE FROM planet",
      "INSERT INTO planet DEFAULT VALUES",
      "UPDATE planet SET name = ''",
      "DROP TABLE planet",
      "CREATE TABLE comet (name TEXT)",
      "CREATE TEMP TABLE comet (name TEXT)",
      "CREATE TEMP VIEW v AS SELECT 1",
      "ATTACH '" + other + "' AS other",
      "VACUUM INTO '" + other + "'",
      "PRAGMA query_only = OFF",
      "PRAGMA journal_mode = WAL",
      "PRAGMA writable_schema = ON",
      "SELECT load_extension('" + other + "')",
      "BEGIN",
      "REINDEX",
      "ANALYZE",
  };
  for (const std::string& sql : refused) {
    const std::string said = complaint(reader, sql);
    EXPECT_TRUE(said.find("not authorized") != std::string::npos ||
                said.find("authorization denied") != std::string::npos)
        << sql << ": " << said;
  }
  EXPECT_FALSE(std::filesystem::exists(other));
}

TEST_F(DatabaseTest, OpeningWhatIsNoDatabaseFails) {
  auto missing = Database::open_for_reading(path());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().sentence, path() + ": unable to open database file");
  EXPECT_FALSE(std::filesystem::exists(path()));
  std::ofstream(path()) << std::string(5000, 'x');
  auto other = Database::open_for_reading(path());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().sentence, path() + ": file is not a database");
}

TEST_F(DatabaseTest, AnEndlessStatementIsStopped) {
  (void)filled();
  auto reader = Database::open_for_reading(path());
  ASSERT_TRUE(reader);
  int asked = 0;
  reader.value().stop_when([&asked] { return ++asked == 3; });
  const char* endless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
  EXPECT_EQ(complaint(reader.value(), endless), "interrupted");
  EXPECT_EQ(asked, 3);
  reader.value().stop_when({});
  EXPECT_EQ(complaint(reader.value(), "SELECT * FROM planet"), "");
}

TEST(TablesPage, IsWrittenFromTheDeclaration) {
  const TableDescription tables[] = {describe(kPlanet)};
  const std::string page = tables_page(tables, {});
  EXPECT_NE(page.find("\n## planet\n\nOne planet.\n\n| column | type | meaning |\n|---|---|---|\n"
                      "| **`id`** | INTEGER | Counted from the sun. |\n"
                      "| *`name`* | TEXT | As the Romans had it. |\n"),
            std::string::npos)
      << page;
  EXPECT_NE(page.find("| `moons` | INTEGER or NULL | How many; NULL if nobody has looked. |\n"),
            std::string::npos);
}

}  // namespace
}  // namespace orrery::db
