#include "cli/memory_resident.h"

#include <algorithm>
#include <set>
#include <vector>

namespace orrery::cli {
namespace {

/// A page of a process that shows a frame.
struct Holder {
  i64 process = 0;
  u64 page = 0;
  bool is_anonymous = false, to_end = false;
  i64 begin_ns = 0, end_ns = 0;
};

/// SQL: these were written through some mapping by the instant.
Fallible<std::set<i64>> read_written(db::Database& database, const LayerOptions& options) {
  const std::string by_then =
      options.instant ? options.instant->condition("written_event", "written_ticks", "written_ns") : "1";
  db::Statement rows = TRY(database.prepare(
      "SELECT DISTINCT frame FROM page_frame WHERE written_event IS NOT NULL AND " + by_then));
  std::set<i64> written;
  while (TRY(rows.step())) written.insert(rows.integer(0));
  return written;
}

/// SQL: those that are there at the instant; without one, all there ever were.
std::string holders_query(const LayerOptions& options) {
  std::string query =
      "SELECT frame, process, page, kind = 'anonymous', to_end, begin_ns, end_ns FROM page_frame";
  if (options.instant) {
    const lens::ExactInstant& at = *options.instant;
    query += " WHERE " + at.condition("begin_event", "begin_ticks", "begin_ns") + " AND (NOT " +
             at.condition("end_event", "end_ticks", "end_ns") +
             " OR to_end AND process = " + std::to_string(at.process) + ")";
  }
  return query + " ORDER BY frame";
}

/// How many of the holders of one frame there were at a time.
class Count {
 public:
  explicit Count(const std::vector<Holder>& holders) {
    for (const Holder& each : holders) {
      begins_.push_back(each.begin_ns);
      ends_.push_back(each.end_ns);
    }
    std::sort(begins_.begin(), begins_.end());
    std::sort(ends_.begin(), ends_.end());
  }
  i64 at(i64 time_ns) const { return upto(begins_, time_ns) - upto(ends_, time_ns); }

 private:
  static i64 upto(const std::vector<i64>& times, i64 time_ns) {
    return std::upper_bound(times.begin(), times.end(), time_ns) - times.begin();
  }
  std::vector<i64> begins_, ends_;
};

void add(const Holder& holder, i64 users, bool is_written, ResidentPages& pages) {
  Resident& page = pages[holder.page];
  const bool is_dirty = holder.is_anonymous || is_written;
  page.rss += kPageBytes;
  page.pss += static_cast<double>(kPageBytes) / static_cast<double>(users);
  page.anonymous += holder.is_anonymous ? kPageBytes : 0;
  u64& kind = users > 1 ? (is_dirty ? page.shared_dirty : page.shared_clean)
                        : (is_dirty ? page.private_dirty : page.private_clean);
  kind += kPageBytes;
}

}  // namespace

Resident& Resident::operator+=(const Resident& other) {
  rss += other.rss;
  pss += other.pss;
  shared_clean += other.shared_clean;
  shared_dirty += other.shared_dirty;
  private_clean += other.private_clean;
  private_dirty += other.private_dirty;
  anonymous += other.anonymous;
  return *this;
}

nlohmann::ordered_json resident_json(const Resident& resident) {
  return {{"rss", resident.rss},
          {"pss", static_cast<u64>(resident.pss)},
          {"shared_clean", resident.shared_clean},
          {"shared_dirty", resident.shared_dirty},
          {"private_clean", resident.private_clean},
          {"private_dirty", resident.private_dirty},
          {"anonymous", resident.anonymous}};
}

Fallible<std::map<i64, ResidentPages>> read_resident(db::Database& database, const LayerOptions& options) {
  const std::set<i64> written = TRY(read_written(database, options));
  std::map<i64, ResidentPages> found;
  std::vector<Holder> holders;
  i64 frame = 0;
  const auto finish = [&] {
    const bool is_written = written.contains(frame);
    if (options.instant) {
      for (const Holder& each : holders) add(each, std::ssize(holders), is_written, found[each.process]);
    } else {
      const Count count(holders);
      std::map<i64, i64> own;  // by process: those that are there to its end, which is the instant
      for (const Holder& each : holders) own[each.process] += each.to_end ? 1 : 0;
      for (const Holder& each : holders)
        if (each.to_end)
          add(each, count.at(each.end_ns) + own[each.process], is_written, found[each.process]);
    }
    holders.clear();
  };
  db::Statement rows = TRY(database.prepare(holders_query(options)));
  while (TRY(rows.step())) {
    if (rows.integer(0) != frame) finish();
    frame = rows.integer(0);
    holders.push_back({.process = rows.integer(1),
                       .page = static_cast<u64>(rows.integer(2)),
                       .is_anonymous = rows.integer(3) != 0,
                       .to_end = rows.integer(4) != 0,
                       .begin_ns = rows.integer(5),
                       .end_ns = rows.integer(6)});
  }
  finish();
  return found;
}

}  // namespace orrery::cli
