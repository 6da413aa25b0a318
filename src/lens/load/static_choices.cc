#include "lens/load/static_choices.h"

#include <elf.h>

#include <utility>

namespace orrery::lens::load {

StaticChoices::StaticChoices(u32 process, u32 program, Rows& rows, ReplaySession& session,
                             const StartStack& stack)
    : rows_(rows), objects_(session, stack) {
  ObjectFile* file = objects_.program_file();
  if (file == nullptr) return;
  const u64 base = objects_.program_base();
  for (const ObjectRelocation& each : file->relocations()) {
    if (each.type != R_X86_64_IRELATIVE) continue;
    const u64 resolver = static_cast<u64>(each.addend);
    Asked& asked = asked_.emplace_back();
    asked.resolver = base + resolver;
    asked.row = {.process = process,
                 .program = program,
                 .object = objects_.program(),
                 .symbol = std::string(file->function_at(resolver)),
                 .kind = "ifunc",
                 .provider = objects_.program(),
                 .slot = base + each.address};
    session.read_value(asked.row.slot, asked.row.before);
    const u64 slot = each.address;
    asked.row.writable = slot < page_floor(file->relro_start()) || slot >= page_floor(file->relro_end());
    resolvers_.insert(asked.resolver);
  }
}

void StaticChoices::reach(ReplaySession& session, u64 pc, const Instant& now) {
  if (next_ < asked_.size() && asked_[next_].resolver == pc && !under_way_) {
    settle(session);
    under_way_ = asked_[next_++].row;
    under_way_->event = now.event;
    under_way_->ticks = now.ticks;
    under_way_->time_ns = now.time_ns;
    u64 return_address = 0;
    if (session.read_value(session.registers().gpr[elf::kRspIndex], return_address))
      returns_.insert(return_address);
  } else if (under_way_ && returns_.contains(pc)) {
    under_way_->cost_ticks = now.ticks - *under_way_->ticks;
    chosen_.push_back(*std::exchange(under_way_, std::nullopt));
  }
}

void StaticChoices::settle(ReplaySession& session) {
  for (BindingRow& row : chosen_) {
    u64 value = 0;
    if (session.read_value(row.slot, value)) {
      row.after = value;
      const std::string_view name = objects_.program_file()->function_at(value - objects_.program_base());
      if (!name.empty()) row.implementation = name;
    }
    rows_.add(kBinding, row);
  }
  chosen_.clear();
}

}  // namespace orrery::lens::load
