#include "lens/lens.h"

namespace orrery::lens {

extern const Lens kProcessLens;
extern const Lens kCallLens;
extern const Lens kBuildLens;
extern const Lens kLoadLens;
extern const Lens kLinkLens;
extern const Lens kStateLens;
extern const Lens kMapLens;
extern const Lens kPageLens;
extern const Lens kIoLens;
extern const Lens kSchedLens;
extern const Lens kRequestLens;
extern const Lens kHeapLens;
extern const Lens kProfileLens;
extern const Lens kCacheLens;
extern const Lens kCacheObjectLens;
extern const Lens kErrorsLens;
extern const Lens kUndefinedLens;
extern const Lens kRacesLens;

namespace {

constexpr const Lens* kLenses[] = {
    &kProcessLens, &kCallLens,  &kBuildLens,       &kLoadLens,   &kLinkLens,      &kStateLens,
    &kMapLens,     &kPageLens,  &kIoLens,          &kSchedLens,  &kRequestLens,   &kHeapLens,
    &kProfileLens, &kCacheLens, &kCacheObjectLens, &kErrorsLens, &kUndefinedLens, &kRacesLens,
};

}  // namespace

std::span<const Lens* const> all_lenses() { return kLenses; }

}  // namespace orrery::lens
