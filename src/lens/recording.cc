#include "lens/lens.h"

namespace orrery::lens {

Fallible<Recording> open_recording(const std::string& directory) {
  Recording recording{.directory = directory};
  std::string trouble;
  recording.trace = trace::OpenedTrace::open(directory, trouble);
  if (!recording.trace) return Failure(trouble);
  auto info = trace::read_info(directory);
  if (info) recording.info = info.take();
  recording.tree = read_process_tree(recording.trace, recording.info);
  for (const auto& [number, process] : recording.tree)
    if (process.start_ns != 0 && (recording.begin_ns == 0 || process.start_ns < recording.begin_ns))
      recording.begin_ns = process.start_ns;
  return recording;
}

}  // namespace orrery::lens
