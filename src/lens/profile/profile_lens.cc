// The exact profile: how often each line, function and call was executed, by counters in replayed code.
#include "lens/profile/program_profile.h"
#include "lens/profile/program_watcher.h"

namespace orrery::lens {
namespace profile {
namespace {

template <class Row>
void add_all(Rows& rows, const db::Table<Row>& table, const std::vector<Row>& all) {
  for (const Row& row : all) rows.add(table, row);
}

std::unique_ptr<Watcher> watch(const Recording&, const TreeProcess& process, Rows& rows) {
  return std::make_unique<ProgramWatcher<ProgramProfile>>(
      process.process, [] { return std::make_unique<ProgramProfile>(); },
      [&rows](const ProfileRows& found) {
        add_all(rows, kProfileFunction, found.functions);
        add_all(rows, kProfileLine, found.lines);
        add_all(rows, kProfileCall, found.calls);
      });
}

std::vector<db::TableDescription> tables() {
  return {db::describe(kProfileFunction), db::describe(kProfileLine), db::describe(kProfileCall)};
}

}  // namespace
}  // namespace profile

extern const Lens kProfileLens;
const Lens kProfileLens = {.name = "profile",
                           .version = 3,
                           .sentence = "How often each line, function and call was executed, exactly.",
                           .tables = profile::tables,
                           .read = nullptr,
                           .watch = profile::watch,
                           .notes = machine::Notes::profile};

}  // namespace orrery::lens
