// `orrery show races`: accesses of the same bytes by two tasks that nothing orders, locks that are taken in
// circles, and wrong uses of locks.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/command.h"
#include "cli/heap_words.h"
#include "cli/layer_options.h"
#include "cli/races_report.h"
#include "cli/recording_text.h"
#include "cli/show.h"
#include "cli/style.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using lens::races::DataRaceRow;
using lens::races::LockMisuseRow;
using lens::races::LockOrderRow;
using lens::races::RaceCheckRow;

constexpr std::size_t kShown = 20;
constexpr std::size_t kAll = 1000;

std::string misuse_words(const LockMisuseRow& misuse) {
  const std::string& kind = misuse.kind;
  if (kind == "unlock_free") return "Unlocks " + misuse.lock + ", which nobody holds";
  if (kind == "unlock_others")
    return "Unlocks " + misuse.lock + ", which task " + std::to_string(misuse.holder.value_or(0)) + " holds";
  if (kind == "wait_without") return "Waits for a condition without holding " + misuse.lock;
  if (kind == "destroy_held") return "Destroys " + misuse.lock + ", which is held";
  if (kind == "free_held") return "Frees the block that " + misuse.lock + " lies in, which is held";
  if (kind == "exit_holding") return "Ends and holds " + misuse.lock;
  return "Waits for " + misuse.lock + ", which it holds itself";
}

class Text {
 public:
  Text(const RacesReport& report, const Style& style, std::size_t most)
      : report_(report), style_(style), most_(most) {}

  void print() const {
    for (const RaceCheckRow& program : report_.programs) print_program(program);
  }

 private:
  template <class Row>
  std::vector<const Row*> rows_of(const RaceCheckRow& program, const std::vector<Row>& all) const {
    std::vector<const Row*> rows;
    for (const Row& row : all)
      if (row.process == program.process && row.program == program.program) rows.push_back(&row);
    return rows;
  }

  void print_program(const RaceCheckRow& program) const {
    std::printf("%s\n", style_
                            .bold("process #" + std::to_string(program.process) + ", program " +
                                  std::to_string(program.program))
                            .c_str());
    if (program.state != "checked") {
      std::printf("  %s\n", printable(program.state).c_str());
      return;
    }
    const auto races = rows_of(program, report_.races);
    if (races.empty()) std::printf("  no race among %s\n", counted(program.tasks, "task", "tasks").c_str());
    for (std::size_t at = 0; at < std::min(races.size(), most_); ++at) print_race(*races[at]);
    if (races.size() > most_)
      std::printf("\n  %s\n",
                  style_.dim("and " + std::to_string(races.size() - most_) + " more: --all").c_str());
    print_circles(rows_of(program, report_.orders));
    for (const LockMisuseRow* const misuse : rows_of(program, report_.misuses)) print_misuse(*misuse);
  }

  void print_stack(const RunPlace& place, const char* first) const {
    std::printf("%s", stack_lines(place, report_.stacks, first, style_).c_str());
  }

  void print_instant(u64 event, u64 ticks) const {
    std::printf(
        "      %s\n",
        style_.dim("orrery show stack --at " + std::to_string(event) + "+" + std::to_string(ticks)).c_str());
  }

  static std::string access_words(const std::string& kind, u64 bytes, i32 task, const std::string& locks) {
    return kind +
           (kind == "free" ? " of "
            : bytes == 0   ? ""
                           : " of ") +
           counted(bytes, "byte", "bytes") + " by task " + std::to_string(task) +
           (locks.empty() ? ", no lock held" : ", holds " + locks);
  }

  void print_race(const DataRaceRow& race) const {
    std::printf("\n  %2u  Race for %s at %s%s\n", race.number, printable(race.object).c_str(),
                hexadecimal(race.address).c_str(),
                race.times > 1 ? (", " + std::to_string(race.times) + " times").c_str() : "");
    std::printf("      %s\n",
                printable(access_words(race.first_kind, race.first_bytes, race.first_task, race.first_locks))
                    .c_str());
    print_stack(first_place(race), "at");
    print_instant(race.first_event, race.first_ticks);
    std::printf("      then %s\n", printable(access_words(race.second_kind, race.second_bytes,
                                                          race.second_task, race.second_locks))
                                       .c_str());
    print_stack(second_place(race), "at");
    print_instant(race.second_event, race.second_ticks);
    if (const auto made = made_place(race)) {
      std::printf("      the block was given out\n");
      print_stack(*made, "by");
    }
    std::printf("      %s\n", race.missing.c_str());
  }

