// `orrery show build [REC]`: how source became a file, as it was recorded.
#include <unistd.h>

#include <cstdio>

#include "cli/at_option.h"
#include "cli/build_link.h"
#include "cli/build_object.h"
#include "cli/build_text.h"
#include "cli/show.h"

namespace orrery::cli {
namespace {

struct ShowBuildOptions {
  std::string recording;
  std::string object, link, at;
  bool all = false;
  bool json = false;
};

Fallible<BuildRows> read_rows(const std::string& directory, const ShowBuildOptions& options) {
  const bool with_contents = !options.object.empty() || !options.link.empty();
  BuildRows rows = TRY(with_contents ? read_build_with_contents(directory) : read_build(directory));
  if (options.at.empty()) return rows;
  const lens::ExactInstant instant = TRY(find_instant(directory, options.at, {}));
  if (!options.json) std::printf("%s\n\n", instant_words(instant).c_str());
  return rows_at(std::move(rows), instant.at.time_ns);
}

int run_show_build(const ShowBuildOptions& options, const Session& session) {
  const auto directory = find_recording(options.recording);
  if (!directory) return kCannotRun;
  auto rows = read_rows(*directory, options);
  if (!rows) return complain(printable(rows.error().sentence));
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  Output out(stdout);
  const bool of_link = !options.link.empty();
  const BuildPart part{
      .recording = *directory, .path = of_link ? options.link : options.object, .json = options.json};
  if (of_link) return show_build_link(rows.value(), part, options.all, style, out);
  if (!options.object.empty()) return show_build_object(rows.value(), part, style, out);
  if (options.json) {
    print_build_json(rows.value());
  } else {
    print_build(rows.value(), options.all, style, out);
  }
  return 0;
}

}  // namespace

void add_show_build(Arguments show, Session& session) {
  auto options = std::make_shared<ShowBuildOptions>();
  const Arguments command =
      show.command("build", "Show a recorded build: its steps, what each read and made");
  add_recording_option(command, options->recording);
  add_at_option(command, options->at);
  const Argument object =
      command.option("--object", options->object,
                     "An object file that was made, also one that is gone: sections, symbols, relocations");
  command
      .option("--link", options->link,
              "What was linked: who resolved each symbol, where each section went, what was copied in")
      .excludes(object);
  command.flag("--all", options->all,
               "Whole commands, every file that was read, and nothing of a link left out");
  command.flag("--json", options->json, "Print JSON: all there is, times in nanoseconds since the beginning");
  command.set_examples(
      "  orrery record gcc hello.c -o hello && orrery show build\n"
      "  orrery show build --at 50%         what ran then, and what was there\n"
      "  orrery show build make-0 --object main.o\n"
      "  orrery show build make-0 --link app\n"
      "  orrery show build make-0 --json | jq '.steps[] | select(.phase == \"link\") | .makes'\n");
  command.run([options, &session] { session.exit_code = run_show_build(*options, session); });
}

}  // namespace orrery::cli
