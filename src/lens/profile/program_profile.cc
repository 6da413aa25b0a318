#include "lens/profile/program_profile.h"

#include "lens/known.h"

namespace orrery::lens::profile {
namespace {

std::string inlined_in(const CodePlace& place) { return place.inlined != nullptr ? *place.inlined : ""; }
std::string file_of(const CodePlace& place) { return place.file != nullptr ? *place.file : ""; }

}  // namespace

void ProfileRows::set_program(u32 process, u32 program) {
  const auto set = [=](auto& rows) {
    for (auto& row : rows) row.process = process, row.program = program;
  };
  set(functions), set(lines), set(calls);
}

void ProgramProfile::read(std::span<const translate::ProfileNote> notes) {
  costs_.read(notes);
  for (; expected_ < costs_.functions().size(); ++expected_)
    files_.expect(costs_.functions()[expected_].entry);
}

Status ProgramProfile::look_at_files(ReplaySession& session) {
  const std::vector<u64> entries = files_.look(session);
  return entries.empty() ? Status(Nothing{}) : session.watch_functions(entries);
}

Status ProgramProfile::before_unmapping(ReplaySession& session, u64 start, u64 end) {
  if (!files_.overlap(start, end)) return Nothing{};
  TRY(take(session));
  files_.forget(start, end);
  return Nothing{};
}

/// While the code is still mapped.
Status ProgramProfile::take(ReplaySession& session) {
  CodePlace place;
  InstructionCount* line = nullptr;
  for (const auto& [pc, count] : instruction_counts(session, TRY(session.take_counts()))) {
    if (pc >= place.end) {
      const CodePlace next = files_.find(session, pc);
      if (line == nullptr || !next.is_same_line(place))
        line = &lines_[{next.function, inlined_in(next), file_of(next), next.line}];
      place = next;
    }
    line->add(count);
  }
  add_calls(session, costs_, calls_);
  return Nothing{};
}

void ProgramProfile::add_calls(ReplaySession& session, CallCosts& costs, Calls& calls) {
  for (const CallEdge& edge : costs.take_edges()) {
    const CodePlace site = edge.site != 0 ? files_.find(session, edge.site) : CodePlace{};
    const u32 caller = edge.site != 0     ? site.function
                       : edge.caller != 0 ? files_.find(session, edge.caller).function
                                          : 0;
    const u32 callee = files_.find(session, edge.callee).function;
    Sums& sums = calls.edges[{caller, file_of(site), site.line, callee}];
    sums.calls += edge.calls;
    sums.inclusive += edge.instructions;
    calls.functions[callee].calls += edge.calls;
  }
  for (const CalledFunction& function : costs.take_functions())
    calls.functions[files_.find(session, function.entry).function].inclusive += function.instructions;
}

Status ProgramProfile::finish(ReplaySession& session) {
  TRY(take(session));
  CallCosts rest = costs_.finished(session.stop().instructions);
  ended_ = calls_;
  add_calls(session, rest, ended_);
  return Nothing{};
}

ProfileRows ProgramProfile::rows() const {
  ProfileRows rows;
  std::map<u32, InstructionCount> selfs;
  for (const auto& [key, count] : lines_) {
    selfs[key.function].add(count);
    rows.lines.push_back({.function = key.function,
                          .inlined = known(key.inlined),
                          .file = known(key.file),
                          .line = known(key.line),
                          .instructions = static_cast<u64>(count.executions),
                          .elements = static_cast<u64>(count.elements),
                          .branches = static_cast<u64>(count.branches),
                          .taken = static_cast<u64>(count.taken)});
  }
  for (u32 number = 1; number < files_.functions().size(); ++number) {
    const Function& function = files_.functions()[number];
    const InstructionCount self = selfs.contains(number) ? selfs.at(number) : InstructionCount{};
    const Sums sums = ended_.functions.contains(number) ? ended_.functions.at(number) : Sums{};
    rows.functions.push_back(
        {.function = number,
         .name = known(function.name),
         .object = known(function.object),
         .address = function.address != 0 ? std::optional(function.address) : std::nullopt,
         .file = known(function.file),
         .line = known(function.line),
         .instructions = static_cast<u64>(self.executions),
         .elements = static_cast<u64>(self.elements),
         .branches = static_cast<u64>(self.branches),
         .taken = static_cast<u64>(self.taken),
         .calls = sums.calls,
         .inclusive = sums.inclusive});
  }
  for (const auto& [key, sums] : ended_.edges)
    rows.calls.push_back({.caller = key.caller,
                          .file = known(key.file),
                          .line = known(key.line),
                          .callee = key.callee,
                          .calls = sums.calls,
                          .inclusive = sums.inclusive});
  return rows;
}

}  // namespace orrery::lens::profile
