// The verdict of `orrery why` for programs: docs/why.md describes the fields.
#pragma once

#include <string>

#include "lens/why/verdict.h"

namespace orrery::cli {

std::string why_json(const lens::why::Verdict& verdict, const lens::why::Facts& facts);

}  // namespace orrery::cli
