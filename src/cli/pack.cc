// `orrery pack REC`: makes a recording self-contained, so that it can be moved or sent.
#include <cstdio>

#include "cli/command.h"
#include "cli/pack_files.h"
#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

struct PackOptions {
  std::string recording;
  PackWanted wanted;
  bool json = false;
};

std::string counted(u64 count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

/// "3 source files: a.c, b.c, c.c", the first few by name.
std::string listed(const std::vector<std::string>& paths) {
  constexpr std::size_t kNamedMost = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(paths.size(), kNamedMost); ++i)
    text += (i == 0 ? "" : ", ") + printable(paths[i]);
  return paths.size() > kNamedMost ? text + ", …" : text;
}

void tell_changed(const std::vector<std::string>& paths) {
  constexpr std::size_t kNamedMost = 10;
  std::vector<std::string> own, others;
  for (const std::string& path : paths) (is_system_header(path) ? others : own).push_back(path);
  for (std::size_t i = 0; i < std::min(own.size(), kNamedMost); ++i)
    complain(printable(own[i]) + " has changed since the program was built: left out");
  if (own.size() > kNamedMost) complain("so have " + std::to_string(own.size() - kNamedMost) + " others");
  if (!others.empty())
    complain(counted(others.size(), "system header has", "system headers have") +
             " changed since what uses them was built, left out: " + listed(others));
}

void tell(const PackWanted& wanted, const PackedReport& report) {
  std::string took;
  if (wanted.sources)
    took = counted(report.source_count, "source file", "source files") + " (" +
           human_bytes(report.source_bytes) + ")";
  if (wanted.debug)
    took += std::string(took.empty() ? "" : " and ") +
            counted(report.debug_count, "debug file", "debug files") + " (" +
            human_bytes(report.debug_bytes) + ")";
  std::fprintf(stderr, "orrery: took along %s\n", took.c_str());
  tell_changed(report.changed);
  if (!report.refused.empty()) complain("no source by name or size, left out: " + listed(report.refused));
  if (!report.missing.empty())
    complain(counted(report.missing.size(), "source file is", "source files are") +
             " not here: " + listed(report.missing));
  if (!report.undebugged.empty()) complain("no debug information was found for " + listed(report.undebugged));
  if (wanted.debug && report.split_units != 0)
    complain(counted(report.split_units, "unit has its", "units have their") +
             " debug information in .dwo files, which stay here");
}

/// A C library alone names thousands of files of the machine that built it.
std::vector<std::string> first_of(const std::vector<std::string>& paths) {
  constexpr std::size_t kMost = 100;
  return {paths.begin(), paths.begin() + static_cast<std::ptrdiff_t>(std::min(paths.size(), kMost))};
}

nlohmann::ordered_json packed_json(const PackedReport& report) {
  return {{"sources", report.source_count},
          {"source_bytes", report.source_bytes},
          {"debug_files", report.debug_count},
          {"debug_bytes", report.debug_bytes},
          {"changed", report.changed},
          {"refused", report.refused},
          {"missing_count", report.missing.size()},
          {"missing", first_of(report.missing)},
          {"without_debug_information", report.undebugged},
          {"split_units", report.split_units}};
}

int run_pack(const PackOptions& options) {
  const auto path = find_recording(options.recording);
  if (!path) return kCannotRun;
  if (trace::is_being_written(*path)) return complain("it is being recorded now; pack it when it has ended");
  auto copied = trace::unshare_recording(*path);
  if (!copied) return complain(copied.error());
  std::optional<PackedReport> report;
  if (options.wanted.sources || options.wanted.debug) {
    auto packed = pack_files(*path, options.wanted);
    if (!packed) return complain(printable(packed.error().sentence));
    report = packed.take();
    tell(options.wanted, *report);
  }
  const auto troubles = trace::verify_recording(*path);
  for (const std::string& trouble : troubles) complain(printable(trouble));
  const u64 bytes = trace::measure_recording(*path).total_bytes;
  if (options.json) {
    nlohmann::ordered_json json = {
        {"path", *path}, {"copied_files", copied.value()}, {"total_bytes", bytes}, {"troubles", troubles}};
    if (report) json["packed"] = packed_json(*report);
    print_json(json);
  } else {
    std::printf("%s\n", printable(*path).c_str());
  }
  if (troubles.empty())
    std::fprintf(stderr, "orrery: self-contained: %s, %s files copied from the store\n",
                 human_bytes(bytes).c_str(), std::to_string(copied.value()).c_str());
  return troubles.empty() ? kNothingFound : kFound;
}

}  // namespace

void add_pack(Arguments app, Session& session) {
  auto options = std::make_shared<PackOptions>();
  const Arguments command = app.command("pack", "Make a recording self-contained, to move or send it");
  add_recording_option(command, options->recording);
  command.flag("--sources", options->wanted.sources,
               "Take along the source files that debug information names");
  command.flag("--debug", options->wanted.debug, "Take along separate debug files");
  command.flag("--json", options->json, "Print JSON");
  command.set_examples(
      "  orrery pack && tar cz -f run.tar.gz -C $(orrery pack) .\n"
      "  orrery pack --sources --debug crash-0\n");
  command.run([options, &session] { session.exit_code = run_pack(*options); });
}

}  // namespace orrery::cli
