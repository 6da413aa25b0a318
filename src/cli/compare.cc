// `orrery compare A B`: what two recordings have in common and what not, side by side: the programs' files
// and how they are linked, the way to main step by step, the memory that was touched, and the whole run.
//
// Each line is one question to the tables of the lenses, asked of both. The program compared is the last that
// the first process ran (`env`, shells and their like give way to what is meant), or another process's. With
// --first: where two runs of one program part.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <vector>

#include "cli/collect.h"
#include "cli/command.h"
#include "cli/first_difference.h"
#include "cli/process_option.h"
#include "cli/recording_text.h"
#include "cli/style.h"

namespace orrery::cli {
namespace {

enum class Unit : u8 { text, count, bytes, ns };

struct Question {
  const char* section;
  const char* key;
  const char* label;
  Unit unit;
  /// What to select; of_program() follows.
  const char* select;
};

#define PAGES_TO_MAIN \
  "page JOIN program USING (process, program) WHERE (page.ticks <= main_ticks OR main_ticks IS NULL)"

constexpr Question kQuestions[] = {
    {"program", "program", "program", Unit::text, "path FROM program WHERE 1"},
    {"program", "linked", "linked", Unit::text, "linked FROM program WHERE 1"},
    {"program", "why", "because", Unit::text,
     "CASE WHEN interpreter IS NOT NULL THEN 'asks for ' || interpreter"
     " WHEN linked = 'static-pie' THEN 'asks for no interpreter; moves itself'"
     " ELSE 'asks for no interpreter; has its addresses' END FROM program WHERE 1"},
    {"files", "file_bytes", "size of the program's file", Unit::bytes,
     "file_bytes FROM mapped_file WHERE is_program"},
    {"files", "files", "files mapped", Unit::count, "count(*) FROM mapped_file WHERE 1"},
    {"files", "files_bytes", "size of these", Unit::bytes, "sum(file_bytes) FROM mapped_file WHERE 1"},
    {"files", "mapped_bytes", "mapped of these", Unit::bytes, "sum(mapped_bytes) FROM mapped_file WHERE 1"},
    {"link", "objects", "objects in the link map", Unit::count, "count(*) FROM link_object WHERE 1"},
    {"link", "needed", "of these by NEEDED", Unit::count,
     "count(*) FROM link_object WHERE needed_by IS NOT NULL"},
    {"link", "searches", "places looked at for them", Unit::count, "count(*) FROM link_search WHERE 1"},
    {"link", "relative_relocations", "relocations without a symbol", Unit::count,
     "coalesce(sum(relative_relocations), 0) FROM link_object WHERE 1"},
    {"link", "bindings_eager", "symbols bound at once", Unit::count,
     "count(*) FROM link_binding WHERE kind <> 'lazy' AND after IS NOT NULL"},
    {"link", "bindings_lazy", "symbols bound at the first call", Unit::count,
     "count(*) FROM link_binding WHERE kind = 'lazy' AND after IS NOT NULL"},
    {"start", "start_ns", "time to main", Unit::ns, "main_ns - start_ns FROM program WHERE 1"},
    {"start", "start_instructions", "instructions to main", Unit::count,
     "main_instructions FROM program WHERE 1"},
    {"start", "start_calls", "system calls to main", Unit::count,
     "sum(calls) FROM load_step WHERE step <> 'main'"},
    {"memory", "pages_to_main", "pages touched to main", Unit::count, "count(*) FROM " PAGES_TO_MAIN},
    {"memory", "pages", "pages touched in all", Unit::count, "count(*) FROM page WHERE 1"},
    {"memory", "pages_of_files", "of these of files", Unit::count,
     "count(*) FROM page WHERE file_offset IS NOT NULL"},
    {"memory", "pages_anonymous", "of these without a file", Unit::count,
     "count(*) FROM page WHERE file_offset IS NULL"},
    {"memory", "pages_executed", "of these executed", Unit::count,
     "coalesce(sum(is_executed), 0) FROM page WHERE 1"},
    {"memory", "pages_written", "of these written", Unit::count,
     "coalesce(sum(is_written), 0) FROM page WHERE 1"},
    {"run", "events", "events", Unit::count, "events FROM process WHERE 1"},
    {"run", "calls", "system calls", Unit::count, "count(*) FROM call WHERE 1"},
    {"run", "ticks", "ticks", Unit::count, "ticks FROM process WHERE 1"},
    {"run", "run_ns", "time from start to end", Unit::ns, "end_ns - start_ns FROM process WHERE 1"},
    {"run", "end", "ended", Unit::text, "\"end\" FROM process WHERE 1"},
};
#undef PAGES_TO_MAIN

/// Sums by name, of both: the steps of the start, and the pages by what they are for.
struct Breakdown {
  const char* key;
  const char* heading;
  const char* first;
  const char* second;
  /// name, first, second.
  const char* select;
  const char* order;
};
constexpr Breakdown kBreakdowns[] = {
    {"steps", "the way to main", "instructions", "time_ns",
     "step, sum(instructions), sum(time_ns) FROM load_step WHERE step <> 'main'",
     " GROUP BY step ORDER BY min(number)"},
    {"pages_by_meaning", "pages by what they are for", "touched", "written",
     "meaning, count(*), sum(is_written) FROM page WHERE 1",
     " GROUP BY meaning ORDER BY min(instructions), min(page)"},
};

struct CompareOptions {
  std::string recordings[2];
  std::string process{};
  bool first = false;
  bool json = false;
};

/// NULL if the recording has no answer.
struct Answer {
  std::optional<std::string> text{};
  i64 number = 0;
};

struct Part {
  std::string name{};
  i64 first = 0, second = 0;
};

struct Side {
  std::string name{};
  std::vector<Answer> answers{};           ///< as kQuestions
  std::vector<std::vector<Part>> parts{};  ///< as kBreakdowns
};

constexpr const char* kTables[] = {"process", "call", "program", "link_object", "page"};

/// Tables of processes have no column `program`.
std::string of_program(const std::string& select, i64 process, i64 program) {
  const std::string of_process = select + " AND process = " + std::to_string(process);
  const bool is_process_table =
      select.find("FROM process ") != std::string::npos || select.find("FROM call ") != std::string::npos;
  return is_process_table ? of_process : of_process + " AND program = " + std::to_string(program);
}

/// By its number in the recording: the first of those that the user means.
Fallible<u32> choose_process(const std::string& directory, const std::string& word) {
  if (word.empty()) return u32{0};
  const lens::Recording recording = TRY(lens::open_recording(directory));
  const std::set<u32> chosen = choose_processes(pids_of(recording.tree), word);
  if (chosen.empty()) return Failure("no such process in " + directory);
  return *chosen.begin();
}

Fallible<Side> ask(const std::string& recording, const std::string& process) {
  const auto directory = find_recording(recording);
  if (!directory) return Failure("no such recording: " + recording);
  std::vector<const lens::Lens*> lenses;
  for (const char* table : kTables) lenses.push_back(lens_of_table(table));
  db::Database database = TRY(collect(*directory, lenses));
  Side side{.name = recording};
  const u32 number = TRY(choose_process(*directory, process));
  db::Statement last =
      TRY(database.prepare("SELECT max(program) FROM program WHERE process = " + std::to_string(number)));
  TRY(last.step());
  if (last.is_null(0)) return Failure(recording + ": no program began in process #" + std::to_string(number));
  const i64 program = last.integer(0);
  for (const Question& question : kQuestions) {
    db::Statement statement = TRY(database.prepare("SELECT " + of_program(question.select, number, program)));
    Answer answer;
    if (TRY(statement.step()) && !statement.is_null(0)) {
      answer.text = std::string(statement.text(0));
      if (question.unit != Unit::text) answer.number = statement.integer(0);
    }
    side.answers.push_back(answer);
  }
  for (const Breakdown& breakdown : kBreakdowns) {
    db::Statement statement =
        TRY(database.prepare("SELECT " + of_program(breakdown.select, number, program) + breakdown.order));
    std::vector<Part>& parts = side.parts.emplace_back();
    while (TRY(statement.step()))
      parts.push_back({std::string(statement.text(0)), statement.integer(1), statement.integer(2)});
  }
  return side;
}

// --- text ---

std::string grouped(i64 number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string words(const Answer& answer, Unit unit) {
  if (!answer.text) return "-";
  char text[48];
  switch (unit) {
    case Unit::text:
      return printable(*answer.text);
    case Unit::ns:
      std::snprintf(text, sizeof text, "%.3f ms", static_cast<double>(answer.number) / 1e6);
      return text;
    case Unit::bytes:
      return grouped(answer.number) + " bytes";
    case Unit::count:
      break;
  }
  return grouped(answer.number);
}

/// "x 3.4" of what is larger; empty where that says nothing.
std::string ratio(const Answer& left, const Answer& right, Unit unit) {
  if (unit == Unit::text || left.number <= 0 || right.number <= 0 || left.number == right.number) return "";
  char text[48];
  const double l = static_cast<double>(left.number), r = static_cast<double>(right.number);
  std::snprintf(text, sizeof text, r > l ? "x %.2f" : "/ %.2f", r > l ? r / l : l / r);
  return text;
}

void print_line(const std::string& label, const std::string& left, const std::string& right,
                const std::string& last) {
  std::printf("  %-34s %22s %22s%s%s\n", label.c_str(), left.c_str(), right.c_str(), last.empty() ? "" : "  ",
              last.c_str());
}

void print_texts(const Side& left, const Side& right) {
  for (std::size_t i = 0; i < std::size(kQuestions); ++i) {
    if (kQuestions[i].unit != Unit::text) continue;
    std::printf("  %-10s A  %s\n", kQuestions[i].label, words(left.answers[i], Unit::text).c_str());
    std::printf("  %-10s B  %s\n", "", words(right.answers[i], Unit::text).c_str());
  }
}

/// Names in the order of the left, then those that only the right has.
std::vector<std::string> names_of(const std::vector<Part>& left, const std::vector<Part>& right) {
  std::vector<std::string> names;
  for (const std::vector<Part>* parts : {&left, &right})
    for (const Part& part : *parts)
      if (std::find(names.begin(), names.end(), part.name) == names.end()) names.push_back(part.name);
  return names;
}

Part part_named(const std::vector<Part>& parts, const std::string& name) {
  const auto found =
      std::find_if(parts.begin(), parts.end(), [&](const Part& part) { return part.name == name; });
  return found == parts.end() ? Part{} : *found;
}

std::string second_words(const Breakdown& breakdown, i64 number) {
  const bool is_time = std::string(breakdown.second).ends_with("_ns");
  return is_time ? words({.text = "", .number = number}, Unit::ns) : grouped(number);
}

void print_text(const Side& left, const Side& right, const Style& style) {
  std::printf("%s\n%s\n\n", style.bold("A  " + printable(left.name)).c_str(),
              style.bold("B  " + printable(right.name)).c_str());
  print_texts(left, right);
  std::string section;
  for (std::size_t i = 0; i < std::size(kQuestions); ++i) {
    const Question& question = kQuestions[i];
    if (question.unit == Unit::text) continue;
    if (section != question.section) {
      section = question.section;
      std::printf("\n");
      char heading[120];
      std::snprintf(heading, sizeof heading, "%-36s %22s %22s", section.c_str(), "A", "B");
      std::printf("%s\n", style.bold(heading).c_str());
    }
    print_line(question.label, words(left.answers[i], question.unit), words(right.answers[i], question.unit),
               ratio(left.answers[i], right.answers[i], question.unit));
  }
  for (std::size_t i = 0; i < std::size(kBreakdowns); ++i) {
    const Breakdown& breakdown = kBreakdowns[i];
    char heading[160];
    std::snprintf(heading, sizeof heading, "%-28s %27s %27s", breakdown.heading, "A", "B");
    std::printf("\n%s\n", style.bold(heading).c_str());
    const bool is_time = std::string(breakdown.second).ends_with("_ns");
    std::printf("  %-26s %14s %12s %14s %12s\n", "", breakdown.first, is_time ? "time" : breakdown.second,
                breakdown.first, is_time ? "time" : breakdown.second);
    for (const std::string& name : names_of(left.parts[i], right.parts[i])) {
      const Part a = part_named(left.parts[i], name), b = part_named(right.parts[i], name);
      std::printf("  %-26s %14s %12s %14s %12s\n", name.c_str(), grouped(a.first).c_str(),
                  second_words(breakdown, a.second).c_str(), grouped(b.first).c_str(),
                  second_words(breakdown, b.second).c_str());
    }
  }
}

// --- JSON ---

nlohmann::ordered_json json_of(const Side& side) {
  nlohmann::ordered_json json;
  json["recording"] = side.name;
  for (std::size_t i = 0; i < std::size(kQuestions); ++i) {
    const Question& question = kQuestions[i];
    auto& value = question.unit == Unit::text ? json[question.key] : json[question.section][question.key];
    if (!side.answers[i].text)
      value = nullptr;
    else if (question.unit == Unit::text)
      value = *side.answers[i].text;
    else
      value = side.answers[i].number;
  }
  for (std::size_t i = 0; i < std::size(kBreakdowns); ++i) {
    auto& parts = json[kBreakdowns[i].key] = nlohmann::ordered_json::object();
    for (const Part& part : side.parts[i])
      parts[part.name] = {{kBreakdowns[i].first, part.first}, {kBreakdowns[i].second, part.second}};
  }
  return json;
}

Fallible<Nothing> show_first_difference(const CompareOptions& options, const Session& session) {
  std::array<std::string, 2> directories;
  std::array<u32, 2> processes{};
  for (std::size_t i = 0; i < 2; ++i) {
    const auto directory = find_recording(options.recordings[i]);
    if (!directory) return Failure("no such recording: " + options.recordings[i]);
    directories[i] = *directory;
    processes[i] = TRY(choose_process(*directory, options.process));
  }
  const auto chosen = options.process.empty() ? std::nullopt : std::optional(processes);
  const FirstDifference found = TRY(find_first_difference(directories, chosen));
  const std::array<std::string, 2> names{options.recordings[0], options.recordings[1]};
  if (options.json)
    print_json({{"first_difference", first_difference_json(found)}});
  else
    std::printf("%s",
                first_difference_text(found, names, Style::for_stream(session.color, STDOUT_FILENO)).c_str());
  return Nothing{};
}

Fallible<Nothing> compare(const CompareOptions& options, const Session& session) {
  if (options.first) return show_first_difference(options, session);
  const Side left = TRY(ask(options.recordings[0], options.process));
  const Side right = TRY(ask(options.recordings[1], options.process));
  if (options.json)
    print_json({{"a", json_of(left)}, {"b", json_of(right)}});
  else
    print_text(left, right, Style::for_stream(session.color, STDOUT_FILENO));
  return Nothing{};
}

}  // namespace

void add_compare(Arguments app, Session& session) {
  auto options = std::make_shared<CompareOptions>();
  const Arguments command = app.command("compare", "Show two recordings side by side");
  command.option("A", options->recordings[0], "A recording: a name or a directory").required();
  command.option("B", options->recordings[1], "The other one").required();
  command.option("-p,--process", options->process, kProcessWords);
  command.flag("--first", options->first,
               "Where two runs of one program first part: the event, the branch, and what differs there");
  command.flag("--json", options->json, "Print JSON");
  command.set_examples(
      "  orrery record -o d -- ./hello-dynamic; orrery record -o s -- ./hello-static\n"
      "  orrery compare d s\n"
      "  orrery compare --first good bad      why did one run fail and the other not?\n");
  command.run([=, &session] {
    if (auto done = compare(*options, session); !done) session.exit_code = complain(done.error().sentence);
  });
}

}  // namespace orrery::cli
