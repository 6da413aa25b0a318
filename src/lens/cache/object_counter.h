// Counts references and misses of data by the memory object that was accessed, and by type and member.
//
// What an instruction accesses by its code and DWARF (code_types.h) is looked up once. Where these do not
// tell a structure, the object does: a variable has its type, and the blocks that were asked for at one place
// have the type that other instructions found in them, if their sizes fit it. Which misses there are is the
// same as in cache_counter.h: accesses and fetches come in the same order to the same model.
#pragma once

#include <span>
#include <vector>

#include "base/hash_map.h"
#include "lens/cache/cache_model.h"
#include "lens/cache/object_map.h"
#include "translate/access_stream.h"

namespace orrery::lens::cache {

class ObjectCounter {
 public:
  ObjectCounter(const CacheShapes& shapes, ObjectMap& objects, FieldTable& fields, DataFiles& data)
      : model_(shapes),
        code_line_bytes_(shapes.i1.line_bytes),
        objects_(objects),
        fields_(fields),
        data_(data) {}

  void read(std::span<const u64> records, std::span<const translate::AccessPoint> points);

  struct Rest {
    DataCounts frame{};    ///< of what functions keep in their frames besides variables
    DataCounts unknown{};  ///< of no type that could be told
  };
  /// Puts all that was counted into the fields, and returns what belongs to none. Nothing may be read then.
  Rest finish();

 private:
  /// An access of an instruction.
  struct Point {
    enum class Data : u8 { not_looked_at, unknown, frame, scalar, record };
    u64 pc = 0;
    LevelCounts counts{};  ///< but for those that the object decides
    Data data = Data::not_looked_at;
    bool writes = false, by_pointer = false;
    u32 field = 0;
    u32 layout = FieldTable::kNone;
    u64 offset_bytes = 0;  ///< in the type
    FoundObject recent{};  ///< where it went last, if that was no block
    u32 epoch = 0;
  };

  void learn_points(std::span<const translate::AccessPoint> points);
  void block(translate::AccessHeader header, const u64* words);
  void engine(translate::AccessHeader header, const u64* words);
  void fetch(u64 line);
  void access(Point& point, u64 address, u64 size_bytes, u64 references);
  void repeated(Point& point, const translate::Access& access, u64 element_bytes);
  void look_at(Point& point, u64 size_bytes);
  const FoundObject& object_at(Point& point, u64 address);
  void learn(Site& site, const FoundObject& block, const Point& point, u64 address);
  LevelCounts& counts_for(Point& point, const FoundObject& object, u64 address);

  CacheModel model_;
  u64 code_line_bytes_;
  ObjectMap& objects_;
  FieldTable& fields_;
  DataFiles& data_;
  u64 fetched_ = ~u64{0};  ///< the line of code fetched last
  u64 event_ = 0, ticks_ = 0;
  i32 task_ = 0;
  std::vector<translate::AccessPoint> points_;
  std::vector<Point> counted_;   ///< by point
  HashMap<u32> engine_numbers_;  ///< of engine_points_, by pc and whether it writes
  std::vector<Point> engine_points_;
};

}  // namespace orrery::lens::cache
