// The IFUNCs of a static program: nothing is left to link, but for functions of which the processor decides
// which implementation serves. The C library's start asks the resolvers, one after the other, and fills their
// slots (glibc: apply_irel in csu/libc-start.c; of static-pie elf_dynamic_do_Rela), before main.
#pragma once

#include <set>

#include "lens/lens.h"
#include "lens/load/link_rows.h"
#include "lens/load/loaded_objects.h"

namespace orrery::lens::load {

class StaticChoices {
 public:
  /// The session stands before the first instruction of a static program.
  StaticChoices(u32 process, u32 program, Rows& rows, ReplaySession& session, const StartStack& stack);

  /// Addresses to stop at, and those that became known: where the resolvers return to.
  const std::set<u64>& resolvers() const { return resolvers_; }
  const std::set<u64>& returns() const { return returns_; }
  void reach(ReplaySession& session, u64 pc, const Instant& now);
  /// Writes down what resolvers have chosen whose slots are filled now: with the next choice or system call.
  void settle(ReplaySession& session);
  /// All slots are filled.
  bool is_done() const { return next_ == asked_.size() && !under_way_ && chosen_.empty(); }

 private:
  struct Asked {
    BindingRow row;
    u64 resolver = 0;
  };

  Rows& rows_;
  LoadedObjects objects_;
  std::vector<Asked> asked_;  ///< in the order of the table, which is that of asking
  std::size_t next_ = 0;      ///< the first that has not been asked
  std::vector<BindingRow> chosen_;
  std::optional<BindingRow> under_way_;
  std::set<u64> resolvers_, returns_;
};

}  // namespace orrery::lens::load
