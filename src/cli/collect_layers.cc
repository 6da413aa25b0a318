// `orrery collect REC --layers memory,heap,request`: what several layers show, together. After it each
// report answers at once; asked one by one, each that has not been asked before has a replay of its own.
#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "cli/collect.h"
#include "cli/command.h"
#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

struct CollectOptions {
  std::string recording{};
  std::string layers = "process,memory,heap,io,request,sched";
};

std::string names_of_all() {
  std::string names;
  for (const lens::Lens* lens : lens::all_lenses())
    names += (names.empty() ? "" : ", ") + std::string(lens->name);
  return names;
}

/// `names`: with commas between them.
Fallible<std::vector<const lens::Lens*>> lenses_named(const std::string& names) {
  std::vector<const lens::Lens*> found;
  std::istringstream words(names);
  for (std::string name; std::getline(words, name, ',');) {
    const auto all = lens::all_lenses();
    const auto lens =
        std::find_if(all.begin(), all.end(), [&](const lens::Lens* each) { return each->name == name; });
    if (lens == all.end()) return Failure("no layer '" + name + "'; there are " + names_of_all());
    if (std::find(found.begin(), found.end(), *lens) == found.end()) found.push_back(*lens);
  }
  return found;
}

int run_collect(const CollectOptions& options) {
  auto lenses = lenses_named(options.layers);
  if (!lenses) return complain(lenses.error().sentence, kUsage);
  const auto directory = find_recording(options.recording);
  if (!directory) return kCannotRun;
  const auto database = collect(*directory, lenses.value());
  return database ? 0 : complain(printable(database.error().sentence));
}

}  // namespace

void add_collect(Arguments app, Session& session) {
  auto options = std::make_shared<CollectOptions>();
  const Arguments command =
      app.command("collect", "Find what several layers show together, so that show answers at once");
  add_recording_option(command, options->recording);
  command.option(
      "-l,--layers", options->layers,
      "Which, with commas between them: " + names_of_all() + "; " + options->layers +
          " by default. One replay serves one of heap, pages, profile, cache, errors and undefined");
  command.set_examples(
      "  orrery collect                          the layers of a running process\n"
      "  orrery collect server-0 -l memory,heap,request\n");
  command.run([options, &session] { session.exit_code = run_collect(*options); });
}

}  // namespace orrery::cli
