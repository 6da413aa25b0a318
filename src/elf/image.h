// What the kernel must know of an ELF file to start it: the header's verdict and the program headers,
// validated as fs/binfmt_elf.c does. Bytes in, values out; no file is touched. Used by kernel/loader.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace orrery::elf {

/// execve(2) looks at this many bytes of a file to decide what it is (BINPRM_BUF_SIZE).
inline constexpr u64 kHeadBytes = 256;

enum class HeaderVerdict : u8 {
  good,
  not_elf,
  other_class,    ///< 32-bit (i386 or x32)
  other_machine,  ///< not x86-64
  not_loadable,   ///< a relocatable object, a core file, or damaged
};

/// One sentence for people, to be put after a file's name.
std::string_view describe(HeaderVerdict verdict);

struct Header {
  HeaderVerdict verdict = HeaderVerdict::not_elf;
  bool fixed_address = false;  ///< ET_EXEC: goes where it says; else ET_DYN
  u64 entry = 0;
  u64 table_offset = 0;  ///< of the program headers in the file
  u32 table_count = 0;
  u64 table_bytes() const { return u64{56} * table_count; }
};

struct LoadSegment {
  u64 offset = 0;
  u64 address = 0;
  u64 file_bytes = 0;
  u64 memory_bytes = 0;
  int protection = 0;  ///< PROT_*
};

struct Segments {
  bool valid = false;  ///< false: the kernel finds out when it maps them, past the point of no return
  std::vector<LoadSegment> loads;
  bool has_interpreter = false;
  u64 interpreter_offset = 0;  ///< of the first PT_INTERP's string
  u64 interpreter_bytes = 0;   ///< with its NUL
  u64 dynamic_address = 0;     ///< PT_DYNAMIC before the load bias; 0: none
  u64 dynamic_bytes = 0;
  bool executable_stack = false;
  u64 alignment = 4096;   ///< the largest power-of-two p_align of a PT_LOAD, at least a page
  u64 table_address = 0;  ///< AT_PHDR before the load bias; 0 if no segment holds the table
  u64 lowest_page = 0;    ///< of all PT_LOADs, page aligned
  u64 total_bytes = 0;    ///< from lowest_page to the highest end; 0 if there is no PT_LOAD
};

Header read_header(std::span<const u8> head);

/// `table` holds header.table_bytes() bytes from header.table_offset.
Segments read_segments(const Header& header, std::span<const u8> table);

/// True if PT_INTERP's bytes are a path as the kernel wants it (NUL-terminated, 2 to 4,096 bytes).
bool interpreter_path_valid(std::span<const u8> bytes);

}  // namespace orrery::elf
