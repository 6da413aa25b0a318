#include "lens/lens.h"

namespace orrery::lens {

extern const Lens kProcessLens;
extern const Lens kCallLens;

namespace {

constexpr const Lens* kLenses[] = {
    &kProcessLens,
    &kCallLens,
};

}  // namespace

std::span<const Lens* const> all_lenses() { return kLenses; }

}  // namespace orrery::lens
