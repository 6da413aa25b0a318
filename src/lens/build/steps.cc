#include "lens/build/steps.h"

#include <algorithm>

#include "trace/trace_file_hosted.h"

namespace orrery::lens::build {
namespace {

std::vector<std::string> words_of(std::span<const u8> bytes) {
  std::vector<std::string> words;
  while (!bytes.empty()) {
    const auto end = std::find(bytes.begin(), bytes.end(), u8{0});
    words.emplace_back(bytes.begin(), end);
    bytes = bytes.subspan(std::min<u64>(static_cast<u64>(end - bytes.begin()) + 1, bytes.size()));
  }
  return words;
}

}  // namespace

Steps::Steps(const Recording& recording) {
  // A child's number is higher than its parent's.
  for (const auto& [number, process] : recording.tree) read_process(recording, process);
  for (const auto& [number, process] : recording.tree) add_usage(process);
}

void Steps::read_process(const Recording& recording, const TreeProcess& process) {
  Lives& lives = lives_[process.process];
  if (process.parent) {
    lives.inherited = at_event(*process.parent, process.fork_event.value_or(0));
  } else {
    lives.inherited = static_cast<u32>(steps_.size());
    steps_.push_back({.number = lives.inherited,
                      .process = process.process,
                      .program = recording.info.program,
                      .arguments = recording.info.arguments,
                      .start_ns = recording.since_begin(process.start_ns),
                      .end_ns = recording.since_begin(process.end_ns),
                      .last = true});
  }
  trace::TraceReader reader(recording.trace, process.process);
  trace::EventView event;
  bool ran = false;  // something of it: what is executed before is the recorder's doing
  while (reader.next(event) == trace::ReadStatus::event) {
    const bool native =
        event.header->kind == trace::EventKind::exit && event.header->result == trace::kExitToNative;
    const bool executes = event.header->kind == trace::EventKind::exec || native;
    if (executes && (process.parent || ran)) begin(recording, process, event);
    ran |= event.header->pc != 0;
  }
}

void Steps::begin(const Recording& recording, const TreeProcess& process, const trace::EventView& event) {
  const std::vector<std::string> words = words_of(event.payload);
  if (words.empty()) return;
  Lives& lives = lives_[process.process];
  const u64 now_ns = recording.since_begin(event.header->time_ns);
  const u32 number = static_cast<u32>(steps_.size());
  steps_.push_back({.number = number,
                    .parent = lives.inherited,
                    .process = process.process,
                    .program = words.front(),
                    .arguments = {words.begin() + 1, words.end()},
                    .start_ns = now_ns,
                    .end_ns = recording.since_begin(process.end_ns),
                    .last = true});
  if (!lives.own.empty() || !process.parent) {
    Step& before = steps_[lives.own.empty() ? lives.inherited : lives.own.back().second];
    before.end_ns = now_ns;
    before.last = false;
    steps_.back().parent = before.number;
  }
  lives.own.emplace_back(event.header->number, number);
}

u32 Steps::of(u32 process, u64 count) const {
  const auto lives = lives_.find(process);
  if (lives == lives_.end()) return 0;
  const auto& own = lives->second.own;
  if (count == 0 || own.empty()) return lives->second.inherited;
  return own[std::min<u64>(count, own.size()) - 1].second;
}

u32 Steps::at_event(u32 process, u64 event) const {
  const auto lives = lives_.find(process);
  if (lives == lives_.end()) return 0;
  u32 step = lives->second.inherited;
  for (const auto& [begin, number] : lives->second.own)
    if (begin < event) step = number;
  return step;
}

void Steps::add_usage(const TreeProcess& process) {
  if (!process.usage) return;
  Step& step = steps_[of(process.process, ~u64{0})];
  trace::ResourceUsage& all = step.usage ? *step.usage : step.usage.emplace();
  all.user_ns += process.usage->user_ns;
  all.system_ns += process.usage->system_ns;
  all.peak_bytes = std::max(all.peak_bytes, process.usage->peak_bytes);
}

}  // namespace orrery::lens::build
