#include "lens/heap/allocators.h"

#include <algorithm>
#include <utility>

namespace orrery::lens::heap {

Allocators::Allocators(std::optional<OwnAllocator> own) : own_(std::move(own)) {
  if (!own_) return;
  for (const AllocatorFunction& function : own_->functions())
    finders_.push_back({.function = &function, .finder = FunctionFinder(std::string(function.name))});
}

FileFunctions Allocators::find(ReplaySession& session, const elf::MappedRegion& region) {
  FileFunctions found = place_of_file(session, region);
  find_own(session, region, found);
  if (!own_ || own_->joins_known()) find_known_functions(region, found);
  return found;
}

void Allocators::find_own(ReplaySession& session, const elf::MappedRegion& region, FileFunctions& found) {
  const std::lock_guard lock(mutex_);
  for (Wanted& each : finders_)
    for (const elf::NamedFunction& there : each.finder.look(session, session.debug_files(), region.start)) {
      if (there.chooses) continue;  // what it returns has a name of its own
      found.by_address.try_emplace(there.address, each.function);
      each.is_found = true;
    }
}

std::string Allocators::text_of(const AllocatorFunction& function) const {
  const bool is_own = own_ && std::any_of(own_->functions().begin(), own_->functions().end(),
                                          [&](const auto& each) { return each.name == function.name; });
  return is_own ? heap::text_of(function) : std::string(function.name);
}

Fallible<Nothing> Allocators::finish() const {
  for (const Wanted& each : finders_) {
    if (each.is_found) continue;
    std::string words = "no program or library that ran has a function " + std::string(each.function->name) +
                        " (one that was inlined has no entry)";
    const std::vector<std::string> nearest = each.finder.nearest();
    for (const std::string& name : nearest)
      words += (&name == &nearest.front() ? "; there is " : ", ") + name;
    return Failure(words);
  }
  return Nothing{};
}

}  // namespace orrery::lens::heap
