// Types as DWARF describes them, for those who ask what data lies where: the member at an offset of a
// structure, the variables of a function wherever their values are, the variable at an address.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "elf/images_hosted.h"

namespace orrery::elf {

/// A type of one DataTypes, qualifiers and typedefs taken off.
using TypeId = u32;
inline constexpr TypeId kNoType = 0;

enum class TypeKind : u8 { scalar, pointer, record, array };

struct DataType {
  std::string name{};  ///< "struct node", "int", "ns::List<int>"; of an array, of its elements and "[]"
  TypeKind kind = TypeKind::scalar;
  u64 size_bytes = 0;       ///< 0: not known, as of a structure that is only declared
  TypeId target = kNoType;  ///< what a pointer or reference leads to; the innermost element of an array
};

struct MemberPlace {
  std::string path{};     ///< "next", "key.low", "slots[].hash", "Base::count"; "" where no member is
  u64 offset_bytes = 0;   ///< in the structure; of an array's element, of the first one
  u64 size_bytes = 0;     ///< of the member; of an array, of an element
  TypeId type = kNoType;  ///< its own
  u64 within_bytes = 0;   ///< how far behind its beginning
};

/// Where a variable is in a range of code.
struct VariablePlace {
  enum class Kind : u8 {
    in_register,  ///< the register holds its value and `offset` more
    memory,       ///< it lies `offset` behind where the register points
    frame,        ///< it lies `offset` behind the canonical frame address
  };
  u64 begin = 0, end = 0;  ///< at run time
  Kind kind = Kind::frame;
  u8 reg = 0;  ///< as the encoding numbers them
  i64 offset = 0;
  TypeId type = kNoType;
};

struct GlobalVariable {
  u64 address = 0, size_bytes = 0;  ///< at run time
  TypeId type = kNoType;
};

/// How the canonical frame address is computed in a range of code: a register and an offset.
struct FrameRule {
  u64 begin = 0, end = 0;
  u8 reg = 0;  ///< as the encoding numbers them
  i64 offset = 0;
};

class DataTypes {
 public:
  /// `image` must outlive it.
  explicit DataTypes(const Image& image);
  ~DataTypes();
  DataTypes(const DataTypes&) = delete;
  DataTypes& operator=(const DataTypes&) = delete;

  /// Whether the image has DWARF at all.
  bool exist() const;
  const DataType& type(TypeId id) const;
  /// What lies at the offset; of a union's members, one that is as large as the access.
  MemberPlace member_at(TypeId type, u64 offset_bytes, u64 access_bytes);
  /// Those of the function that holds the pc, and of what was inlined there.
  std::vector<VariablePlace> variables_of(u64 pc);
  /// What the function that is entered there returns; kNoType if it is not known, or nothing.
  TypeId returned_by(u64 entry);
  /// Null if no variable with a fixed place is known there.
  const GlobalVariable* global_at(u64 address);
  /// Nothing if the image does not tell, or it takes more than a register.
  std::optional<FrameRule> frame_at(u64 pc);
  /// Code of the file, as many bytes as it has there.
  std::vector<u8> code_at(u64 address, u64 size_bytes);

 private:
  class Reader;
  std::unique_ptr<Reader> reader_;
};

}  // namespace orrery::elf
