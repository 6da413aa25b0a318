// `orrery show stack`: the call stacks of a process at an instant, with arguments and locals; with --raw the
// words of its frames.
#include <unistd.h>

#include <cstdio>
#include <limits>

#include "cli/at_option.h"
#include "cli/command.h"
#include "cli/deepest_stack.h"
#include "cli/layer_options.h"
#include "cli/recording_text.h"
#include "cli/show.h"
#include "cli/stack_json.h"
#include "cli/stack_text.h"
#include "cli/stopped_process.h"
#include "cli/style.h"

namespace orrery::cli {
namespace {

std::vector<lens::TaskStack> read_stacks(StoppedProcess& stopped, const LayerOptions& options) {
  const lens::StackWanted wanted{
      .program = program_of(stopped),
      .frame = options.frame,
      .frames_most = options.all ? std::numeric_limits<u32>::max() : lens::StackWanted{}.frames_most,
      .slots = options.raw};
  std::vector<lens::TaskStack> stacks;
  // A copy: reading stacks asks the session more.
  const std::vector<machine::ControlTask> tasks = stopped.session->tasks();
  for (const machine::ControlTask& task : tasks)
    if (task.state != machine::TaskState::ended && (options.task == 0 || options.task == task.task))
      stacks.push_back(lens::read_stack(*stopped.session, task, wanted));
  return stacks;
}

Fallible<Nothing> check(const std::vector<lens::TaskStack>& stacks, const LayerOptions& options) {
  if (stacks.empty())
    return Failure(options.task == 0 ? "nothing of the process runs there"
                                     : "there is no task " + std::to_string(options.task) +
                                           " at that instant; without --task all are shown");
  for (const lens::TaskStack& stack : stacks)
    if (!stack.frames.empty()) return Nothing{};
  return Failure("frame " + std::to_string(*options.frame) + " is beyond the stack: it has " +
                 std::to_string(stacks.front().frames_total) + " frames");
}

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  if (options.deepest) return show_deepest(options, session);
  if (!options.from.empty() || !options.to.empty()) return Failure("--from and --to are for --deepest");
  const auto stopped = TRY(stop_process(options));
  const std::vector<lens::TaskStack> stacks = read_stacks(*stopped, options);
  TRY(check(stacks, options));
  if (options.json) {
    nlohmann::ordered_json tasks = nlohmann::ordered_json::array();
    for (const lens::TaskStack& stack : stacks) tasks.push_back(stack_json(stack));
    print_json({{"instant", instant_json(stopped->instant)}, {"tasks", tasks}});
    return Nothing{};
  }
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  std::printf("%s\n", instant_words(stopped->instant).c_str());
  for (const lens::TaskStack& stack : stacks)
    std::printf("\n%s",
                (options.raw ? raw_stack_text(stack, style) : stack_text(stack, style, options.all)).c_str());
  return Nothing{};
}

}  // namespace

void add_show_stack(Arguments show_command, Session& session) {
  const AddedLayer layer =
      add_layer(show_command, session, "stack",
                "Call stacks of all tasks at an instant, with arguments and locals", show,
                "  orrery show stack --at crash\n"
                "  orrery show stack --at parse_line:3 --raw\n"
                "  orrery show stack --deepest            the high-water mark of each stack\n"
                "  orrery show stack redis-server-0 --at 50% --task 4711 --frame 2 --raw\n");
  layer.command.option("-t,--task", layer.options->task, "Only the task (thread) with this id");
  layer.command.option("--frame", layer.options->frame, "Only this frame; 0 is the innermost");
  layer.command.flag("--deepest", layer.options->deepest,
                     "How deep each stack went over the run, where, and the bytes of each call");
  layer.command.option("--from", layer.options->from, "With --deepest: from this instant on");
  layer.command.option("--to", layer.options->to, "With --deepest: up to this instant");
  layer.command.flag("--raw", layer.options->raw, "Draw the words of the frames");
}

}  // namespace orrery::cli
