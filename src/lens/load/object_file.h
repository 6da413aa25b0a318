// What the dynamic linker reads in an ELF file that it maps: read here from the copy that the recording
// keeps.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "elf/dynamic_hosted.h"
#include "elf/elf_file_hosted.h"
#include "elf/relocations_hosted.h"
#include "elf/symbols_hosted.h"
#include "lens/file/mapped_file.h"

namespace orrery::lens::load {

/// A relocation that takes a symbol, or whose value the program chooses (IRELATIVE).
struct ObjectRelocation {
  u64 address = 0;  ///< in the file: where it is applied
  u32 type = 0;     ///< R_X86_64_*
  bool is_plt = false;
  u64 index = 0;  ///< among those of the PLT, or among the others
  i64 addend = 0;
  std::string_view symbol{};   ///< as the file has it; "" if it takes none
  std::string_view version{};  ///< "" if none is wanted
  bool is_weak = false;
  bool is_function = false;  ///< the symbol, as this file says
  u64 size = 0;              ///< likewise
};

/// A version that the file wants of a library.
struct NeededVersion {
  std::string name{}, library{};
  bool is_weak = false;
};

struct Definition {
  u64 address = 0;  ///< in the file
  u64 size = 0;
  u8 type = 0;  ///< STT_*
};

class ObjectFile {
 public:
  /// Null if it is no ELF file of this machine that could be read.
  static std::shared_ptr<ObjectFile> open(const std::string& path);

  const std::string& path() const { return path_; }  ///< as it was opened
  /// XXH64 of the whole file with seed 0, 16 hexadecimal digits; as artefacts of builds have it.
  const std::string& content_hash();

  const std::vector<std::string>& needed() const { return needed_; }
  const std::string& soname() const { return soname_; }
  const std::string& rpath() const { return rpath_; }      ///< DT_RPATH, "" if none
  const std::string& runpath() const { return runpath_; }  ///< DT_RUNPATH, "" if none
  const std::string& interpreter() const { return interpreter_; }
  bool binds_now() const { return binds_now_; }
  bool is_position_independent() const { return file_.header().type == 3 /* ET_DYN */; }
  u64 entry() const { return file_.header().entry; }
  /// Of the loaded segments, in the file's addresses; the end is exclusive.
  u64 first_address() const { return first_address_; }
  u64 end_address() const { return end_address_; }
  std::optional<u64> dynamic_address() const { return dynamic_address_; }
  /// PT_GNU_RELRO; empty if there is none.
  u64 relro_start() const { return relro_start_; }
  u64 relro_end() const { return relro_end_; }
  std::optional<u64> tag(u64 tag) const { return dynamic_.find(tag); }

  std::vector<NeededVersion> needed_versions();
  bool defines_version(const std::string& name);

  /// Those of DT_RELA, then those of DT_JMPREL. A static program at a fixed address has no dynamic section:
  /// those of its loaded sections, which its C library applies itself.
  const std::vector<ObjectRelocation>& relocations();
  u64 relative_count();  ///< relocations that take no symbol
  /// Where those of them lie that put an address of the file's own code there.
  const std::vector<u64>& code_pointers();
  bool is_code(u64 address) const;
  /// The section that holds the address; "" if no section header tells.
  std::string section_at(u64 address);
  /// The word that the file has at the address.
  u64 initial_value(u64 address);
  /// What the file defines for others under this name; null if it does not.
  const Definition* find_definition(std::string_view name);
  /// A function of the symbol table that need not be exported, as main; null if it is stripped.
  std::optional<u64> find_function(std::string_view name);
  /// The function that begins there; of several names the one that a program would use. "" if none does.
  std::string_view function_at(u64 address);

 private:
  ObjectFile(file::MappedFile bytes, elf::ElfFile file)
      : bytes_(std::move(bytes)), file_(std::move(file)), dynamic_(file_) {}
  void read_segments();
  void read_dynamic();
  void read_packed_relocations();
  void read_relocations(u64 address_tag, u64 size_tag, bool is_plt);
  void read_rows(const elf::Section& rows, bool is_plt);
  void read_functions();

  file::MappedFile bytes_;
  elf::ElfFile file_;
  elf::Dynamic dynamic_;
  std::string path_, content_hash_;
  std::vector<std::string> needed_;
  std::string soname_, rpath_, runpath_, interpreter_;
  bool binds_now_ = false;
  u64 first_address_ = 0, end_address_ = 0, relro_start_ = 0, relro_end_ = 0;
  std::optional<u64> dynamic_address_;
  std::optional<std::vector<ObjectRelocation>> relocations_;
  u64 relative_count_ = 0;
  std::vector<u64> code_pointers_;
  std::vector<std::pair<u64, u64>> code_;  ///< executable segments
  std::optional<std::map<std::string_view, Definition>> definitions_;
  std::optional<std::map<u64, std::string_view>> functions_;  ///< by address
};

}  // namespace orrery::lens::load
