#include "lens/load/callers.h"

#include "elf/symbolizer_hosted.h"
#include "lens/code_place.h"
#include "lens/one_file.h"

namespace orrery::lens::load {

Caller Callers::find(ReplaySession& session, u64 return_address) {
  Caller caller;
  const elf::MappedRegion* region = session.find_region(return_address - 1);
  if (region == nullptr || region->kept_file.empty()) return caller;
  std::unique_ptr<elf::Images>& images = images_[{region->kept_file, region->start}];
  if (!images) {
    OneFile file(session, *region);
    images = std::make_unique<elf::Images>(file, session.debug_files());
  }
  const elf::Location place = elf::locate(*images, return_address - 1);
  if (!place.symbol.empty()) caller.function = short_function(place.symbol);
  if (place.frames.empty()) return caller;
  const elf::SourceFrame& inner = place.frames.front();
  if (!inner.function.empty()) caller.function = short_function(inner.function);
  if (inner.source.line != 0) caller.line = inner.source.file + ":" + std::to_string(inner.source.line);
  return caller;
}

}  // namespace orrery::lens::load
