// `orrery pack REC`: makes a recording self-contained, so that it can be moved or sent.
#include <cstdio>

#include "cli/command.h"
#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

int run_pack(const std::string& name, bool json) {
  const auto path = find_recording(name);
  if (!path) return kCannotRun;
  if (trace::is_being_written(*path)) return complain("it is being recorded now; pack it when it has ended");
  auto copied = trace::unshare_recording(*path);
  if (!copied) return complain(copied.error());
  const auto troubles = trace::verify_recording(*path);
  for (const std::string& trouble : troubles) complain(printable(trouble));
  const u64 bytes = trace::measure_recording(*path).total_bytes;
  if (json)
    print_json(
        {{"path", *path}, {"copied_files", copied.value()}, {"total_bytes", bytes}, {"troubles", troubles}});
  else
    std::printf("%s\n", printable(*path).c_str());
  if (troubles.empty())
    std::fprintf(stderr, "orrery: self-contained: %s, %s files copied from the store\n",
                 human_bytes(bytes).c_str(), std::to_string(copied.value()).c_str());
  return troubles.empty() ? kNothingFound : kFound;
}

}  // namespace

void add_pack(CLI::App& app, Session& session) {
  auto name = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("pack", "Make a recording self-contained, to move or send it");
  add_recording_option(*command, *name);
  command->add_flag("--json", *json, "Print JSON");
  set_examples(*command, "  orrery pack && tar cz -f run.tar.gz -C $(orrery pack) .\n");
  command->callback([name, json, &session] { session.exit_code = run_pack(*name, *json); });
}

}  // namespace orrery::cli
