// The objects that the dynamic linker of a running program has loaded: its link map (link.h; gdb calls it the
// rendezvous), read from memory and joined with the files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "elf/stopped_machine_hosted.h"
#include "lens/load/object_file.h"
#include "lens/load/start_stack.h"

namespace orrery::lens::load {

struct LoadedObject {
  u64 link_map = 0;  ///< its struct link_map in the program's memory
  u64 base = 0;      ///< run-time address minus address in the file
  int name_space = 0;
  std::string path{};                  ///< as the dynamic linker names it; of the program as it was executed
  std::shared_ptr<ObjectFile> file{};  ///< null if its file is not in the recording (the vDSO)

  u64 start() const { return file ? base + file->first_address() : base; }
  u64 end() const { return file ? base + file->end_address() : base; }
  bool contains(u64 address) const { return address >= start() && address < end(); }
};

class LoadedObjects {
 public:
  /// The machine stands before the first instruction of a program.
  LoadedObjects(elf::StoppedMachine& machine, const StartStack& stack);

  const std::string& program() const { return program_path_; }
  ObjectFile* program_file() const { return program_.get(); }
  u64 program_base() const { return program_base_; }
  bool is_dynamic() const { return program_ && !program_->interpreter().empty(); }
  /// Null for a static program.
  ObjectFile* linker_file() const { return linker_.get(); }
  u64 linker_base() const { return linker_base_; }
  const std::string& linker_path() const { return linker_path_; }

  /// Reads the list again; those that were unloaded are gone.
  void refresh(elf::StoppedMachine& machine);
  /// In the order of the list, which is that of symbol search; numbers stay as long as nothing is unloaded.
  const std::vector<LoadedObject>& all() const { return objects_; }
  /// Null if the address is in none.
  const LoadedObject* find(u64 address) const;

 private:
  void read_list(elf::StoppedMachine& machine, u64 head, int name_space, std::vector<LoadedObject>& objects);
  std::shared_ptr<ObjectFile> open_at(elf::StoppedMachine& machine, u64 address, std::string* path);

  std::string program_path_, linker_path_;
  std::shared_ptr<ObjectFile> program_, linker_;
  u64 program_base_ = 0, linker_base_ = 0;
  std::vector<LoadedObject> objects_;
};

}  // namespace orrery::lens::load
