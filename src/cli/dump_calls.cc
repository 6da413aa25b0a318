// A recording has no arguments of system calls: the program computes them, so a replay computes them
// again. The replay stops at the entry of every call, where they lie in registers and memory, and again when
// the call has returned.
#include "cli/dump_calls.h"

#include <cstdio>

#include "cli/command.h"
#include "cli/recording_text.h"
#include "cli/replay_process.h"
#include "lens/pending_calls.h"

namespace orrery::cli {
namespace {

using machine::StopReason;

void print_call(const lens::Call& call, const lens::Stop& entry, bool json) {
  if (!json) {
    std::printf("%8lu %9d %13lu  %s\n", call.event, entry.task, entry.ticks, printable(call.text).c_str());
    return;
  }
  nlohmann::ordered_json line = {{"event", call.event}, {"task", entry.task}, {"ticks", entry.ticks},
                                 {"pc", entry.pc},      {"call", call.name},  {"arguments", call.arguments},
                                 {"result", nullptr},   {"words", call.text}};
  if (call.returned) line["result"] = call.result;
  std::printf("%s\n", line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
}

Fallible<Nothing> walk(lens::ReplaySession& session, const CallsWanted& wanted) {
  if (wanted.from) TRY(lens::seek(session, *wanted.from));
  lens::PendingCalls<lens::Stop> pending;
  u64 shown = 0;
  while (!session.stop().ended() && shown < wanted.count) {
    if (session.stop().reason == StopReason::system_call) {
      pending.enter(session, session.stop());
    } else if (const auto made = pending.leave(session)) {
      print_call(made->call, made->entry, wanted.json);
      ++shown;
    }
    if (auto stop = session.run_before(session.stop().event); !stop) return Failure(stop.error());
  }
  for (const auto& made : pending.take_rest())
    if (shown++ < wanted.count) print_call(made.call, made.entry, wanted.json);
  if (session.stop().reason == StopReason::diverged) return Failure("the replay differs from the recording");
  return Nothing{};
}

}  // namespace

int dump_calls(const std::string& recording, const CallsWanted& wanted) {
  auto replay = ReplayProcess::start(recording, {.asked = wanted.process});
  if (!replay) return complain(replay.error());
  auto session = replay.value()->attach({});
  if (!session) return complain(session.error());
  if (!wanted.json) std::printf("   EVENT      TASK         TICKS  CALL\n");
  auto walked = walk(*session.value(), wanted);
  if (!walked) return complain(printable(walked.error().sentence), kReplayDiffers);
  return 0;
}

}  // namespace orrery::cli
