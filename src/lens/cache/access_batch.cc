#include "lens/cache/access_batch.h"

#include <algorithm>

namespace orrery::lens::cache {

using translate::Access;
using translate::AccessBy;
using translate::AccessHeader;
using translate::AccessKind;
using translate::AccessPoint;
using translate::AccessRecord;

namespace {

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
      // Of what lies at a displacement in a segment, as stack protectors' value does, its base is the word.
      const bool is_by_base = point.word == translate::kNoWord && point.base_word != translate::kNoWord;
      const u16 word = is_by_base ? point.base_word : point.word;
      const bool has_word = word != translate::kNoWord;
      rows_.push_back({.address = point.address,
                       .offset = static_cast<u16>(point.pc - block_pc),
                       .word = has_word ? word : u16{0},
                       .size_bytes = point.size_bytes,
                       .has_word = has_word,
                       .is_simple = (is_by_base || point.base_word == translate::kNoWord) &&
                                    point.end_word == translate::kNoWord && !point.narrow});
      --left_of_block_;
    }
  }
  block_pc_ = block_pc;
  points_.insert(points_.end(), points.begin(), points.end());
}

BatchDecoder::BatchDecoder(const CacheShapes& shapes, const PackedPoints& points)
    : points_(points),
      data_lines_(shapes.d1),
      code_lines_(shapes.i1),
      data_pages_(shapes.dtlb),
      code_pages_(shapes.itlb) {
  has_usual_shapes_ = data_lines_.line_shift() == kLineShift && data_pages_.line_shift() == kPageShift;
}

void BatchDecoder::decode(AccessBatch& batch) {
  data_lines_.forget(), code_lines_.forget();
  data_pages_.forget(), code_pages_.forget();
  batch.lines.clear();
  batch.pages.clear();
  batch.by_engine.clear();
  has_usual_shapes_ ? records<true>(batch) : records<false>(batch);
  data_lines_.save(batch.d1), code_lines_.save(batch.i1);
  data_pages_.save(batch.dtlb), code_pages_.save(batch.itlb);
}

template <bool usual>
void BatchDecoder::records(AccessBatch& batch) {
  const std::size_t words = batch.records.size();
  batch.records.push_back(0);  // a point without a word reads the one behind its header all the same
  const u64* const end = batch.records.data() + words;
  for (const u64* at = batch.records.data(); at < end;) {
    constexpr std::ptrdiff_t kWordsOfPart = 4096;  // for all of which a buffer has times enough
    const u64* const part_end = at + std::min(kWordsOfPart, end - at);
    data_pages_.keep_time(), code_lines_.keep_time(), code_pages_.keep_time();
    while (at < part_end) {
      const AccessHeader header{*at};
      if (header.record() == AccessRecord::block) [[likely]]
        block<usual>(header, at + 1, batch);
      else if (header.record() == AccessRecord::engine)
        engine(header, at + 1, batch);
      at += 1 + header.words();
    }
  }
}

template <bool usual>
void BatchDecoder::block(AccessHeader header, const u64* words, AccessBatch& batch) {
  if (header.guest_bytes() == 0) return;
  const PackedPoints::Row* const own = points_.rows() + header.point();
  BlockRun& run = run_of(header.point(), header);
  ++run.count;
  if (run.all_simple && finds_code(own->address, run)) [[likely]]
    return simple_points<usual>(own + 1, run.points, words, batch);
  points_and_lines(own, run, words, batch);
}

/// Whether fetching all of the run hits, which is done then: the accesses of data need no order beside it. If
/// not, what was used already is used again before anything is displaced, so nothing shows of it.
bool BatchDecoder::finds_code(u64 pc, const BlockRun& run) {
  const u64 line = code_lines_.line_of(pc);
  if (!run.in_page || !code_lines_.use(line)) return false;
  for (u32 other = 1; other < run.other_lines; ++other)
    if (!code_lines_.use(line + other)) return false;
  return code_lines_.use(line + run.other_lines) && code_pages_.use(code_pages_.line_of(pc));
}

