// The verdict of `orrery why` as a log of SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format),
// which editors and code hosts show beside the source.
#pragma once

#include <string>

#include "lens/why/verdict.h"

namespace orrery::cli {

/// One run with one result, or none if the program ended well.
std::string why_sarif(const lens::why::Verdict& verdict, const lens::why::Facts& facts);

}  // namespace orrery::cli
