#include "lens/build/link_facts.h"

#include <elf.h>

#include "elf/dynamic_hosted.h"
#include "lens/build/link_places.h"

namespace orrery::lens::build {

const char* name_of(ResolvedBy by) {
  constexpr const char* kNames[] = {"object", "member", "library", "linker", "nothing"};
  return kNames[static_cast<u8>(by)];
}

const char* name_of(PlacedBy by) {
  constexpr const char* kNames[] = {"symbol", "relocation", "content", "merged", "discarded", "unknown"};
  return kNames[static_cast<u8>(by)];
}

LinkFacts gather_link(std::span<const LinkInput> inputs, std::span<const u8> output) {
  LinkFacts facts;
  auto file = elf::ElfFile::open(output);
  if (!file) return facts;
  LinkResolver resolver;
  for (const LinkInput& input : inputs) resolver.add(input);
  resolver.finish();
  facts.symbols = resolver.symbols();
  const u16 type = file.value().header().type;
  if (type == ET_EXEC || type == ET_DYN) facts.sections = find_places(resolver, file.value());
  for (const OpenedUnit& each : resolver.units()) facts.units.push_back(each.unit);
  for (const LinkSection& each : facts.sections)
    if (each.by != PlacedBy::discarded && each.by != PlacedBy::unknown)
      facts.units[each.unit].bytes += each.size;
  elf::Dynamic dynamic(file.value());
  for (const std::string_view library : dynamic.texts(file.value(), DT_NEEDED))
    facts.needed.emplace_back(library);
  return facts;
}

}  // namespace orrery::lens::build