/// All that most blocks have.
template <bool usual>
void BatchDecoder::simple_points(const PackedPoints::Row* from, u32 count, const u64* words,
                                 AccessBatch& batch) {
  const u64* const last = data_lines_.last();
  const u64 line_mask = data_lines_.mask();
  const u32 line_shift = usual ? kLineShift : data_lines_.line_shift();
  const u32 page_shift = usual ? kPageShift : data_pages_.line_shift();
  i32 now = data_pages_.now();
  for (const PackedPoints::Row* point = from; point != from + count; ++point) {
    const u64 address = point->address_at(words), end = address + point->size_bytes - 1;
    const u64 line = address >> line_shift, page = address >> page_shift;
    u64 differs = (last[line & line_mask] ^ line) | (line ^ end >> line_shift);
    if (!usual) differs |= page ^ end >> page_shift;  // else who leaves the page leaves the line
    bool is_in_page = true;
    if (differs != 0) {
      point_lines(*point, address, batch);
      is_in_page = page == end >> page_shift;
    }
    if (is_in_page && data_pages_.use(page, now)) [[likely]]
      continue;
    data_pages_.set_now(now);
    point_pages(*point, address, batch);
    now = data_pages_.now();
  }
  data_pages_.set_now(now);
}

void BatchDecoder::some_simple_points(const PackedPoints::Row* from, u32 count, const u64* words,
                                      AccessBatch& batch) {
  has_usual_shapes_ ? simple_points<true>(from, count, words, batch)
                    : simple_points<false>(from, count, words, batch);
}

void BatchDecoder::point_lines(const PackedPoints::Row& point, u64 address, AccessBatch& batch) {
  const u64 line = data_lines_.line_of(address);
  if (line != data_lines_.line_of(address + point.size_bytes - 1)) [[unlikely]]
    return data_lines({.address = address, .number = number_of(point)}, point.size_bytes, batch);
  const Found found = data_lines_.touch_another(line);
  if (found == Found::hit) return;
  const u32 number = number_of(point);
  const bool is_miss = found == Found::miss;
  batch.lines.push_back({.address = line << data_lines_.line_shift(),
                         .number = number,
                         .is_unknown = !is_miss,
                         .is_counted = is_miss});
  counts_[number].first += is_miss;
}

void BatchDecoder::point_pages(const PackedPoints::Row& point, u64 address, AccessBatch& batch) {
  data_pages({.address = address, .number = number_of(point)}, point.size_bytes, batch);
}

void BatchDecoder::points_and_lines(const PackedPoints::Row* own, const BlockRun& run, const u64* words,
                                    AccessBatch& batch) {
  const u64 pc = own->address;
  u64 line = pc >> code_lines_.line_shift();
  const u64 last_line = (pc + run.guest_bytes - 1) >> code_lines_.line_shift();
  const PackedPoints::Row* point = own + 1;
  const PackedPoints::Row* const end = point + run.points;
  for (fetch(pc, batch);; fetch(++line << code_lines_.line_shift(), batch)) {
    const PackedPoints::Row* const first = point;
    while (point < end && (pc + point->offset) >> code_lines_.line_shift() == line) ++point;
    if (run.all_simple)
      some_simple_points(first, static_cast<u32>(point - first), words, batch);
    else
      any_points(first, point, words, batch);
    if (line == last_line) return;
  }
}

void BatchDecoder::any_points(const PackedPoints::Row* from, const PackedPoints::Row* to, const u64* words,
                              AccessBatch& batch) {
  for (const PackedPoints::Row* point = from; point < to; ++point) {
    if (point->is_simple)
      some_simple_points(point, 1, words, batch);
    else
      odd(static_cast<u32>(point - points_.rows()), words, batch);
  }
}

void BatchDecoder::fetch_another(u64 pc, AccessBatch& batch) {
  const auto show = [&](std::vector<Shown>& to, Found found) {
    if (found != Found::hit)
      to.push_back({.address = pc, .use = Use::fetch, .is_unknown = found == Found::unknown});
  };
  show(batch.lines, code_lines_.touch(code_lines_.line_of(pc)));
  show(batch.pages, code_pages_.touch(code_pages_.line_of(pc)));
}

