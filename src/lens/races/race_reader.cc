#include "lens/races/race_reader.h"

namespace orrery::lens::races {

RaceReader::~RaceReader() {
  if (!thread_.joinable()) return;
  settled();
  ended_ = true;
  there_.fetch_add(1, std::memory_order_release);
  there_.notify_one();
  thread_.join();
}

void RaceReader::read(std::span<const u64> records, std::span<const translate::AccessPoint> points) {
  if (points.size() != finder_.points()) settled().learn(points);
  if (!thread_.joinable()) {
    // With one processor alone, to look twice takes longer.
    if (!finder_.checks() || std::thread::hardware_concurrency() < 2) return finder_.read(records);
    begin();
  }
  for (; filtered_points_ < finder_.points(); filtered_points_ += finder_.block_rows(filtered_points_).size())
    filter_.learn(finder_.block_rows(filtered_points_), points.subspan(filtered_points_));
  if (handed_ >= kBatches) wait_for(handed_ - kBatches + 1);
  std::vector<u64>& batch = batches_[handed_ % kBatches];
  batch.assign(records.begin(), records.end());
  there_.store(++handed_, std::memory_order_release);
  there_.notify_one();
  filter_.read(batch);
}

/// What happened so far in the tasks is the finder's alone to know.
void RaceReader::begin() {
  finder_.show_open([this](i32 task, u64 rsp) { filter_.add_open(task, rsp); });
  filter_.begin(finder_.current_task(), finder_.ticks());
  thread_ = std::thread([this] { find(); });
}

RaceFinder& RaceReader::settled() {
  if (thread_.joinable()) wait_for(handed_);
  return finder_;
}

/// Counts wrap around.
void RaceReader::wait_for(u32 done) {
  for (u32 now; static_cast<i32>((now = done_.load(std::memory_order_acquire)) - done) < 0;)
    done_.wait(now, std::memory_order_acquire);
}

/// The thread: done_ batches were found, there_ are there, of which the last is being filtered.
void RaceReader::find() {
  for (u32 batch = 0;; ++batch) {
    there_.wait(batch, std::memory_order_acquire);
    if (ended_ && there_.load(std::memory_order_acquire) == batch + 1) return;
    finder_.read_filtered(batches_[batch % kBatches], items_);
    done_.store(batch + 1, std::memory_order_release);
    done_.notify_one();
  }
}

}  // namespace orrery::lens::races
