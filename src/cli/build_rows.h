// The layer "build" of a recording, read from its tables.
#pragma once

#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "lens/build/build_tables.h"

namespace orrery::cli {

struct BuildRows {
  std::vector<lens::build::StepRow> steps;
  std::vector<lens::build::ArtefactRow> artefacts;
  std::vector<lens::build::InputRow> inputs;
};

/// Collects them first, if they are not there.
Fallible<BuildRows> read_build(const std::string& directory);

/// The last artefact of that path, or of that name if only one has it; or of that number: '#3'. Fails in
/// words that list what there is.
Fallible<const lens::build::ArtefactRow*> find_artefact(const BuildRows& rows, const std::string& named);

}  // namespace orrery::cli