void BatchDecoder::data_lines(const Shown& access, u64 size_bytes, AccessBatch& batch) {
  const u64 end = access.address + size_bytes - 1;
  const std::size_t before = batch.lines.size();
  for (u64 line = data_lines_.line_of(access.address); line <= data_lines_.line_of(end); ++line) {
    const Found found = data_lines_.touch(line);
    if (found == Found::hit) continue;
    if (batch.lines.size() != before) batch.lines.back().goes_on = true;
    Shown& shown = batch.lines.emplace_back(access);
    shown.address = line << data_lines_.line_shift();
    shown.is_unknown = found == Found::unknown;
  }
  if (batch.lines.size() != before + 1 || batch.lines.back().is_unknown || access.use != Use::data) return;
  batch.lines.back().is_counted = true;
  ++counts_[access.number].first;
}

void BatchDecoder::data_pages(const Shown& access, u64 size_bytes, AccessBatch& batch) {
  const u64 end = access.address + size_bytes - 1;
  const std::size_t before = batch.pages.size();
  for (u64 page = data_pages_.line_of(access.address); page <= data_pages_.line_of(end); ++page) {
    const Found found = data_pages_.touch(page);
    if (found == Found::hit) continue;
    if (batch.pages.size() != before) batch.pages.back().goes_on = true;
    Shown& shown = batch.pages.emplace_back(access);
    shown.address = page << data_pages_.line_shift();
    shown.is_unknown = found == Found::unknown;
  }
  if (batch.pages.size() != before + 1 || batch.pages.back().is_unknown || access.use != Use::data) return;
  batch.pages.pop_back();
  ++counts_[access.number].buffer;
}

/// An access whose address or size takes more words.
void BatchDecoder::odd(u32 number, const u64* words, AccessBatch& batch) {
  const AccessPoint& point = points_[number];
  const Access made = translate::access_at(point, words);
  if (point.end_word != translate::kNoWord) return repeated(number, made, point.size_bytes, batch);
  data({.address = made.address, .number = number}, made.size_bytes, batch);
}

/// A reference for each element, a miss for each line at most.
void BatchDecoder::repeated(u32 point, const Access& made, u64 element_bytes, AccessBatch& batch) {
  const u64 end = made.address + made.size_bytes, line_bytes = u64{1} << data_lines_.line_shift();
  counts_[point].references += made.size_bytes / std::max<u64>(1, element_bytes);
  for (u64 at = made.address; at < end;) {
    const u64 next = std::min(end, (at & ~(line_bytes - 1)) + line_bytes);
    data_pages_.keep_time();
    data({.address = at, .number = point}, next - at, batch);
    at = next;
  }
}

/// By the engine in the program's place: of the kernel, or of an instruction.
void BatchDecoder::engine(AccessHeader header, const u64* words, AccessBatch& batch) {
  if (header.by() == AccessBy::kernel || words[1] == 0) return;
  const u32 number = static_cast<u32>(batch.by_engine.size());
  batch.by_engine.push_back({words[0], words[1], words[2], header.kind(), header.by()});
  data({.address = words[0], .number = number, .use = Use::engine}, words[1], batch);
}

BlockRun& BatchDecoder::other_run_of(u32 block, AccessHeader header) {
  Runs& runs = runs_[block];
  const u32 guest_bytes = header.guest_bytes();
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
               .instructions = static_cast<u8>(header.instructions()),
               .other_lines = static_cast<u8>(code_lines_.line_of(last) - code_lines_.line_of(pc)),
               .in_page = code_pages_.line_of(pc) == code_pages_.line_of(last),
               .all_simple = true};
  for (; run.points < own->word && own[1 + run.points].offset < header.guest_bytes(); ++run.points)
    run.all_simple = run.all_simple && own[1 + run.points].is_simple;
  return run;
}

}  // namespace orrery::lens::cache
