#include "cli/link_chain.h"

#include <cstdio>

#include "cli/made_by.h"
#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(db::Statement& row, int column) {
  return row.is_null(column) ? Json(nullptr) : Json(std::string(row.text(column)));
}
Json number_or_null(db::Statement& row, int column) {
  return row.is_null(column) ? Json(nullptr) : Json(row.integer(column));
}

std::string in_quotes(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + "'";
}

/// The recording as the user would name it in a command.
std::string name_of(const LayerOptions& options) {
  return options.recording.empty() ? options.directory : options.recording;
}

/// The step of the program's start in which the object was mapped; of those loaded later there is none.
Fallible<Json> find_step(db::Database& database, const LayerOptions& options, const Json& object) {
  const std::string process = std::to_string(object["process"].get<i64>());
  const std::string number = object["object"].get<i64>() == 0
                                 ? "step = 'exec'"
                                 : "object = " + in_quotes(object["path"]) + " AND step = 'map'";
  db::Statement rows =
      TRY(database.prepare("SELECT number, step, event, start_ns FROM load_step WHERE process = " + process +
                           " AND program = " + std::to_string(object["program"].get<i64>()) + " AND " +
                           number + " ORDER BY number LIMIT 1"));
  if (!TRY(rows.step())) return Json(nullptr);
  const std::string at = std::to_string(rows.integer(3)) + "ns";
  return Json{{"number", rows.integer(0)},
              {"step", std::string(rows.text(1))},
              {"event", rows.integer(2)},
              {"start_ns", rows.integer(3)},
              {"command",
               shell_words({"orrery", "show", "load", name_of(options), "-p", "#" + process, "--at", at})}};
}

/// The object with its step, its file and the builds that made that.
Fallible<Json> find_object(db::Database& database, const LayerOptions& options, i64 process, i64 program,
                           const std::string& path) {
  db::Statement rows = TRY(database.prepare(
      "SELECT object, event, ticks, time_ns, xxh64, content FROM link_object WHERE process = " +
      std::to_string(process) + " AND program = " + std::to_string(program) +
      " AND path = " + in_quotes(path) + " ORDER BY object LIMIT 1"));
  if (!TRY(rows.step())) return Json(nullptr);
  Json object = {{"process", process},
                 {"program", program},
                 {"object", rows.integer(0)},
                 {"path", path},
                 {"event", rows.integer(1)},
                 {"ticks", rows.integer(2)},
                 {"time_ns", rows.integer(3)},
                 {"xxh64", text_or_null(rows, 4)},
                 {"content", text_or_null(rows, 5)}};
  object["step"] = TRY(find_step(database, options, object));
  object["file_command"] = nullptr;
  if (!rows.is_null(5))
    object["file_command"] =
        shell_words({"orrery", "show", "file", options.directory + "/" + std::string(rows.text(5))});
  object["builds"] = Json::array();
  if (rows.is_null(4)) return object;
  for (const MadeBy& made : find_builds(options.directory, std::string(rows.text(4))))
    object["builds"].push_back({{"recording", made.recording},
                                {"artefact", made.artefact},
                                {"path", made.path},
                                {"step", made.step},
                                {"command_line", made.command},
                                {"command", build_command(made)}});
  return object;
}

Fallible<Json> find_chains(db::Database& database, const LayerOptions& options, const std::string& symbol) {
  Json chains = Json::array();
  db::Statement rows = TRY(database.prepare(
      "SELECT process, program, object, kind, provider, slot, before, after, event, ticks, time_ns, "
      "caller_function,"
      " caller_line FROM link_binding WHERE symbol = " +
      in_quotes(symbol) + " AND " +
      (options.instant ? options.condition("event", "ticks", "time_ns") : options.condition()) +
      " ORDER BY rowid"));
  while (TRY(rows.step())) {
    Json chain = {{"symbol", symbol},
                  {"process", rows.integer(0)},
                  {"program", rows.integer(1)},
                  {"object", std::string(rows.text(2))},
                  {"kind", std::string(rows.text(3))},
                  {"slot", rows.integer(5)},
                  {"before", rows.integer(6)},
                  {"after", number_or_null(rows, 7)},
                  {"event", number_or_null(rows, 8)},
                  {"ticks", number_or_null(rows, 9)},
                  {"time_ns", number_or_null(rows, 10)},
                  {"caller_function", text_or_null(rows, 11)},
                  {"caller_line", text_or_null(rows, 12)}};
    chain["provider"] = nullptr;
    if (!rows.is_null(4))
      chain["provider"] =
          TRY(find_object(database, options, rows.integer(0), rows.integer(1), std::string(rows.text(4))));
    chains.push_back(std::move(chain));
  }
  return chains;
}

constexpr std::size_t kCommandBytes = 100;

std::string cut(const std::string& text) {
  return text.size() > kCommandBytes ? text.substr(0, kCommandBytes) + " ..." : text;
}

std::string words(const Json& text) { return text.is_null() ? "" : printable(text.get<std::string>()); }

void print_provider(const Json& provider) {
  std::printf("  to %s", words(provider["path"]).c_str());
  if (provider["step"].is_null())
    std::printf(", loaded after main at %.6f s\n", provider["time_ns"].get<double>() / 1e9);
  else
    std::printf(", mapped by step %ld of the start\n    %s\n", provider["step"]["number"].get<i64>(),
                words(provider["step"]["command"]).c_str());
  if (!provider["file_command"].is_null())
    std::printf("  whose file has the hash %s\n    %s\n", words(provider["xxh64"]).c_str(),
                words(provider["file_command"]).c_str());
  for (const Json& each : provider["builds"])
    std::printf("  made as %s by step %ld of %s: %s\n    %s\n", words(each["path"]).c_str(),
                each["step"].get<i64>(), words(each["recording"]).c_str(),
                cut(words(each["command_line"])).c_str(), words(each["command"]).c_str());
  if (provider["builds"].empty())
    std::printf("  made by no build that was recorded and looked at (orrery show build REC)\n");
}

void print_chain(const Json& chain, const Style& style) {
  std::printf("%s of %s, process #%ld: ", style.bold(words(chain["symbol"])).c_str(),
              words(chain["object"]).c_str(), chain["process"].get<i64>());
  if (chain["after"].is_null()) return (void)std::printf("never bound\n");
  std::printf("%s, slot %#lx, %#lx before, %#lx now\n", words(chain["kind"]).c_str(),
              chain["slot"].get<i64>(), chain["before"].get<i64>(), chain["after"].get<i64>());
  if (!chain["caller_function"].is_null())
    std::printf("  by the call in %s  %s\n", words(chain["caller_function"]).c_str(),
                words(chain["caller_line"]).c_str());
  if (!chain["provider"].is_null()) print_provider(chain["provider"]);
}

}  // namespace

Fallible<Nothing> show_chain(db::Database& database, const LayerOptions& options, const std::string& symbol,
                             const Style& style) {
  const Json chains = TRY(find_chains(database, options, symbol));
  if (options.json) {
    print_json(chains);
    return Nothing{};
  }
  if (chains.empty())
    return Failure("nothing was bound to a symbol " + symbol + "; orrery show link --all lists them");
  for (const Json& each : chains) print_chain(each, style);
  return Nothing{};
}

}  // namespace orrery::cli
