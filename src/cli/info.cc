// `orrery info REC`: what one recording is and whether it is whole.
#include <cstdio>
#include <filesystem>

#include "cli/command.h"
#include "cli/recording_text.h"
#include "cli/timing_words.h"
#include "trace/trace_file_hosted.h"

namespace orrery::cli {
namespace {

struct InfoOptions {
  std::string recording;
  bool json = false;
  bool verify = false;
};

/// What is known of it without being in the list of recordings.
trace::RecordingSummary summarize(const std::string& path) {
  trace::RecordingSummary summary;
  summary.name = std::filesystem::path(path).filename();
  summary.path = path;
  if (auto info = trace::read_info(path)) summary.info = info.take();
  summary.being_written = trace::is_being_written(path);
  summary.sizes = trace::measure_recording(path);
  return summary;
}

/// Where the trace differs from what `info` says, the trace is right: a killed writer leaves no count.
void take_counts_from_trace(trace::RecordingSummary& summary, std::string& trouble) {
  const auto trace = trace::OpenedTrace::open(summary.path, trouble);
  if (!trace) return;
  if (summary.info.event_count == 0) {
    for (const auto& [number, chunks] : trace->processes())
      summary.info.event_count += chunks.end_number() - chunks.entries.front().first_number;
    summary.info.trace_bytes = trace->file_bytes();
  }
  if (summary.info.process_count == 0) summary.info.process_count = trace->processes().size();
  if (!summary.being_written) trouble = trace::TraceReader(trace, 0).trouble();
}

void print_line(const char* key, const std::string& value) {
  if (!value.empty()) std::printf("%-12s %s\n", key, value.c_str());
}

void print_text(const trace::RecordingSummary& summary) {
  const trace::RecordingInfo& info = summary.info;
  print_line("recording", printable(summary.path));
  print_line("command", shell_words(info.arguments));
  print_line("program", printable(info.program));
  print_line("directory", printable(info.directory));
  if (info.started_ns != 0) print_line("started", local_time(info.started_ns));
  if (info.duration_ns != 0) print_line("took", human_duration(info.duration_ns));
  print_line("ended", ending_words(info, summary.being_written));
  if (info.process_count > 1) {
    const std::string killed =
        info.killed_count != 0 ? " (" + std::to_string(info.killed_count) + " killed)" : "";
    print_line("processes", std::to_string(info.process_count) + killed);
  }
  print_line("events", std::to_string(info.event_count));
  print_line("trace", human_bytes(info.trace_bytes) +
                          (info.raw_bytes != 0 ? " (" + human_bytes(info.raw_bytes) + " of events)" : ""));
  print_line("on disk", human_bytes(summary.sizes.total_bytes - summary.sizes.shared_bytes) +
                            " of its own, " + human_bytes(summary.sizes.shared_bytes) +
                            " shared with the store");
  if (auto timing = timing_of(summary.path); timing && !summary.being_written) {
    const char* key = "timing";
    for (const std::string& line : timing_words(timing.value())) {
      std::printf("%-12s %s\n", key, line.c_str());
      key = "";
    }
  }
  if (info.seed) print_line("seed", std::to_string(*info.seed));
  if (info.aslr != 0) print_line("aslr", std::to_string(info.aslr));
  print_line("profile", printable(info.profile));
  print_line("cpu", printable(info.cpu));
  print_line("host", printable(info.host + (info.kernel.empty() ? "" : ", Linux " + info.kernel)));
  print_line("orrery", printable(info.orrery_version));
}

int run_info(const InfoOptions& options) {
  const auto path = find_recording(options.recording);
  if (!path) return kCannotRun;
  trace::RecordingSummary summary = summarize(*path);
  std::string note;
  take_counts_from_trace(summary, note);
  const auto troubles = options.verify ? trace::verify_recording(*path) : std::vector<std::string>{};
  if (options.json) {
    auto json = recording_json(summary);
    json["note"] = note;
    if (auto timing = timing_json(summary.path)) json["timing"] = timing.take();
    if (options.verify) json["troubles"] = troubles;
    print_json(json);
  } else {
    print_text(summary);
    print_line("note", printable(note));
    for (const std::string& trouble : troubles) print_line("trouble", printable(trouble));
    if (options.verify && troubles.empty())
      print_line("verified", "whole: everything a replay needs is there");
  }
  return troubles.empty() ? kNothingFound : kFound;
}

}  // namespace

void add_info(Arguments app, Session& session) {
  auto options = std::make_shared<InfoOptions>();
  const Arguments command = app.command("info", "Show what a recording is");
  add_recording_option(command, options->recording);
  command.flag("--verify", options->verify, "Read all of it and check that nothing is damaged or missing");
  command.flag("--json", options->json, "Print JSON");
  command.set_examples("  orrery info\n  orrery info --verify grep-0\n");
  command.run([options, &session] { session.exit_code = run_info(*options); });
}

}  // namespace orrery::cli