  void print_circles(const std::vector<const LockOrderRow*>& orders) const {
    std::size_t shown = 0;
    for (const LockOrderRow* const order : orders) {
      if (++shown > most_) return;
      if (order->step == 1) std::printf("\n  Locks in a circle: a deadlock may come of it\n");
      std::printf("      %s held, %s wanted by task %i%s\n", printable(order->held).c_str(),
                  printable(order->wanted).c_str(), order->task,
                  order->times > 1 ? (", " + std::to_string(order->times) + " times").c_str() : "");
      print_stack(wanted_place(*order), "at");
      print_instant(order->event, order->ticks);
      std::printf("      the first was taken\n");
      print_stack(held_place(*order), "at");
    }
  }

  void print_misuse(const LockMisuseRow& misuse) const {
    std::printf("\n  %s%s\n", printable(misuse_words(misuse)).c_str(),
                misuse.times > 1 ? (", " + std::to_string(misuse.times) + " times").c_str() : "");
    print_stack(place_of(misuse), "at");
    print_instant(misuse.event, misuse.ticks);
    if (const auto held = held_place(misuse)) {
      std::printf("      it was taken\n");
      print_stack(*held, "at");
    }
  }

  const RacesReport& report_;
  const Style& style_;
  std::size_t most_;
};

// --- JSON ---

Json races_json(const RacesReport& report) {
  Json races = Json::array();
  for (std::size_t at = 0; at < report.races.size(); ++at) {
    const DataRaceRow& race = report.races[at];
    Json json{{"race", report.json.races[at]},
              {"first", place_json(first_place(race), report.stacks)},
              {"second", place_json(second_place(race), report.stacks)}};
    if (const auto made = made_place(race)) json["made"] = place_json(*made, report.stacks);
    races.push_back(std::move(json));
  }
  return races;
}

Json orders_json(const RacesReport& report) {
  Json orders = Json::array();
  for (std::size_t at = 0; at < report.orders.size(); ++at)
    orders.push_back({{"order", report.json.orders[at]},
                      {"held", place_json(held_place(report.orders[at]), report.stacks)},
                      {"wanted", place_json(wanted_place(report.orders[at]), report.stacks)}});
  return orders;
}

Json misuses_json(const RacesReport& report) {
  Json misuses = Json::array();
  for (std::size_t at = 0; at < report.misuses.size(); ++at) {
    const LockMisuseRow& misuse = report.misuses[at];
    Json json{{"misuse", report.json.misuses[at]}, {"at", place_json(place_of(misuse), report.stacks)}};
    if (const auto held = held_place(misuse)) json["held"] = place_json(*held, report.stacks);
    misuses.push_back(std::move(json));
  }
  return misuses;
}

Json report_json(const RacesReport& report) {
  return {{"programs", report.json.programs},
          {"races", races_json(report)},
          {"orders", orders_json(report)},
          {"misuses", misuses_json(report)}};
}

// --- the command ---

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  if (!options.at.empty()) return Failure("races are those of the whole run: without --at");
  const std::size_t most = options.all ? kAll : kShown;
  const RacesReport report = TRY(read_races(options.directory, options.condition(), most));
  if (options.json) {
    print_json(report_json(report));
    return Nothing{};
  }
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  Text(report, style, most).print();
  return Nothing{};
}

}  // namespace

void add_show_races(Arguments show_command, Session& session) {
  add_layer(show_command, session, "races",
            "Data races, locks that are taken in circles, and wrong uses of locks", show,
            "  orrery show races                      each with the stacks of both accesses\n"
            "  orrery show races --json\n"
            "  orrery query \"SELECT object, first_line, second_line, times FROM data_race\"\n");
}

}  // namespace orrery::cli
