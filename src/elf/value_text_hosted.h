// DWARF types and values as text. Only this room's own files include this.
#pragma once

#include <elfutils/libdw.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "elf/images_hosted.h"
#include "elf/stopped_machine_hosted.h"
#include "elf/variables_hosted.h"

namespace orrery::elf {

/// The type that an entry's DW_AT_type names, "void" if it has none.
std::string type_name(Dwarf_Die* owner);

/// Follows typedefs and qualifiers. False if there is no type (void).
bool resolved_type(Dwarf_Die* owner, Dwarf_Die* type);

enum class Known : u8 { yes, optimized_out, unreadable };

/// A value wherever it lies: in memory, in registers, or a part here and a part there.
struct ValueBytes {
  std::vector<u8> bytes{};
  std::vector<Known> known{};    ///< of each byte
  std::optional<u64> address{};  ///< of the first one, if it has one
  bool whole(u64 offset, u64 size_bytes, Known& why) const;
};

/// What the printer has to ask the frame for.
struct ValueContext {
  StoppedMachine& machine;
  const Images* images = nullptr;  ///< names functions that are pointed at; may be null
  /// A number that is no constant, as the length of a variable array.
  std::function<std::optional<u64>(Dwarf_Attribute*)> number{};
};

/// How many elements each dimension has. A dimension that is not known has none, and ends the list.
std::vector<u64> array_dimensions(Dwarf_Die* array, const ValueContext& context);
/// 0 if it is not known.
u64 size_of_type(Dwarf_Die* type, const ValueContext& context);

/// `type` is resolved.
std::string value_text(const ValueContext& context, Dwarf_Die* type, const ValueBytes& value, Detail detail);
ValueBytes read_value_bytes(StoppedMachine& machine, u64 address, u64 size_bytes);

}  // namespace orrery::elf
