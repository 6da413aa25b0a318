#include "lens/cache/access_batch.h"

#include <bit>

namespace orrery::lens::cache {

using translate::Access;
using translate::AccessBy;
using translate::AccessHeader;
using translate::AccessKind;
using translate::AccessPoint;
using translate::AccessRecord;

namespace {

constexpr u64 kNoLine = ~u64{0};
constexpr u32 kLineShift = 6, kPageShift = 12;

}  // namespace

void PackedPoints::add(std::span<const AccessPoint> points) {
  u64 block_pc = points_.empty() ? 0 : block_pc_;
  for (const AccessPoint& point : points) {
    const bool is_block = left_of_block_ == 0;
    if (is_block) {
      block_pc = point.pc;
      rows_.push_back({.address = point.pc, .word = point.points});
      left_of_block_ = point.points;
    } else {
      const bool has_word = point.word != translate::kNoWord;
      rows_.push_back({.address = point.address,
                       .offset = static_cast<u16>(point.pc - block_pc),
                       .word = has_word ? point.word : u16{0},
                       .size_bytes = point.size_bytes,
                       .has_word = has_word,
                       .is_simple = point.base_word == translate::kNoWord &&
                                    point.end_word == translate::kNoWord && !point.narrow});
      --left_of_block_;
    }
  }
  block_pc_ = block_pc;
  points_.insert(points_.end(), points.begin(), points.end());
}

BatchDecoder::Last::Last(const CacheShape& shape) {
  if (shape.size_bytes != 0) {
    const u64 sets = shape.size_bytes / shape.line_bytes / shape.ways;
    shift = static_cast<u32>(std::countr_zero(shape.line_bytes));
    mask = std::min(sets, kSetsMost) - 1;
    unknown = kNoLine;
  }
  forget();
}

BatchDecoder::BatchDecoder(const CacheShapes& shapes, const PackedPoints& points)
    : points_(points),
      data_line_(shapes.d1),
      data_page_(shapes.dtlb),
      code_line_(shapes.i1),
      code_page_(shapes.itlb) {
  has_usual_shapes_ = data_line_.shift == kLineShift && data_page_.shift == kPageShift;
}

void BatchDecoder::decode(AccessBatch& batch) {
  for (Last* const last : {&data_line_, &data_page_, &code_line_, &code_page_}) last->forget();
  batch.count = 0;
  batch.others.clear();
  const std::size_t words = batch.records.size();
  batch.records.push_back(0);  // a point without a word reads the one behind its header all the same
  const u64* const end = batch.records.data() + words;
  for (const u64* at = batch.records.data(); at < end;) {
    const AccessHeader header{*at};
    if (header.record() == AccessRecord::block)
      block(header, at + 1, batch);
    else if (header.record() == AccessRecord::engine)
      engine(header, at + 1, batch);
    at += 1 + header.words();
  }
}

void BatchDecoder::block(AccessHeader header, const u64* words, AccessBatch& batch) {
  if (header.guest_bytes() == 0) return;
  const PackedPoints::Row* const own = points_.rows() + header.point();
  BlockRun& run = run_of(header.point(), header);
  ++run.count;
  fetch(own->address, batch);
  if (run.in_line & run.all_simple) return simple_points(own + 1, run.points, words, batch);
  points_and_lines(own, run, words, batch);
}

/// All that most blocks have. What is used again and again is kept out of memory, where the compiler must
/// take each store for one that may change it.
template <bool usual>
void BatchDecoder::simple_points(const PackedPoints::Row* from, u32 count, const u64* words,
                                 AccessBatch& batch) {
  u64* const lines = data_line_.lines;
  u64* const pages = data_page_.lines;
  const u32 line_shift = usual ? kLineShift : data_line_.shift;
  const u32 page_shift = usual ? kPageShift : data_page_.shift;
  const u64 line_mask = data_line_.mask, page_mask = data_page_.mask;
  LineAccess* next = batch.room_for(count);
  u32 number = static_cast<u32>(from - points_.rows());
  for (const PackedPoints::Row* point = from; point != from + count; ++point, ++number) {
    const u64 address = point->address_at(words), end = address + point->size_bytes - 1;
    const u64 line = address >> line_shift, page = address >> page_shift;
    u64& last_line = lines[line & line_mask];
    u64& last_page = pages[page & page_mask];
    const bool two_lines = line != end >> line_shift;
    if (((last_line ^ line) | (last_page ^ page) | two_lines) == 0) continue;
    *next++ = {.address = address, .number = number, .size_bytes = point->size_bytes};
    last_line = line;
    last_page = page;
    if (two_lines) touch(address, point->size_bytes);
  }
  batch.count = static_cast<std::size_t>(next - batch.accesses.data());
}

void BatchDecoder::points_and_lines(const PackedPoints::Row* own, const BlockRun& run, const u64* words,
                                    AccessBatch& batch) {
  const u64 pc = own->address;
  u64 line = pc >> code_line_.shift;
  const u64 last_line = (pc + run.guest_bytes - 1) >> code_line_.shift;
  const PackedPoints::Row* point = own + 1;
  const PackedPoints::Row* const end = point + run.points;
  for (;; fetch(++line << code_line_.shift, batch)) {
    const PackedPoints::Row* const first = point;
    while (point < end && (pc + point->offset) >> code_line_.shift == line) ++point;
    if (run.all_simple)
      simple_points(first, static_cast<u32>(point - first), words, batch);
    else
      any_points(first, point, words, batch);
    if (line == last_line) return;
  }
}

void BatchDecoder::any_points(const PackedPoints::Row* from, const PackedPoints::Row* to, const u64* words,
                              AccessBatch& batch) {
  for (const PackedPoints::Row* point = from; point < to; ++point) {
    if (point->is_simple)
      simple_points(point, 1, words, batch);
    else
      odd(static_cast<u32>(point - points_.rows()), words, batch);
  }
}

void BatchDecoder::show_fetch(u64 pc, AccessBatch& batch) {
  code_line_.set(pc);
  code_page_.set(pc);
  batch.add({.address = pc, .kind = LineAccess::Kind::fetch});
}

void BatchDecoder::data(u32 point, u64 address, u64 size_bytes, AccessBatch& batch) {
  const u64 end = address + size_bytes - 1;
  const bool one_line = address >> data_line_.shift == end >> data_line_.shift;
  // One branch: which of the three it is cannot be foreseen.
  const int is_same_line = data_line_.is(address), is_same_page = data_page_.is(address);
  if ((static_cast<int>(one_line) & is_same_line & is_same_page) != 0) return;
  touch(address, size_bytes);
  batch.add({.address = address, .number = point, .size_bytes = static_cast<u16>(size_bytes)});
}

/// The model will see it.
void BatchDecoder::touch(u64 address, u64 size_bytes) {
  const u64 end = address + size_bytes - 1;
  for (Last* const last : {&data_line_, &data_page_})
    for (u64 line = address >> last->shift; line <= end >> last->shift; ++line)
      last->lines[line & last->mask] = line;
}

/// An access whose address or size takes more words.
void BatchDecoder::odd(u32 number, const u64* words, AccessBatch& batch) {
  const AccessPoint& point = points_[number];
  const Access made = translate::access_at(point, words);
  if (point.end_word == translate::kNoWord) return data(number, made.address, made.size_bytes, batch);
  if (made.size_bytes == 0) return;
  touch(made.address, made.size_bytes);
  batch.add({.number = static_cast<u32>(batch.others.size()), .kind = LineAccess::Kind::other});
  batch.others.push_back(
      {.access = made, .point = number, .element_bytes = std::max<u64>(1, point.size_bytes)});
}

/// By the engine in the program's place: of the kernel, or of an instruction.
void BatchDecoder::engine(AccessHeader header, const u64* words, AccessBatch& batch) {
  if (header.by() == AccessBy::kernel || words[1] == 0) return;
  touch(words[0], words[1]);
  batch.add({.number = static_cast<u32>(batch.others.size()), .kind = LineAccess::Kind::other});
  batch.others.push_back({.access = {words[0], words[1], words[2], header.kind(), header.by()}});
}

BlockRun& BatchDecoder::run_of(u32 block, AccessHeader header) {
  Runs& runs = runs_[block];
  const u32 guest_bytes = header.guest_bytes();
  if (runs.left[0].guest_bytes == guest_bytes) [[likely]]
    return runs.left[0];
  if (runs.left[1].guest_bytes == guest_bytes) return runs.left[1];
  for (BlockRun& left : runs.left)
    if (left.guest_bytes == 0) return left = new_run(block, header);
  MoreRun& more = more_runs_[u64{block} << 12 | guest_bytes];
  more.block = block;
  if (more.run.guest_bytes == 0) more.run = new_run(block, header);
  return more.run;
}

BlockRun BatchDecoder::new_run(u32 block, AccessHeader header) const {
  const PackedPoints::Row* const own = points_.rows() + block;
  const u64 pc = own->address, last = pc + header.guest_bytes() - 1;
  BlockRun run{.guest_bytes = static_cast<u16>(header.guest_bytes()),
               .instructions = static_cast<u16>(header.instructions()),
               .in_line = pc >> code_line_.shift == last >> code_line_.shift,
               .all_simple = true};
  for (; run.points < own->word && own[1 + run.points].offset < header.guest_bytes(); ++run.points)
    run.all_simple = run.all_simple && own[1 + run.points].is_simple;
  return run;
}

}  // namespace orrery::lens::cache
