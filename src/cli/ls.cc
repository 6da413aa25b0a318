// `orrery ls`: the recordings there are.
#include <cstdio>

#include "cli/command.h"
#include "cli/recording_text.h"
#include "cli/style.h"

namespace orrery::cli {
namespace {

struct LsOptions {
  bool json = false;
  bool names = false;
};

void print_table(const std::vector<trace::RecordingSummary>& all, const Style& style) {
  struct Row {
    std::string name, started, duration, size, ending, command;
  };
  std::vector<Row> rows{{"NAME", "STARTED", "TOOK", "SIZE", "ENDED", "COMMAND"}};
  for (const trace::RecordingSummary& recording : all) {
    const u64 own_bytes = recording.sizes.total_bytes - recording.sizes.shared_bytes;
    rows.push_back({printable(recording.name), local_time(recording.info.started_ns),
                    recording.info.duration_ns != 0 ? human_duration(recording.info.duration_ns) : "",
                    human_bytes(own_bytes), ending_words(recording.info, recording.being_written),
                    shell_words(recording.info.arguments)});
  }
  std::size_t widths[5] = {};
  for (const Row& row : rows) {
    const std::string* cells[] = {&row.name, &row.started, &row.duration, &row.size, &row.ending};
    for (int i = 0; i < 5; ++i) widths[i] = std::max(widths[i], cells[i]->size());
  }
  const auto padded = [](const std::string& text, std::size_t width) {
    return std::string(width - text.size(), ' ') + text;
  };
  for (const Row& row : rows) {
    const bool heading = &row == rows.data();
    std::string line = row.name + std::string(widths[0] - row.name.size(), ' ') + "  " + row.started +
                       std::string(widths[1] - row.started.size(), ' ') + "  " +
                       padded(row.duration, widths[2]) + "  " + padded(row.size, widths[3]) + "  ";
    const std::string ending = row.ending + std::string(widths[4] - row.ending.size(), ' ');
    const bool good = row.ending == "exit 0" || row.ending == "recording";
    line += heading || good ? ending : style.red(ending);
    line += "  " + row.command;
    std::printf("%s\n", heading ? style.bold(line).c_str() : line.c_str());
  }
}

int run_ls(const LsOptions& options, const Session& session) {
  const auto all = trace::list_recordings();
  if (options.json) {
    auto json = nlohmann::ordered_json::array();
    for (const trace::RecordingSummary& recording : all) json.push_back(recording_json(recording));
    print_json(json);
  } else if (options.names) {
    for (const trace::RecordingSummary& recording : all)
      std::printf("%s\n", printable(recording.name).c_str());
  } else if (all.empty()) {
    std::fprintf(stderr, "orrery: no recordings in %s\n", trace::recordings_directory().c_str());
  } else {
    print_table(all, Style::for_stream(session.color, 1));
  }
  return 0;
}

}  // namespace

void add_ls(Arguments app, Session& session) {
  auto options = std::make_shared<LsOptions>();
  const Arguments command = app.command("ls", "List the recordings");
  command.flag("--json", options->json, "Print JSON");
  command.flag("--names", options->names, "Print only the names, one a line");
  command.set_examples("  orrery ls\n  orrery ls --json\n");
  command.run([options, &session] { session.exit_code = run_ls(*options, session); });
}

}  // namespace orrery::cli
