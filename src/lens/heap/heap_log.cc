#include "lens/heap/heap_log.h"

#include <algorithm>
#include <utility>

namespace orrery::lens::heap {

u64 ColumnReader::take() {
  u64 value = 0;
  for (unsigned shift = 0; at_ < bytes_.size() && shift < 64; shift += 7) {
    const u8 byte = bytes_[at_++];
    value |= u64{byte & 0x7fu} << shift;
    if (byte < 0x80) break;
  }
  return value;
}

u64 ColumnReader::take_after(u64& before) {
  const u64 folded = take();
  return before += folded >> 1 ^ (u64{0} - (folded & 1));
}

LogWriter::LogWriter() {
  for (int column = 0; column < kColumns; ++column) columns_.emplace_back(kEntriesMost);
}

LogChunk LogWriter::take() {
  LogChunk chunk{.entries = std::exchange(entries_, 0), .first_event = first_event_, .columns = {}};
  ColumnWriter all(kColumns);
  for (ColumnWriter& column : columns_) all.put(column.bytes().size());
  chunk.columns.assign(all.bytes().begin(), all.bytes().end());
  for (ColumnWriter& column : columns_) {
    chunk.columns.insert(chunk.columns.end(), column.bytes().begin(), column.bytes().end());
    column.clear();
  }
  std::fill(std::begin(before_), std::end(before_), 0);
  return chunk;
}

LogReader::LogReader(std::span<const u8> columns) {
  ColumnReader sizes(columns);
  std::size_t lengths[LogWriter::kColumns], head = 0;
  for (std::size_t& length : lengths) length = sizes.take();
  for (const std::size_t length : lengths) {
    std::size_t bytes = 1;
    for (std::size_t rest = length; rest >= 0x80; rest >>= 7) ++bytes;
    head += bytes;
  }
  std::size_t at = std::min(head, columns.size());
  for (const std::size_t length : lengths) {
    const std::size_t bytes = std::min(length, columns.size() - at);
    columns_.emplace_back(columns.subspan(at, bytes));
    at += bytes;
  }
}

LogReader::Entry LogReader::next(u64& next_block) {
  using Writer = LogWriter;
  Entry entry;
  const u64 what = columns_[Writer::kind].take();
  entry.is_release = (what & 1) != 0;
  if ((what & 2) != 0) {
    columns_[Writer::event].take_after(before_[Writer::event]);
    columns_[Writer::task].take_after(before_[Writer::task]);
  }
  entry.place.event = before_[Writer::event];
  entry.place.task = static_cast<i32>(before_[Writer::task]);
  entry.place.ticks = columns_[Writer::ticks].take_after(before_[Writer::ticks]);
  if (entry.is_release) {
    entry.block.number = next_block - columns_[Writer::block].take();
    return entry;
  }
  entry.block = {
      .number = next_block++,
      .address = columns_[Writer::address].take_after(before_[Writer::address]),
      .size_bytes = columns_[Writer::size].take_after(before_[Writer::size]),
      .node = static_cast<CallTree::Node>(columns_[Writer::node].take_after(before_[Writer::node]))};
  return entry;
}

}  // namespace orrery::lens::heap
