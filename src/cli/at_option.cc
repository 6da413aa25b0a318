#include "cli/at_option.h"

#include <cstdio>

#include "cli/collect.h"
#include "cli/progress.h"
#include "lens/call_search.h"
#include "lens/place_search.h"

namespace orrery::cli {
namespace {

using lens::ExactInstant;
using Kind = lens::InstantWord::Kind;

/// The layer load has found it, without symbols if it had to. Of a process that ran several programs, the
/// last.
Fallible<ExactInstant> find_main(const std::string& directory, u32 process) {
  db::Database database = TRY(collect(directory, {{lens_of_table("program")}}));
  db::Statement rows = TRY(database.prepare(
      "SELECT main_event, main_task, main_ticks, main_instructions, main_ns, main_address FROM program"
      " WHERE process = " +
      std::to_string(process) + " AND main_ticks IS NOT NULL ORDER BY program DESC LIMIT 1"));
  if (!TRY(rows.step()))
    return Failure("no main was seen in process #" + std::to_string(process) +
                   ": it ran no program of its own, or ended before, or that program has none");
  const auto number = [&](int column) { return static_cast<u64>(rows.integer(column)); };
  return ExactInstant{.process = process,
                      .at = {.event = number(0),
                             .task = static_cast<i32>(rows.integer(1)),
                             .ticks = number(2),
                             .instructions = number(3),
                             .time_ns = number(4)},
                      .pc = number(5)};
}

Fallible<FoundInstant> find_by_replay(const lens::Recording& recording, u32 process,
                                      const lens::InstantWord& word) {
  std::shared_ptr<StoppedProcess> stopped = TRY(start_process(recording, process));
  const auto look = [&]() -> Fallible<ExactInstant> {
    if (word.kind == Kind::place) return lens::find_place(recording, process, *stopped->session, word);
    Progress progress("looking for " + word.function, recording.tree.at(process).event_count);
    u64 before = 0;
    return lens::find_call(recording, process, *stopped->session, word.function, word.number, [&](u64 event) {
      progress.add(event - std::min(before, event));
      before = event;
    });
  };
  stopped->instant = TRY(look());
  return FoundInstant{stopped->instant, stopped};
}

}  // namespace

void add_at_option(Arguments command, std::string& at) {
  command.option("--at", at, lens::kInstantWords).type_name("INSTANT");
}

Fallible<FoundInstant> find_and_stop(const std::string& directory, const std::string& word,
                                     const std::set<u32>& processes) {
  const lens::InstantWord wanted = TRY(lens::parse_instant(word));
  if (processes.size() > 1)
    return Failure("several processes had that pid: name one by its number (see orrery ps)");
  const lens::Recording recording = TRY(lens::open_recording(directory));
  const auto process = processes.empty() ? std::nullopt : std::optional(*processes.begin());
  if (wanted.kind != Kind::main && wanted.kind != Kind::call && wanted.kind != Kind::place)
    return FoundInstant{TRY(lens::find_instant(recording, wanted, process))};
  // Says what is wrong with the process before anything is replayed.
  const ExactInstant start = TRY(lens::find_instant(recording, {.kind = Kind::start}, process));
  if (wanted.kind == Kind::main) return FoundInstant{TRY(find_main(directory, start.process))};
  return find_by_replay(recording, start.process, wanted);
}

Fallible<ExactInstant> find_instant(const std::string& directory, const std::string& word,
                                    const std::set<u32>& processes) {
  return TRY(find_and_stop(directory, word, processes)).instant;
}

Fallible<std::shared_ptr<StoppedProcess>> stop_at(const std::string& directory, const std::string& word,
                                                  const std::set<u32>& processes) {
  std::optional<ExactInstant> instant;
  if (!word.empty()) {
    const FoundInstant found = TRY(find_and_stop(directory, word, processes));
    if (found.stopped) return found.stopped;
    instant = found.instant;
  }
  return std::shared_ptr(TRY(stop_process(directory, processes, instant)));
}

std::string instant_words(const ExactInstant& instant) {
  char text[160];
  std::snprintf(text, sizeof text, "at %.6f s: event %lu of process #%u, task %d, tick %lu",
                static_cast<double>(instant.at.time_ns) / 1e9, instant.at.event, instant.process,
                instant.at.task, instant.at.ticks);
  return text;
}

nlohmann::ordered_json instant_json(const ExactInstant& instant) {
  nlohmann::ordered_json json = {{"process", instant.process},
                                 {"event", instant.at.event},
                                 {"task", instant.at.task},
                                 {"ticks", instant.at.ticks},
                                 {"pc", nullptr},
                                 {"time_ns", instant.at.time_ns}};
  if (instant.pc) json["pc"] = *instant.pc;
  return json;
}

}  // namespace orrery::cli
