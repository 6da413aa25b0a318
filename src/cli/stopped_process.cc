#include "cli/stopped_process.h"

#include <elf.h>

namespace orrery::cli {
namespace {

using Kind = lens::InstantWord::Kind;

Fallible<lens::ExactInstant> usual_instant(const lens::Recording& recording, const std::set<u32>& processes) {
  if (processes.size() > 1)
    return Failure("several processes had that pid: name one by its number (see orrery ps)");
  const auto process = processes.empty() ? std::nullopt : std::optional(*processes.begin());
  auto crash = lens::find_instant(recording, {.kind = Kind::crash}, process);
  if (crash) return crash;
  return lens::find_instant(recording, {.kind = Kind::end}, process);
}

}  // namespace

Fallible<std::unique_ptr<StoppedProcess>> start_process(const lens::Recording& recording, u32 process) {
  auto stopped = std::make_unique<StoppedProcess>();
  stopped->recording = recording;
  auto run = lens::summarize(recording.directory, recording.trace, recording.tree.at(process));
  if (!run) return Failure(run.error());
  stopped->run = run.take();
  stopped->files = std::make_unique<RecordedFiles>(recording.directory);
  auto replay = ReplayProcess::start(recording.directory, {.asked = process, .trace = recording.trace});
  if (!replay) return Failure(replay.error());
  stopped->replay = replay.take();
  auto session = stopped->replay->attach(stopped->files->of(stopped->run));
  if (!session) return Failure(session.error());
  stopped->session = session.take();
  return stopped;
}

Fallible<std::unique_ptr<StoppedProcess>> stop_process(const std::string& directory,
                                                       const std::set<u32>& processes,
                                                       const std::optional<lens::ExactInstant>& instant) {
  const lens::Recording recording = TRY(lens::open_recording(directory));
  const lens::ExactInstant at = instant ? *instant : TRY(usual_instant(recording, processes));
  auto stopped = TRY(start_process(recording, at.process));
  stopped->instant = at;
  TRY(lens::seek(*stopped->session, at));
  return stopped;
}

std::string program_of(StoppedProcess& stopped) {
  auto auxv = stopped.session->auxv();
  const std::vector<u64> pairs = auxv ? auxv.value() : std::vector<u64>();
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    const elf::MappedRegion* const region =
        pairs[i] == AT_ENTRY ? stopped.session->find_region(pairs[i + 1]) : nullptr;
    if (region != nullptr) return region->path;
  }
  return stopped.run.image.empty() ? stopped.run.program : stopped.run.image;
}

}  // namespace orrery::cli
