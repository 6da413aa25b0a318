#include "host/live_mappings.h"

namespace orrery::host {

void LiveMappings::count(u32 file_number, bool added) {
  for (File& file : files_) {
    if (file.number != file_number) continue;
    file.pieces += added ? 1 : ~u32{0};
    any_unmapped_ |= file.pieces == 0;
    return;
  }
  files_.push_back({file_number, 1});
}

void LiveMappings::insert(const Piece& piece) {
  if (piece.start == piece.end) return;
  pieces_.insert(piece);
  count(piece.file_number, true);
}

void LiveMappings::add(u64 address, u64 size_bytes, u32 file_number) {
  remove(address, size_bytes);
  insert({address, address + page_ceil(size_bytes), file_number});
}

void LiveMappings::remove(u64 address, u64 size_bytes) {
  const u64 end = address + page_ceil(size_bytes);
  for (;;) {
    const auto at = pieces_.first_ending_above(address);
    if (pieces_.is_end(at) || pieces_.at(at).start >= end) return;
    const Piece piece = pieces_.at(at);
    pieces_.erase(at);
    insert({piece.start, std::max(piece.start, address), piece.file_number});
    insert({std::min(piece.end, end), piece.end, piece.file_number});
    count(piece.file_number, false);
  }
}

void LiveMappings::move(u64 from, u64 from_bytes, u64 to, u64 to_bytes) {
  const Piece* const found = pieces_.find(from);
  const bool is_live = found != nullptr;
  const u32 file_number = is_live ? found->file_number : 0;
  remove(from, from_bytes);
  remove(to, to_bytes);
  if (is_live) add(to, to_bytes, file_number);
}

}  // namespace orrery::host
