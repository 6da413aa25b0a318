#include "lens/origin/path_window.h"

#include <utility>

namespace orrery::lens {
namespace {

/// Only keeps the instant.
struct Nowhere {
  void access(const translate::Access&) {}
  void block(translate::AccessHeader, const translate::AccessPoint&) {}
};

}  // namespace

void PathWindow::take(std::span<const u64> records, std::span<const translate::AccessPoint> points) {
  points_ = points;
  chunks_.push_back({.records = {records.begin(), records.end()}, .reader = reader_});
  words_ += records.size();
  while (words_ > kWordsMost && chunks_.size() > 1) {
    words_ -= chunks_.front().records.size();
    chunks_.pop_front();
    instructions_before_ = chunks_.front().reader.instructions;
  }
  Nowhere nowhere;
  reader_.read(records, points, nowhere);
}

bool PathWindow::back() {
  while (at_ == 0)
    if (!decode_last()) return false;
  --at_;
  return true;
}

bool PathWindow::decode_last() {
  if (chunks_.empty()) return false;
  Chunk chunk = std::move(chunks_.back());
  chunks_.pop_back();
  steps_.clear();
  accesses_.clear();
  decoding_ = &chunk.reader;
  instructions_ = chunk.reader.instructions;
  chunk.reader.read(chunk.records, points_, *this);
  see_take_back();
  decoding_ = nullptr;
  at_ = steps_.size();
  return true;
}

/// The reader counts fewer instructions than the blocks told.
void PathWindow::see_take_back() {
  if (decoding_->instructions < instructions_ && !steps_.empty()) steps_.back().incomplete = true;
  instructions_ = decoding_->instructions;
}

void PathWindow::block(translate::AccessHeader header, const translate::AccessPoint& block) {
  see_take_back();
  instructions_ += header.instructions();
  steps_.push_back({.task = decoding_->task,
                    .event = decoding_->event,
                    .ticks = decoding_->ticks,
                    .pc = block.pc,
                    .bytes = header.guest_bytes(),
                    .first_access = accesses_.size()});
}

void PathWindow::access(const translate::Access& access) {
  const bool is_of_block =
      !steps_.empty() && steps_.back().bytes != 0 && instructions_ > decoding_->instructions;
  if (!is_of_block)
    steps_.push_back({.task = decoding_->task,
                      .event = decoding_->event,
                      .ticks = decoding_->ticks,
                      .pc = access.pc,
                      .first_access = accesses_.size()});
  accesses_.push_back(access);
  ++steps_.back().accesses;
}

}  // namespace orrery::lens
