#include "lens/cache/heap_history.h"

namespace orrery::lens::cache {

HeapLogs::HeapLogs(std::vector<heap::LogRow> rows) {
  for (heap::LogRow& row : rows) {
    auto& chunks = by_program_[{row.process, row.program}];
    if (chunks == nullptr) chunks = std::make_shared<std::vector<heap::LogRow>>();
    chunks->push_back(std::move(row));
  }
}

HeapLogs::Chunks HeapLogs::of(u32 process, u32 program) const {
  const auto known = by_program_.find({process, program});
  return known == by_program_.end() ? nullptr : known->second;
}

u32 HeapLogs::program_at(u32 process, u64 event) const {
  u32 program = 0;
  for (const auto& [key, chunks] : by_program_)
    if (key.first == process && chunks->front().first_event <= event) program = key.second;
  return program;
}

void HeapHistory::take_next() {
  while (entries_left_ == 0) {
    if (chunks_ == nullptr || chunk_ == chunks_->size()) {
      next_ = {.place = {.event = ~u64{0}}};
      return;
    }
    const heap::LogRow& row = (*chunks_)[chunk_++];
    reader_ = std::make_unique<heap::LogReader>(row.columns);
    entries_left_ = row.entries;
  }
  --entries_left_;
  next_ = reader_->next(next_block_);
}

}  // namespace orrery::lens::cache
