// What one instruction gives a register or a piece of memory, and where that had it from.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lens/origin/value_origin.h"
#include "translate/access_stream.h"

namespace orrery::lens {

struct InstructionSource {
  OriginKind kind = OriginKind::unknown;
  ValuePlace from{};  ///< without the task; not at an end
};

/// The whole register of that name: "rax" for "al", "zmm1" for "xmm1"; "" if it is none that can be followed.
std::string whole_register(const std::string& name);

/// The whole registers that the instruction at `pc` writes.
std::vector<std::string> written_registers(std::span<const u8> code, u64 pc);

/// Nothing if the instruction at `pc` does not write `place`. `accesses`: those that it made.
std::optional<InstructionSource> source_of(std::span<const u8> code, u64 pc, const ValuePlace& place,
                                           std::span<const translate::Access> accesses);

}  // namespace orrery::lens
