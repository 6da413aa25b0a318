// The accesses that tests in emitted code find, against those that are found in the stream of all accesses.
#include <tuple>

#include "lens/errors/error_finder.h"
#include "recorded_session.h"
#include "translate/access_stream.h"
#include "translate/heap_watch.h"

namespace orrery::testing {
namespace {

using cpu::Gpr;
using lens::errors::ErrorFinder;
using lens::errors::MemoryError;
using machine::StopReason;

constexpr const char* kFunctions[] = {"malloc", "calloc", "realloc", "free", "aligned_alloc"};

lens::heap::FileFunctions functions_of(const Recorded& recorded) {
  lens::heap::FileFunctions file{.path = "libc.so.6"};
  for (const char* const name : kFunctions)
    file.by_address[recorded.address(name)] = lens::heap::known_function(name);
  return file;
}

/// Makes of a stream of all accesses, with registers at entries and returns, what a stream of suspects has.
class Unfiltered {
 public:
  Unfiltered(Session& session, const lens::heap::FileFunctions& file) {
    finder.watch(file);
    EXPECT_TRUE(static_cast<bool>(session->note_accesses_and_entries(
        [this](std::span<const u64> records, std::span<const translate::AccessPoint> points) {
          points_ = points;
          for (std::size_t at = 0; at < records.size();) at = one(records, at);
        })));
    std::vector<u64> addresses;
    for (const auto& [address, function] : file.by_address) addresses.push_back(address);
    EXPECT_TRUE(static_cast<bool>(session->watch_functions(addresses)));
  }
  ErrorFinder finder;

 private:
  /// Hands over one record, and looks in it for entries and returns itself.
  std::size_t one(std::span<const u64> records, std::size_t at) {
    const translate::AccessHeader header{records[at]};
    const std::size_t next = at + 1 + header.words();
    finder.read(records.subspan(at, next - at), points_);
    if (header.record() != translate::AccessRecord::block) return next;
    const translate::AccessPoint* const block = &points_[header.point()];
    const u64 past = block->pc + header.guest_bytes();
    for (const translate::AccessPoint* point = block + 1; point <= block + block->points && point->pc < past;
         ++point) {
      if (point->kind != translate::AccessKind::none)
        last_ = access_at(*point, &records[at + 1]);
      else
        value(*point, records[at + 1 + point->word]);
    }
    return next;
  }
  void value(const translate::AccessPoint& point, u64 word) {
    if (point.end_reg == Gpr::rax) return finder.returned(last_.address, word, word);
    values_.push_back(word);
    if (values_.size() < std::size(translate::kEnteredValues)) return;
    finder.entered({point.pc, values_[0], {values_[1], values_[2], values_[3]}, 0});
    values_.clear();
  }

  std::span<const translate::AccessPoint> points_;
  translate::Access last_;
  std::vector<u64> values_;
};

class Filtered {
 public:
  Filtered(Session& session, const lens::heap::FileFunctions& file) {
    finder.watch(file);
    EXPECT_TRUE(static_cast<bool>(session->note_suspects(
        [this](std::span<const u64> records, std::span<const translate::AccessPoint> points) {
          finder.read(records, points);
        },
        false)));
    using translate::AllocatorEntry;
    using translate::AllocatorKind;
    std::vector<AllocatorEntry> entries;
    for (const auto& [address, function] : file.by_address) {
      const AllocatorKind kind =
          function->kind == lens::heap::FunctionKind::allocate  ? AllocatorKind::allocate
          : function->kind == lens::heap::FunctionKind::release ? AllocatorKind::release
                                                                : AllocatorKind::reallocate;
      entries.push_back({address, kind, function->size, function->count, function->pointer, 0, 0});
    }
    EXPECT_TRUE(static_cast<bool>(session->watch_allocators(entries)));
    EXPECT_TRUE(static_cast<bool>(
        session->mark_heap_code(machine::HeapCode::allocators, finder.allocators().front())));
  }
  ErrorFinder finder;
};

/// Kind, pc, task, ticks of the first time; address, bytes, how often.
using Found = std::tuple<int, u64, i32, u64, u64, u64, u64>;

template <class Noted>
std::vector<Found> errors_of(const Recorded& recorded) {
  Session session(recorded);
  EXPECT_TRUE(static_cast<bool>(session->set_breakpoints(std::array{recorded.address("main")})));
  EXPECT_EQ(session.run().reason, StopReason::breakpoint);
  EXPECT_TRUE(static_cast<bool>(session->set_breakpoints({})));
  Noted noted(session, functions_of(recorded));
  session.run();
  EXPECT_TRUE(session.ends_equal());
  std::vector<Found> found;
  for (const MemoryError& error : noted.finder.errors())
    found.emplace_back(static_cast<int>(error.kind), error.place.pc, error.place.task, error.place.ticks,
                       error.address, error.size_bytes, error.count);
  return found;
}

TEST(Suspects, AreThoseThatAreFoundAmongAllAccesses) {
  for (const char* const options : {"", "--cpu host", "--cpu x86-64-v2", "--seed 3"}) {
    const Recorded recorded("heap_reads", options);
    ASSERT_EQ(recorded.status(), 0) << options;
    const std::vector<Found> filtered = errors_of<Filtered>(recorded);
    EXPECT_EQ(filtered, errors_of<Unfiltered>(recorded)) << options;
    EXPECT_GE(filtered.size(), 10u) << options;
    u64 count = 0;
    for (const Found& each : filtered) count += std::get<6>(each);
    EXPECT_GT(count, 2000u) << options;
  }
}

}  // namespace
}  // namespace orrery::testing
