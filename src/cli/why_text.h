// The verdict of `orrery why` as a screenful of text.
#pragma once

#include <string>

#include "cli/style.h"
#include "lens/why/verdict.h"

namespace orrery::cli {

std::string why_text(const lens::why::Verdict& verdict, const lens::why::Facts& facts, const Style& style);

}  // namespace orrery::cli
