#include "cli/layer_options.h"

#include "cli/at_option.h"
#include "cli/process_option.h"
#include "cli/recording_text.h"
#include "lens/lens.h"

namespace orrery::cli {
namespace {

int run(LayerOptions& options, const Session& session, ShowLayer show) {
  const auto directory = find_recording(options.recording);
  if (!directory) return kCannotRun;
  options.directory = *directory;
  if (!options.process.empty()) {
    auto recording = lens::open_recording(*directory);
    if (!recording) return complain(printable(recording.error().sentence));
    options.processes = choose_processes(pids_of(recording.value().tree), options.process);
    if (options.processes.empty()) return kUsage;
  }
  if (!options.at.empty()) {
    auto found = find_and_stop(*directory, options.at, options.processes);
    if (!found) return complain(printable(found.error().sentence));
    options.instant = found.value().instant;
    options.found = found.value().stopped;
  }
  const auto shown = show(options, session);
  return shown ? 0 : complain(printable(shown.error().sentence));
}

}  // namespace

Fallible<std::shared_ptr<StoppedProcess>> stop_process(const LayerOptions& options) {
  if (options.found) return options.found;
  return std::shared_ptr(TRY(stop_process(options.directory, options.processes, options.instant)));
}

std::string LayerOptions::condition() const {
  if (processes.empty()) return "1";
  std::string list;
  for (const u32 each : processes) list.append(list.empty() ? "" : ", ").append(std::to_string(each));
  return "process IN (" + list + ")";
}

std::string LayerOptions::condition(const char* event, const char* ticks, const char* time_ns) const {
  return condition() + (instant ? " AND " + instant->condition(event, ticks, time_ns) : "");
}

AddedLayer add_layer(Arguments show_command, Session& session, const char* name, const char* sentence,
                     ShowLayer show, const char* examples) {
  auto options = std::make_shared<LayerOptions>();
  const Arguments command = show_command.command(name, sentence);
  add_recording_option(command, options->recording);
  add_at_option(command, options->at);
  command.option("-p,--process", options->process, kProcessWords);
  command.flag("--all", options->all, "Leave nothing out");
  command.flag("--json", options->json, "Print JSON");
  command.set_examples(examples);
  command.run([options, show, &session] { session.exit_code = run(*options, session, show); });
  return {command, options};
}

}  // namespace orrery::cli
