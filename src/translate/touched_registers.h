// Which registers an instruction may read or write, as far as undefined values go.
#pragma once

#include <span>

#include "base/types.h"
#include "x86/decode.h"

namespace orrery::translate {

/// RegisterName::bit() of each, too many rather than too few; all of them for what is executed by the engine,
/// system calls among it.
u64 touched_registers(const x86::Decoded& decoded, std::span<const u8> bytes);

}  // namespace orrery::translate
