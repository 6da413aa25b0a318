// The functions and source lines of an image, for those who ask about very many addresses: what
// symbolizer_hosted.h tells of one address takes too long for each instruction of a program.
#pragma once

#include <elfutils/libdw.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "elf/images_hosted.h"
#include "elf/inlined_code_hosted.h"

namespace orrery::elf {

/// A function of the symbol tables; where these have none, code with unwind rules of its own (sub_1139, by
/// its address in the file). Of several names for one address, the one that is seen outside. A section of PLT
/// entries is one row.
struct TableFunction {
  u64 address = 0;     ///< at run time
  u64 end = 0;         ///< exclusive
  std::string name{};  ///< demangled; of PLT entries, their section's in brackets
  bool is_plt = false;
};

struct FileLine {
  const std::string* file = nullptr;  ///< absolute; null if unknown. Lives as long as the table.
  int line = 0;
};

/// What DWARF says of an address, and where the next one begins of which it may say something else.
struct FilePlace {
  FileLine source{};
  const std::string* inlined = nullptr;  ///< null if inlined_at() is ""
  u64 end = 0;
};

class FunctionTable {
 public:
  /// `image` must outlive it; null: a table of nothing.
  explicit FunctionTable(const Image* image);
  ~FunctionTable();

  /// By address, none overlapping.
  const std::vector<TableFunction>& all() const { return functions_; }
  /// Null if the address lies in none.
  const TableFunction* find(u64 address) const;
  /// What line_of() needs and takes long to get: debug information that is compressed. Any thread may do it,
  /// as long as nobody asks for lines meanwhile.
  void prepare_lines();
  /// The same of the lines of the unit that `address` lies in, and of what is inlined into its function.
  void prepare_unit(u64 address);
  /// Of DWARF's line table.
  FileLine line_of(u64 address);
  /// The innermost function that was inlined there, demangled; "" if none was, or without DWARF. Lives as
  /// long as the table.
  const std::string& inlined_at(u64 address);
  /// Both. Who goes through code by rising addresses need not ask again before its end.
  FilePlace place_of(u64 address);

 private:
  struct Unit;

  void add_functions();
  void add_plt();
  void add_unnamed();
  void set_ends();
  /// Null if no unit has code there. `bias`: of run-time addresses over those of the debug information.
  Unit* unit_at(u64 address, u64& bias);
  FileLine source_of(Unit& unit, Dwarf_Line* line);
  const std::string* name_of_inlined(Unit& unit, u64 entry);

  const Image* image_;
  std::vector<TableFunction> functions_;
  std::map<std::pair<const void*, const char*>, std::string> files_;  ///< by unit and name there
  std::map<const void*, std::unique_ptr<Unit>> units_;
  std::map<const void*, std::string> inlined_names_;  ///< by what was inlined
};

}  // namespace orrery::elf
