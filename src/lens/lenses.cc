#include "lens/lens.h"

namespace orrery::lens {

extern const Lens kProcessLens;
extern const Lens kCallLens;
extern const Lens kBuildLens;

namespace {

constexpr const Lens* kLenses[] = {
    &kProcessLens,
    &kCallLens,
    &kBuildLens,
};

}  // namespace

std::span<const Lens* const> all_lenses() { return kLenses; }

}  // namespace orrery::lens
