// The types and members that a program accesses, with what was counted of each.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "lens/cache/cache_counter.h"
#include "lens/cache/code_types.h"

namespace orrery::lens::cache {

/// Of reads and of writes.
struct DataCounts {
  LevelCounts reads{}, writes{};

  LevelCounts& of(bool is_write) { return is_write ? writes : reads; }
  void add(const DataCounts& other) {
    reads.add(other.reads);
    writes.add(other.writes);
  }
};

struct Field {
  std::string type{}, member{};  ///< member "": of a type that has none, or where no member is
  u64 offset_bytes = 0, size_bytes = 0;
  DataCounts counts{};
};

/// A type by its bytes: which field each belongs to.
struct Layout {
  u64 size_bytes = 0;  ///< 0: not known
  std::vector<u32> fields{};
};

class FieldTable {
 public:
  static constexpr u32 kNone = 0;

  /// The field that an access of this type and size begins in. `type` is no array.
  u32 field_at(elf::DataTypes& types, elf::TypeId type, u64 offset_bytes, u64 access_bytes);
  /// Of a structure; kNone for other types, and for those that are too large or whose size is not known.
  u32 layout_of(elf::DataTypes& types, elf::TypeId type);

  Field& field(u32 number) { return fields_[number]; }
  const Layout& layout(u32 number) const { return layouts_[number]; }
  /// But for the first, which is none.
  const std::vector<Field>& fields() const { return fields_; }
  /// The ids of these types stand for others from here on.
  void forget(const elf::DataTypes& types);

 private:
  u32 add(const std::string& type, const elf::MemberPlace& member);

  std::vector<Field> fields_{1};
  std::map<std::tuple<std::string, std::string, u64, u64>, u32> numbers_;
  std::vector<Layout> layouts_{1};
  std::map<std::pair<const elf::DataTypes*, elf::TypeId>, u32> layout_numbers_;
};

}  // namespace orrery::lens::cache
