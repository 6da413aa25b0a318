#include "lens/build/content.h"

#include <algorithm>

namespace orrery::lens::build {

/// Makes room: what lies over an edge keeps its part outside.
void Content::clear(u64 offset, u64 size_bytes) {
  const u64 end = offset + size_bytes;
  auto piece = pieces_.lower_bound(offset);
  if (piece != pieces_.begin()) {
    auto before = std::prev(piece);
    const u64 before_end = before->first + before->second.size;
    if (before_end > end)
      pieces_.emplace(end, Piece{before_end - end, before->second.at + (end - before->first)});
    if (before_end > offset) before->second.size = offset - before->first;
  }
  while (piece != pieces_.end() && piece->first < end) {
    const u64 piece_end = piece->first + piece->second.size;
    if (piece_end > end)
      pieces_.emplace(end, Piece{piece_end - end, piece->second.at + (end - piece->first)});
    piece = pieces_.erase(piece);
  }
}

void Content::put(u64 offset, const Data& data) {
  if (data.size == 0 || offset + data.size < offset) return;
  clear(offset, data.size);
  if (data.known) pieces_[offset] = {data.size, data.at};
}

void Content::put(u64 offset, const Content& other, u64 from, u64 size_bytes) {
  std::vector<std::pair<u64, Piece>> copied;  // `other` may be this one
  for (const auto& [start, piece] : other.pieces_) {
    const u64 begin = std::max(start, from), end = std::min(start + piece.size, from + size_bytes);
    if (begin < end) copied.push_back({begin - from + offset, {end - begin, piece.at + (begin - start)}});
  }
  clear(offset, size_bytes);
  for (const auto& [start, piece] : copied) pieces_[start] = piece;
}

void Content::cut(u64 size_bytes) { clear(size_bytes, ~u64{0} - size_bytes); }

bool Content::covers(u64 size_bytes) const {
  u64 end = 0;
  for (const auto& [offset, piece] : pieces_) {
    if (offset > end) break;
    end = offset + piece.size;
  }
  return end >= size_bytes;
}

u64 Content::known_bytes() const {
  u64 bytes = 0;
  for (const auto& [offset, piece] : pieces_) bytes += piece.size;
  return bytes;
}

bool Content::read(const Spool& spool, std::vector<u8>& out) const {
  for (const auto& [offset, piece] : pieces_) {
    if (offset >= out.size()) break;
    const u64 size = std::min<u64>(piece.size, out.size() - offset);
    if (!spool.read(piece.at, std::span(out).subspan(offset, size))) return false;
  }
  return true;
}

}  // namespace orrery::lens::build
