#include "lens/races/race_words.h"

#include "lens/code_place.h"

namespace orrery::lens::races {

void RaceWords::collect(ReplaySession& session, const RaceFinder& finder) {
  for (const Race& race : finder.races()) {
    learn_code(session, race.first.place.pc);
    learn_code(session, race.second.place.pc);
    learn_data(session, race.address);
    for (const RaceAccess* const access : {&race.first, &race.second})
      for (const LockNumber lock : finder.locks().set(access->locks))
        learn_data(session, finder.locks().address_of(lock));
  }
  for (const Misuse& misuse : finder.locks().misuses()) {
    learn_code(session, misuse.place.pc);
    learn_data(session, finder.locks().address_of(misuse.lock));
  }
  for (const auto& circle : finder.locks().circles())
    for (const LockOrder& order : circle) {
      learn_code(session, order.held_at.pc);
      learn_code(session, order.wanted_at.pc);
      learn_data(session, finder.locks().address_of(order.held));
      learn_data(session, finder.locks().address_of(order.wanted));
    }
}

const CodeWords& RaceWords::code(u64 pc) const {
  static const CodeWords kUnknown;
  const auto known = code_.find(pc);
  return known == code_.end() ? kUnknown : known->second;
}

std::string RaceWords::data(u64 address) const {
  const auto known = names_.find(address);
  return known == names_.end() ? "" : known->second;
}

void RaceWords::learn_code(ReplaySession& session, u64 pc) {
  if (code_.contains(pc)) return;
  CodeWords words;
  const profile::CodePlace place = files_.find(session, pc);
  const profile::Function& function = files_.functions()[place.function];
  const std::string& name = place.inlined != nullptr ? *place.inlined : function.name;
  if (!name.empty()) words.function = short_function(name);
  if (place.file != nullptr && place.line != 0) {
    words.file = *place.file;
    words.line = place.line;
  }
  if (function.object.starts_with("/")) words.object = function.object;
  code_.emplace(pc, std::move(words));
}

void RaceWords::learn_data(ReplaySession& session, u64 address) {
  if (!names_.contains(address)) names_.emplace(address, data_.name_of(session, address));
}

}  // namespace orrery::lens::races
