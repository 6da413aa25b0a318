#include "lens/load/lookups.h"

#include <dlfcn.h>

namespace orrery::lens::load {
namespace {

constexpr u64 kNameBytesMost = 4096;

/// What a handle of dlopen means: glibc's is the address of the object's link_map.
std::string scope_of(u64 handle, const LoadedObjects& objects) {
  if (handle == reinterpret_cast<u64>(RTLD_DEFAULT)) return "default";
  if (handle == reinterpret_cast<u64>(RTLD_NEXT)) return "next";
  for (const LoadedObject& each : objects.all())
    if (each.link_map == handle) return each.path;
  return "an object that is not loaded";
}

}  // namespace

void Lookups::add(const LoadedObject& object) {
  for (const char* name : {"dlsym", "dlvsym"}) {
    const Definition* found = object.file ? object.file->find_definition(name) : nullptr;
    if (found == nullptr) continue;
    entries_.insert(object.base + found->address);
    wanted_.insert(object.base + found->address);
  }
}

std::optional<LookupRow> Lookups::reach(ReplaySession& session, u64 pc, const Instant& now,
                                        const LoadedObjects& objects, Callers& callers) {
  if (entries_.contains(pc)) begin(session, now, objects, callers);
  std::vector<UnderWay>& under_way = under_way_[now.task];
  const u64 stack = session.registers().gpr[elf::kRspIndex];
  // One that was left by longjmp lies deeper in the stack than what goes on.
  while (!under_way.empty() && under_way.back().stack < stack) {
    const UnderWay last = std::move(under_way.back());
    under_way.pop_back();
    if (last.return_address != pc || last.stack + sizeof(u64) != stack) continue;
    LookupRow row = last.row;
    row.event = now.event;
    row.ticks = now.ticks;
    row.time_ns = now.time_ns;
    if (const u64 result = session.registers().gpr[0]; result != 0) {
      row.result = result;
      if (const LoadedObject* provider = objects.find(result)) row.provider = provider->path;
    }
    return row;
  }
  return std::nullopt;
}

void Lookups::begin(ReplaySession& session, const Instant& now, const LoadedObjects& objects,
                    Callers& callers) {
  const auto& gpr = session.registers().gpr;
  UnderWay made;
  made.stack = gpr[elf::kRspIndex];
  if (!session.read_value(made.stack, made.return_address)) return;
  constexpr int kRdi = 7, kRsi = 6;
  made.row.symbol = session.read_string(gpr[kRsi], kNameBytesMost);
  made.row.scope = scope_of(gpr[kRdi], objects);
  made.row.caller = made.return_address;
  Caller caller = callers.find(session, made.return_address);
  made.row.caller_function = std::move(caller.function);
  made.row.caller_line = std::move(caller.line);
  wanted_.insert(made.return_address);
  under_way_[now.task].push_back(std::move(made));
}

}  // namespace orrery::lens::load
