// The data of the files that a program maps: which variable lies where, and which types the instructions of
// their code access.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lens/cache/code_types.h"
#include "lens/profile/code_files.h"

namespace orrery::lens::cache {

/// A symbol of data, at run time.
struct DataSymbol {
  u64 begin = 0, end = 0;
  std::string name{};  ///< demangled
};

class DataFiles {
 public:
  explicit DataFiles(const profile::CodeFiles& files) : files_(files) {}

  /// Before the files there are forgotten. `tell`: of each whose types are no more.
  void forget(u64 start, u64 end, const std::function<void(const elf::DataTypes&)>& tell);
  /// Null if no symbol covers it.
  const DataSymbol* symbol_at(u64 address);
  /// Where no symbol covers the address of a file: from the end of the one before to the next one's begin.
  std::pair<u64, u64> gap_at(u64 address);
  /// Null if no file lies there.
  CodeTypes* types_at(u64 address);
  /// What the instruction accesses, of the types of types_at(pc).
  InstructionData data_at(u64 pc);

 private:
  struct File {
    const elf::Image* image;
    std::vector<DataSymbol> symbols;  ///< by address
    CodeTypes types;
    explicit File(const elf::Image& of);
  };
  File* file_at(u64 address);

  const profile::CodeFiles& files_;
  std::map<const elf::Image*, std::unique_ptr<File>> known_;
};

}  // namespace orrery::lens::cache
