// rcpps, rsqrtps and their scalar forms. The architecture only bounds their error (1.5 * 2^-12 of the exact
// value), and every processor family has its own tables, so a recording that is to replay anywhere needs a
// result of its own: the exact one rounded to 12 significant bits, ties to even. Special values are as in
// the SDM (vol. 2, RCPPS, RSQRTPS): denormal operands count as zeros of their sign, results that would be
// denormal are zeros; MXCSR has no say and no flag is set.
#pragma once

#include "base/types.h"
#include "x86/decode.h"

namespace orrery::x86 {

/// Of single-precision numbers, as their bits.
u32 approximate_reciprocal(u32 operand);
u32 approximate_reciprocal_root(u32 operand);

/// Whether the instruction is one of these, in its SSE or AVX form.
bool is_approximation(const Decoded& decoded);

}  // namespace orrery::x86
