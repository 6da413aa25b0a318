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
  u64 until_ns = ~u64{0};  ///< steps that begin later are not shown

  bool has_begun(const lens::build::StepRow& step) const { return step.start_ns <= until_ns; }
  bool is_running(const lens::build::StepRow& step) const {
    return has_begun(step) && step.end_ns > until_ns;
  }
};

/// As they were at that time: without what was made later. How far a step that ran had come is known, but not
/// what it had read. Steps that had not begun are there, so that each stands at its number.
BuildRows rows_at(BuildRows rows, u64 time_ns);

/// Collects them first, if they are not there.
Fallible<BuildRows> read_build(const std::string& directory);
/// The same with the contents that were kept: where they have been removed, they are collected anew.
Fallible<BuildRows> read_build_with_contents(const std::string& directory);

/// The last artefact of that path, or of that name if only one has it; or of that number: '#3'. Fails in
/// words that list what there is.
Fallible<const lens::build::ArtefactRow*> find_artefact(const BuildRows& rows, const std::string& named);

}  // namespace orrery::cli
