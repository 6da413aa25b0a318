// The summary of an ELF file, as a person reads it: one screen.
#pragma once

#include <string>

#include "cli/style.h"
#include "elf/archive_hosted.h"
#include "lens/file/facts.h"

namespace orrery::cli {

std::string file_text(const std::string& path, const lens::file::Facts& facts, const Style& style);

/// "position-independent executable", "shared library" and so on.
const char* kind_words(lens::file::Kind kind);

}  // namespace orrery::cli
