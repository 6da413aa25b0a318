// The facts of one ELF file that a person asks for first, gathered for a summary of one screen (and its
// JSON). What a summary must not spend time on, such as a table of a million symbols, is looked through only
// when all is wanted.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "elf/elf_file_hosted.h"
#include "elf/notes_hosted.h"

namespace orrery::lens::file {

enum class Kind : u8 {
  executable,  ///< at a fixed address
  pie,         ///< position-independent executable
  library,
  object,
  core,
  debug_file,
  other,
};
const char* name_of(Kind kind);

enum class Linking : u8 { none, statically, dynamically };

enum class Answer : u8 { no, yes, unknown };

enum class Relro : u8 { none, partial, full };

/// One directory of DT_RPATH or DT_RUNPATH.
struct SearchPath {
  std::string directory;  ///< as written; "" is the current directory
  bool runpath = false;   ///< DT_RUNPATH, else DT_RPATH
  std::string risk;       ///< "" if there is none
};

struct Hardening {
  bool loadable = false;  ///< the questions below make sense
  bool stack_executable = false;
  bool stack_unsaid = false;  ///< no PT_GNU_STACK: the kernel then makes it executable
  Relro relro = Relro::none;
  Answer canary = Answer::unknown;
  Answer fortify = Answer::unknown;
  u32 fortified = 0;    ///< calls that are checked, by function
  u32 fortifiable = 0;  ///< those and the ones that could be
  elf::Features features;
  std::vector<SearchPath> search_paths;
  std::vector<u64> writable_code;  ///< indexes of segments that are writable and executable
  bool text_relocations = false;
  bool set_user_id = false;
  bool set_group_id = false;
};

/// A part of the file with the parts in it. Sections of a segment, segments of the file.
struct SizeNode {
  std::string name;
  std::string meaning;
  u64 file_bytes = 0;
  u64 memory_bytes = 0;
  std::vector<SizeNode> parts;
};

/// The classes of size(1).
struct BerkeleySize {
  u64 text = 0, data = 0, bss = 0;
};

struct LargeSymbol {
  std::string name;  ///< demangled
  std::string type;
  u64 size = 0;
};

struct SymbolFacts {
  u64 symtab = 0, dynsym = 0;  ///< entries, with the empty first one
  bool complete = true;        ///< all were looked at; else the largest ones are unknown
  u64 functions = 0, objects = 0, undefined = 0;
  std::vector<LargeSymbol> largest;
};

struct Counted {
  std::string name;
  u64 count = 0;
};

struct DebugFacts {
  bool present = false;
  bool compressed = false;
  u64 bytes = 0;  ///< of all .debug_ sections in the file
  u64 units = 0;  ///< looked at
  bool complete = true;
  std::vector<Counted> languages, producers;  ///< commonest first
  u16 version = 0;                            ///< of the first unit
  std::string link;                           ///< .gnu_debuglink
  std::string separate;                       ///< the path of its debug file on this machine, if there is one
  std::string alternative;                    ///< .gnu_debugaltlink: what dwz moved out
};

struct CoreFacts {
  std::string program, command;
  int process = 0;
  int signal = 0;
  std::optional<u64> address;  ///< of a fault
  u64 threads = 0;
  u64 mapped_files = 0;
};

struct Facts {
  u64 file_bytes = 0;
  u32 mode = 0;
  elf::FileHeader header;
  bool wide = true, big_endian = false;
  Kind kind = Kind::other;
  Linking linking = Linking::none;
  std::string interpreter, soname, build_id, abi;
  std::vector<std::string> needed;
  u64 segments = 0, sections = 0;
  Hardening hardening;
  BerkeleySize size;
  std::vector<SizeNode> parts;
  SymbolFacts symbols;
  DebugFacts debug;
  std::optional<CoreFacts> core;
};

struct Wanted {
  bool all = false;  ///< look at every symbol and unit, however many
};

/// `mode` is the file's st_mode.
Facts gather(elf::ElfFile& file, u32 mode, const Wanted& wanted);

}  // namespace orrery::lens::file
