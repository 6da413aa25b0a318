// The exact profile of one program while it is replayed.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "lens/profile/call_costs.h"
#include "lens/profile/code_files.h"
#include "lens/profile/instruction_counts.h"
#include "lens/profile/profile_tables.h"
#include "lens/replay_session.h"

namespace orrery::lens::profile {

struct ProfileRows {
  std::vector<FunctionRow> functions{};
  std::vector<LineRow> lines{};
  std::vector<CallRow> calls{};

  void set_program(u32 process, u32 program);
};

class ProgramProfile {
 public:
  using Rows = ProfileRows;
  template <class Current>
  static Status ask(ReplaySession& session, Current current) {
    return session.note_profile([current](auto notes) { current().read(notes); });
  }

  void read(std::span<const translate::ProfileNote> notes);
  /// After code was mapped: its functions are watched from here on.
  Status look_at_files(ReplaySession& session);
  /// Before memory is unmapped or mapped over.
  Status before_unmapping(ReplaySession& session, u64 start, u64 end);
  /// What there is if the program, or what is asked about, ends here; it may go on.
  Status finish(ReplaySession& session);
  ProfileRows rows() const;  ///< of process 0, program 0

 private:
  struct LineKey {
    u32 function;
    std::string inlined;
    std::string file;
    u32 line;
    auto operator<=>(const LineKey&) const = default;
  };
  struct CallKey {
    u32 caller;
    std::string file;
    u32 line;
    u32 callee;
    auto operator<=>(const CallKey&) const = default;
  };
  struct Sums {
    u64 calls = 0, inclusive = 0;
  };
  struct Calls {
    std::map<CallKey, Sums> edges;
    std::map<u32, Sums> functions;
  };

  Status take(ReplaySession& session);
  void add_calls(ReplaySession& session, CallCosts& costs, Calls& calls);

  CallCosts costs_;
  std::size_t expected_ = 1;  ///< of its functions, those that files_ has heard of
  CodeFiles files_;
  std::map<LineKey, InstructionCount> lines_;
  Calls calls_;  ///< that have returned
  Calls ended_;  ///< those and the others, as of finish()
};

}  // namespace orrery::lens::profile
