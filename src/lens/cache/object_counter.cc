#include "lens/cache/object_counter.h"

#include <algorithm>

namespace orrery::lens::cache {

using translate::Access;
using translate::AccessBy;
using translate::AccessHeader;
using translate::AccessKind;
using translate::AccessPoint;
using translate::AccessRecord;
using translate::kNoWord;

namespace {

/// Offsets of blocks that are kept until their type is known.
constexpr u64 kWaitingBytesMost = 4096;

/// How well blocks of this size are elements of so many bytes behind the first ones; 0: not at all.
u8 fit_of(u64 block_bytes, u64 element_bytes, u64 first_bytes) {
  if (first_bytes == 0 && block_bytes == element_bytes) return 2;
  const bool whole =
      block_bytes >= first_bytes + element_bytes && (block_bytes - first_bytes) % element_bytes == 0;
  return whole ? 1 : 0;
}

}  // namespace

void ObjectCounter::learn_points(std::span<const AccessPoint> points) {
  for (const AccessPoint& each : points.subspan(points_.size()))
    counted_.push_back({.pc = each.pc, .writes = each.kind == AccessKind::write});
  points_.insert(points_.end(), points.begin() + static_cast<std::ptrdiff_t>(points_.size()), points.end());
}

void ObjectCounter::read(std::span<const u64> records, std::span<const AccessPoint> points) {
  if (points_.size() < points.size()) learn_points(points);
  const u64* const end = records.data() + records.size();
  for (const u64* at = records.data(); at < end;) {
    const AccessHeader header{*at};
    const u64* const words = at + 1;
    switch (header.record()) {
      case AccessRecord::turn:
        task_ = header.task();
        event_ = words[0], ticks_ = words[1];
        break;
      case AccessRecord::block:
        objects_.go_to(event_, task_, ticks_);
        block(header, words);
        ticks_ += header.tick() ? 1 : 0;
        break;
      case AccessRecord::engine:
        objects_.go_to(event_, task_, ticks_);
        engine(header, words);
        break;
      case AccessRecord::take_back:
        ticks_ -= header.tick() ? 1 : 0;
        break;
      case AccessRecord::entered:
      case AccessRecord::returned:
      case AccessRecord::undefined:
        break;
    }
    at = words + header.words();
  }
}

void ObjectCounter::block(AccessHeader header, const u64* words) {
  const AccessPoint* const own = points_.data() + header.point();
  if (header.guest_bytes() == 0) return;
  const u64 bytes = code_line_bytes_;
  const u64 past = own->pc + header.guest_bytes();
  u64 line = own->pc & ~(bytes - 1);
  fetch(line);
  for (const AccessPoint* point = own + 1; point <= own + own->points && point->pc < past; ++point) {
    for (; line + bytes <= point->pc; line += bytes) fetch(line + bytes);
    const Access made = translate::access_at(*point, words);
    Point& counted = counted_[static_cast<std::size_t>(point - points_.data())];
    if (point->end_word != kNoWord)
      repeated(counted, made, std::max<u64>(1, point->size_bytes));
    else
      access(counted, made.address, made.size_bytes, 1);
  }
  for (; line + bytes < past; line += bytes) fetch(line + bytes);
}

void ObjectCounter::fetch(u64 line) {
  if (line == fetched_) return;
  fetched_ = line;
  model_.instructions(line);
}

/// By the engine in the program's place: of the kernel, or of an instruction.
void ObjectCounter::engine(AccessHeader header, const u64* words) {
  if (header.by() == AccessBy::kernel || words[1] == 0) return;
  const bool writes = header.kind() == AccessKind::write;
  const u64 key = words[2] << 1 | (writes ? 1 : 0);
  const u32* number = engine_numbers_.find(key);
  if (number == nullptr) {
    engine_numbers_[key] = static_cast<u32>(engine_points_.size());
    engine_points_.push_back({.pc = words[2], .writes = writes});
    number = engine_numbers_.find(key);
  }
  access(engine_points_[*number], words[0], words[1], 1);
}

/// Of a repeated string instruction: a reference for each element, a miss for each line at most.
void ObjectCounter::repeated(Point& point, const Access& made, u64 element_bytes) {
  const u64 end = made.address + made.size_bytes, line_bytes = model_.data_line_bytes();
  u64 done = 0;
  for (u64 at = made.address; at < end;) {
    const u64 next = std::min(end, (at & ~(line_bytes - 1)) + line_bytes);
    const u64 elements = (next - made.address) / element_bytes;
    access(point, at, next - at, elements - done);
    done = elements;
    at = next;
  }
}

void ObjectCounter::access(Point& point, u64 address, u64 size_bytes, u64 references) {
  const Misses misses = model_.data(address, size_bytes);
  if (point.data == Point::Data::not_looked_at) look_at(point, size_bytes);
  const FoundObject& object = object_at(point, address);
  LevelCounts& by_site = objects_.site(object.site).counts.of(point.writes);
  by_site.references += references;
  by_site.add(misses);
  LevelCounts& by_field = counts_for(point, object, address);
  by_field.references += references;
  by_field.add(misses);
}

const FoundObject& ObjectCounter::object_at(Point& point, u64 address) {
  const bool is_recent =
      point.epoch == objects_.epoch() && address >= point.recent.begin && address < point.recent.end;
  if (is_recent && !point.recent.may_hold_blocks) return point.recent;
  if (const FoundObject* const block = objects_.block_at(address)) return *block;
  if (is_recent) return point.recent;
  point.recent = objects_.find(address, point.pc);
  point.epoch = objects_.epoch();
  return point.recent;
}

void ObjectCounter::look_at(Point& point, u64 size_bytes) {
  const InstructionData found = data_.data_at(point.pc);
  const bool is_stacks = (found.pushes && point.writes) || (found.pops && !point.writes);
  point.data = Point::Data::unknown;
  if (is_stacks || found.operand.kind == AccessedData::Kind::frame) {
    point.data = Point::Data::frame;
    return;
  }
  if (found.operand.kind != AccessedData::Kind::typed) return;
  elf::DataTypes& types = data_.types_at(point.pc)->types();
  const AccessedData& data = found.operand;
  const bool is_record = types.type(data.type).kind == elf::TypeKind::record;
  point.data = is_record ? Point::Data::record : Point::Data::scalar;
  point.field = fields_.field_at(types, data.type, data.offset_bytes, size_bytes);
  point.layout = fields_.layout_of(types, data.type);
  point.offset_bytes = data.offset_bytes;
  point.by_pointer = data.by_pointer;
}

/// What an instruction knows of a block's type holds for all that were asked for at its place.
void ObjectCounter::learn(Site& site, const FoundObject& block, const Point& point, u64 address) {
  const u64 size = fields_.layout(point.layout).size_bytes;
  const u64 first = (address - block.begin + size - point.offset_bytes % size) % size;
  if (site.layout == point.layout && site.first_bytes == first) return;
  const u8 fit = fit_of(block.end - block.begin, size, first);
  if (fit <= site.fits) return;
  site.layout = point.layout;
  site.first_bytes = first;
  site.fits = fit;
}

/// What an access without a structure of its own belongs to is told by the object.
LevelCounts& ObjectCounter::counts_for(Point& point, const FoundObject& object, u64 address) {
  if (point.data == Point::Data::frame) return point.counts;
  Site& site = objects_.site(object.site);
  if (point.data == Point::Data::record) {
    const bool teaches = object.is_block && point.by_pointer && point.layout != FieldTable::kNone;
    if (teaches) learn(site, object, point, address);
    return point.counts;
  }
  const u64 offset = address - object.begin;
  if (site.layout != FieldTable::kNone && offset >= site.first_bytes) {
    const Layout& layout = fields_.layout(site.layout);
    const u32 field = layout.fields[(offset - site.first_bytes) % layout.size_bytes];
    return fields_.field(field).counts.of(point.writes);
  }
  const bool may_be_told =
      object.is_block && point.data == Point::Data::unknown && offset < kWaitingBytesMost;
  return may_be_told ? site.waiting[static_cast<u32>(offset)].of(point.writes) : point.counts;
}

ObjectCounter::Rest ObjectCounter::finish() {
  Rest rest;
  for (std::vector<Point>* points : {&counted_, &engine_points_}) {
    for (Point& point : *points) {
      DataCounts& to = point.data == Point::Data::frame     ? rest.frame
                       : point.data == Point::Data::unknown ? rest.unknown
                                                            : fields_.field(point.field).counts;
      to.of(point.writes).add(point.counts);
      point.counts = {};
    }
  }
  for (u32 number = 1; number < objects_.sites().size(); ++number) {
    Site& site = objects_.site(number);
    for (const auto& [offset, counts] : site.waiting) {
      const bool is_told = site.layout != FieldTable::kNone && offset >= site.first_bytes;
      if (!is_told) {
        rest.unknown.add(counts);
        continue;
      }
      const Layout& layout = fields_.layout(site.layout);
      fields_.field(layout.fields[(offset - site.first_bytes) % layout.size_bytes]).counts.add(counts);
    }
    site.waiting.clear();
  }
  return rest;
}

}  // namespace orrery::lens::cache
