#include "cli/recorded_files.h"

#include "cli/command.h"
#include "cli/recording_text.h"

namespace orrery::cli {

RecordedFiles::RecordedFiles(const std::string& recording)
    : debug_files_(recording + "/debug", [](const std::string& sentence) { complain(printable(sentence)); }) {
}

lens::SessionFiles RecordedFiles::of(const lens::RunSummary& run) {
  return {.kept = [&run](const std::string& path, u64 inode) { return lens::kept_file(run, path, inode); },
          .debug = &debug_files_};
}

}  // namespace orrery::cli
