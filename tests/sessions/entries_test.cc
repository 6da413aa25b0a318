// The registers noted beside accesses at entries of watched functions and at returns, against the stream of
// calls, which calls_test.cc compares with single steps of native runs.
#include <tuple>

#include "recorded_session.h"
#include "translate/access_stream.h"
#include "translate/call_stream.h"

namespace orrery::testing {
namespace {

using cpu::Gpr;
using machine::StopReason;

/// pc, rsp, and the three arguments or rax.
using Entry = std::tuple<u64, u64, u64, u64, u64>;
using Return = std::tuple<u64, u64, u64>;

struct Transfers {
  std::vector<Entry> entries;
  std::vector<Return> returns;
};

class ByAccesses {
 public:
  explicit ByAccesses(Session& session) {
    EXPECT_TRUE(static_cast<bool>(session->note_accesses_and_entries(
        [this](std::span<const u64> records, std::span<const translate::AccessPoint> points) {
          reader_.read(records, points, *this);
        })));
  }
  void block(translate::AccessHeader, const translate::AccessPoint&) {}
  void access(const translate::Access& access) { last_ = access; }
  void value(const translate::AccessPoint& point, u64 word) {
    if (point.end_reg == Gpr::rax) return found.returns.push_back({point.pc, last_.address, word});
    values_.push_back(word);
    if (values_.size() < std::size(translate::kEnteredValues)) return;
    found.entries.emplace_back(point.pc, values_[0], values_[1], values_[2], values_[3]);
    values_.clear();
  }
  Transfers found;

 private:
  translate::AccessReader reader_;
  translate::Access last_;
  std::vector<u64> values_;
};

class ByCalls {
 public:
  explicit ByCalls(Session& session) {
    EXPECT_TRUE(static_cast<bool>(session->note_calls(
        [this](std::span<const u64> records) { translate::read_calls(records, *this); })));
  }
  void turn(i32, u64, u64) {}
  void call(u64, u64) {}
  void ret(u64 pc, u64 rsp, u64 rax) { found.returns.push_back({pc, rsp, rax}); }
  void entry(u64 pc, const translate::EnteredFunction& entered) {
    found.entries.emplace_back(pc, entered.rsp, entered.arguments[0], entered.arguments[1],
                               entered.arguments[2]);
  }
  Transfers found;
};

/// From the first call of the watched functions to the end of the program.
template <class Noted>
Transfers transfers_of(const Recorded& recorded, const std::vector<u64>& functions) {
  Session session(recorded);
  EXPECT_TRUE(static_cast<bool>(session->set_breakpoints(functions)));
  EXPECT_EQ(session.run().reason, StopReason::breakpoint);
  EXPECT_TRUE(static_cast<bool>(session->set_breakpoints({})));
  Noted noted(session);
  EXPECT_TRUE(static_cast<bool>(session->watch_functions(functions)));
  session.run();
  EXPECT_TRUE(session.ends_equal());
  return noted.found;
}

TEST(Entries, AreThoseOfTheStreamOfCalls) {
  for (const auto& [program, options] :
       {std::pair{"calls", ""}, std::pair{"calls", "--cpu host"}, std::pair{"calls", "--seed 3"}}) {
    const Recorded recorded(program, options);
    ASSERT_EQ(recorded.status(), 0);
    const std::vector<u64> functions = {recorded.address("work")};
    const Transfers by_accesses = transfers_of<ByAccesses>(recorded, functions);
    const Transfers by_calls = transfers_of<ByCalls>(recorded, functions);
    EXPECT_EQ(by_accesses.entries.size(), 51u) << options;
    EXPECT_EQ(by_accesses.entries, by_calls.entries) << options;
    EXPECT_GT(by_accesses.returns.size(), 100u) << options;
    EXPECT_EQ(by_accesses.returns, by_calls.returns) << options;
  }
}

}  // namespace
}  // namespace orrery::testing
