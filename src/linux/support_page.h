// The page that says which system calls the machine has, written from the table (docs/syscalls.md).
#pragma once

#include "base/text.h"

namespace orrery::abi {

/// Markdown, complete.
Text support_page();

}  // namespace orrery::abi
