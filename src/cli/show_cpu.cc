// `orrery show cpu`: a task's registers at an instant, the code around, and what the next instruction works
// on.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/at_option.h"
#include "cli/command.h"
#include "cli/cpu_text.h"
#include "cli/layer_options.h"
#include "cli/recording_text.h"
#include "cli/show.h"
#include "cli/stopped_process.h"
#include "cli/style.h"

namespace orrery::cli {
namespace {

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  const auto stopped = TRY(stop_process(options));
  const std::vector<machine::ControlTask> tasks = stopped->session->tasks();
  const auto task = std::find_if(tasks.begin(), tasks.end(), [&](const machine::ControlTask& each) {
    if (options.task == 0) return each.state == machine::TaskState::runs;
    return each.task == options.task && each.state != machine::TaskState::ended;
  });
  if (task == tasks.end()) return Failure("there is no such task at that instant; see orrery show stack");
  const lens::CpuContext context = lens::read_cpu(*stopped->session, *task, {});
  if (options.json) {
    nlohmann::ordered_json json = {{"instant", instant_json(stopped->instant)}};
    json.update(cpu_json(context));
    print_json(json);
    return Nothing{};
  }
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  std::printf("%s\n\n%s", instant_words(stopped->instant).c_str(),
              cpu_text(context, style, options.all).c_str());
  return Nothing{};
}

}  // namespace

void add_show_cpu(Arguments show_command, Session& session) {
  const AddedLayer layer =
      add_layer(show_command, session, "cpu",
                "Registers, flags, the code around, and what the next instruction works on", show,
                "  orrery show cpu --at crash\n"
                "  orrery show cpu --at 17+4+2 --all\n");
  layer.command.option("-t,--task", layer.options->task, "The task (thread) with this id; else who runs");
}

}  // namespace orrery::cli
