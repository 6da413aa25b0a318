// What the code of a program is to the finder of races: read from its files alone.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "elf/data_types_hosted.h"
#include "lens/profile/code_files.h"
#include "lens/races/race_finder.h"

namespace orrery::lens::races {

class ProgramCode final : public CodeFacts {
 public:
  explicit ProgramCode(profile::CodeFiles& files) : files_(files) {}

  Kind kind_of(u64 pc) override;
  bool is_locked(u64 pc) override;
  bool is_atomic(u64 pc) override;

  /// Before the file's code there is forgotten.
  void forget(u64 start, u64 end);

 private:
  struct File {
    const elf::Image* image;
    Kind kind = Kind::program;
    elf::FunctionTable table;
    elf::DataTypes types;
    explicit File(const elf::Image& of);
  };
  /// Null if no file lies there.
  File* file_at(u64 address);
  const std::string& source_line(const std::string& path, int line);

  profile::CodeFiles& files_;
  std::map<const elf::Image*, std::unique_ptr<File>> known_;
  File* last_ = nullptr;
  std::map<std::string, std::vector<std::string>> sources_;  ///< lines, by path
};

}  // namespace orrery::lens::races
