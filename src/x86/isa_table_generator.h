// Writes isa_table.inc and access_table.inc by asking Zydis about every encoding. Runs in tests only:
// x86_test compares its text with the checked-in files and rewrites them when ORRERY_UPDATE is set.
#pragma once

#include <string>

namespace orrery::x86 {

std::string generate_isa_table();
std::string generate_access_table();

}  // namespace orrery::x86
