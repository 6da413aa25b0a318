#include "lens/difference/path_difference.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "translate/access_stream.h"

namespace orrery::lens {
namespace {

/// Instructions executed one behind the other.
struct Line {
  u64 start = 0, end = 0;
  u64 event = 0, ticks = 0;
  u64 number = 0;  ///< how many lines of all tasks began before it
};

/// Lines on the way from the replay's thread to who compares them: the faster replay waits.
class LineQueue {
 public:
  void put(std::vector<Line> lines) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || waiting_.size() < kMost; });
    if (!closed_) waiting_.push_back(std::move(lines));
    changed_.notify_all();
  }
  /// Nothing more comes, or nobody takes any more.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  bool is_closed() {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  /// Nothing at the end.
  std::optional<Line> take() {
    while (at_ == lines_.size())
      if (!refill()) return std::nullopt;
    return lines_[at_++];
  }

 private:
  static constexpr std::size_t kMost = 16;

  bool refill() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty()) return false;
    lines_ = std::move(waiting_.front());
    at_ = 0;
    waiting_.pop_front();
    changed_.notify_all();
    return true;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::vector<Line>> waiting_;
  bool closed_ = false;
  std::vector<Line> lines_;  ///< that are being taken
  std::size_t at_ = 0;
};

/// Makes lines of the blocks that tasks execute.
class LineMaker {
 public:
  using Consumer = std::function<void(i32 task, const Line&)>;
  explicit LineMaker(Consumer consumer) : consumer_(std::move(consumer)) {}

  void read(std::span<const u64> records, std::span<const translate::AccessPoint> points) {
    reader_.read(records, points, *this);
  }
  void finish() {
    for (const auto& [task, line] : lines_)
      if (line.end != 0) consumer_(task, line);
  }

  // --- what the reader calls ---
  void access(const translate::Access&) {}
  void block(translate::AccessHeader header, const translate::AccessPoint& block) {
    if (line_ == nullptr || reader_.task != task_) {
      task_ = reader_.task;
      line_ = &lines_[task_];
    }
    // A tick counts behind the block: the line that it ends is over, wherever the next one begins.
    const bool goes_on = block.pc == line_->end && reader_.ticks == line_->ticks;
    if (!goes_on) {
      if (line_->end != 0) consumer_(task_, *line_);
      *line_ = {.start = block.pc,
                .end = block.pc,
                .event = reader_.event,
                .ticks = reader_.ticks,
                .number = number_++};
    }
    line_->end += header.guest_bytes();
  }

 private:
  Consumer consumer_;
  translate::AccessReader reader_;
  std::map<i32, Line> lines_;  ///< that each task is executing
  i32 task_ = 0;
  Line* line_ = nullptr;  ///< of that task
  u64 number_ = 0;
};

Fallible<Nothing> ran(const Result<Stop>& stop) {
  if (!stop) return Failure(stop.error());
  return Nothing{};
}

/// `is_wanted`: whether to go on.
Fallible<Nothing> go(const Route& route, LineMaker& maker, const std::function<bool()>& is_wanted) {
  ReplaySession& session = *route.session;
  if (route.from_event && session.stop().event <= *route.from_event)
    TRY(ran(session.run_before(*route.from_event + 1)));
  const Status noted = session.note_accesses([&](auto records, auto points) {
    if (is_wanted()) maker.read(records, points);
  });
  if (!noted) return Failure(noted.error());
  // Behind the event: before it the code that leads to it may not have run.
  const u64 end = route.to_event == ~u64{0} ? route.to_event : route.to_event + 1;
  while (!session.stop().ended() && session.stop().event < end && is_wanted())
    TRY(ran(session.run_before(end)));
  maker.finish();
  return Nothing{};
}

/// What each task of a run executed, hashed in pieces.
class PathHashes {
 public:
  static constexpr u64 kLines = 4096;  ///< of a piece
  struct Piece {
    u64 hash = 0;
    u64 begin = 0;  ///< Line::number of its first
  };

  Fallible<Nothing> read(const Route& route) {
    LineMaker maker([this](i32 task, const Line& line) { add(tasks_[task], line); });
    return go(route, maker, [] { return true; });
  }
  const std::vector<Piece>& pieces_of(i32 task) { return tasks_[task].pieces; }
  /// Task ids rise as tasks are made.
  std::vector<i32> tasks() const {
    std::vector<i32> ids;
    for (const auto& [id, task] : tasks_) ids.push_back(id);
    return ids;
  }

 private:
  struct Task {
    std::vector<Piece> pieces;
    u64 lines = 0;
  };

  void add(Task& task, const Line& line) {
    if (task.lines++ % kLines == 0) task.pieces.push_back({.begin = line.number});
    const u64 words[] = {line.start, line.end};
    u64& hash = task.pieces.back().hash;
    hash = xxh64({reinterpret_cast<const u8*>(words), sizeof words}, hash);
  }

  std::map<i32, Task> tasks_;
};

/// A replay that goes its route on a thread of its own, and hands over the lines of one task.
class Runner {
 public:
  Runner(const Route& route, i32 task, u64 lines_left_out) : route_(route) {
    thread_ = std::thread([this, task, lines_left_out] {
      u64 left_out = 0;
      LineMaker maker([&](i32 of, const Line& line) {
        if (of != task || left_out++ < lines_left_out) return;
        lines_.push_back(line);
        if (lines_.size() >= kLines) queue_.put(std::exchange(lines_, {}));
      });
      if (auto done = go(route_, maker, [this] { return !queue_.is_closed(); }); !done)
        failure_ = done.error();
      queue_.put(std::move(lines_));
      queue_.close();
    });
  }
  ~Runner() {
    queue_.close();
    if (!thread_.joinable()) return;
    route_.session->cut_off();
    thread_.join();
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  std::optional<Line> take() { return queue_.take(); }
  /// Once there is no more to take.
  Fallible<Nothing> result() {
    thread_.join();
    if (failure_) return *failure_;
    return Nothing{};
  }

 private:
  static constexpr std::size_t kLines = 1 << 14;

  Route route_;
  LineQueue queue_;
  std::vector<Line> lines_;
  std::optional<Failure> failure_{};
  std::thread thread_;
};

PathDifference::Side behind(i32 task, const Line& line, u64 end, u64 to) {
  return {
      .task = task, .event = line.event, .ticks = line.ticks, .stretch = line.start, .end = end, .to = to};
}

/// `known` and pairs of those of whom it does not tell.
std::vector<TaskPair> pairs_of(const std::vector<TaskPair>& known, const PathHashes& left,
                               const PathHashes& right) {
  std::vector<i32> others[2] = {left.tasks(), right.tasks()};
  for (std::size_t side = 0; side < 2; ++side)
    std::erase_if(others[side], [&](i32 id) {
      return std::any_of(known.begin(), known.end(), [&](const TaskPair& pair) { return pair[side] == id; });
    });
  std::vector<TaskPair> pairs = known;
  for (std::size_t i = 0; i < std::min(others[0].size(), others[1].size()); ++i)
    pairs.push_back({others[0][i], others[1][i]});
  return pairs;
}

/// The route may end in the middle of what the task executes.
bool is_cut_off(const Route& route, i32 task) { return route.to_event != ~u64{0} && route.to_task != task; }

/// Where one of the two begins to differ from the other; nothing if they are equal.
std::optional<u64> first_different(const std::vector<PathHashes::Piece>& left,
                                   const std::vector<PathHashes::Piece>& right) {
  const u64 both = std::min(left.size(), right.size());
  for (u64 i = 0; i < both; ++i)
    if (left[i].hash != right[i].hash) return i;
  return left.size() == right.size() ? std::nullopt : std::optional(both);
}

}  // namespace

Fallible<std::vector<DifferentPiece>> find_different_pieces(const std::array<Route, 2>& routes,
                                                            const std::vector<TaskPair>& tasks) {
  PathHashes left, right;
  std::optional<Failure> failure;
  std::thread other([&] {
    if (auto done = right.read(routes[1]); !done) failure = done.error();
  });
  const auto done = left.read(routes[0]);
  other.join();
  if (!done) return done.error();
  if (failure) return *failure;
  std::vector<DifferentPiece> found;
  for (const TaskPair& pair : pairs_of(tasks, left, right)) {
    const auto &of_left = left.pieces_of(pair[0]), &of_right = right.pieces_of(pair[1]);
    const auto piece = first_different(of_left, of_right);
    if (!piece) continue;
    // Where the first run has no more of it, the piece before tells the time.
    const u64 begin = of_left.empty() ? 0 : of_left[std::min(*piece, of_left.size() - 1)].begin;
    // One line earlier: the last common one ends with the branch.
    const u64 lines = *piece * PathHashes::kLines;
    found.push_back({.task = pair, .lines_before = lines == 0 ? 0 : lines - 1, .begin = begin});
  }
  std::sort(found.begin(), found.end(),
            [](const auto& one, const auto& other) { return one.begin < other.begin; });
  return found;
}

Fallible<std::optional<PathDifference>> find_path_difference(const std::array<Route, 2>& routes,
                                                             const DifferentPiece& piece) {
  Runner left(routes[0], piece.task[0], piece.lines_before);
  Runner right(routes[1], piece.task[1], piece.lines_before);
  std::optional<Line> last[2];
  for (u64 lines = piece.lines_before;; ++lines) {
    const std::optional<Line> here[] = {left.take(), right.take()};
    const auto &a = here[0], &b = here[1];
    const bool same_start = a && b && a->start == b->start;
    if (same_start && a->end == b->end) {
      last[0] = a, last[1] = b;
      continue;
    }
    if (!a) TRY(left.result());
    if (!b) TRY(right.result());
    if (!a && !b) return std::optional<PathDifference>();
    PathDifference found{.common_lines = lines, .at = a ? a->number : last[0] ? last[0]->number : 0};
    const u64 end = same_start ? std::min(a->end, b->end) : 0;
    u64 to[2];
    for (std::size_t i = 0; i < 2; ++i) {
      to[i] = same_start ? end : here[i].value_or(Line{}).start;
      if (same_start && here[i]->end == end) to[i] = (i == 0 ? left : right).take().value_or(Line{}).start;
      if (to[i] == 0 && is_cut_off(routes[i], piece.task[i])) return std::optional<PathDifference>();
    }
    if (!same_start && !last[0])
      return Failure("the runs stand at different places where they are to be compared");
    for (std::size_t i = 0; i < 2; ++i)
      found.side[i] = same_start ? behind(piece.task[i], *here[i], end, to[i])
                                 : behind(piece.task[i], *last[i], last[i]->end, to[i]);
    return std::optional(found);
  }
}

}  // namespace orrery::lens
