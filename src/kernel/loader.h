// Puts an ELF file's segments into an address space as fs/binfmt_elf.c does. Used by exec, which decides
// what is loaded and when nothing may fail any more.
#pragma once

#include <vector>

#include "base/types.h"
#include "elf/image.h"
#include "kernel/exec_file.h"
#include "memory/address_space.h"

namespace orrery::kernel {

/// An ELF file whose headers have been read and found good.
struct Program {
  ExecFile file;
  elf::Header header;
  elf::Segments segments;
};

/// Reads and validates the headers of `program.file`, whose first bytes are `head`. 0; -ENOEXEC if they
/// are not those of a program for this machine (header.verdict says why); -EIO or another errno of the file.
i64 read_program(Program& program, std::span<const u8> head);

/// Reads PT_INTERP's path, with its NUL. 0 or -errno.
i64 read_interpreter_path(const Program& program, std::vector<char>& path);

/// Where a program ended up.
struct LoadedImage {
  u64 bias = 0;        ///< added to every address of the file
  u64 first_page = 0;  ///< where its lowest segment begins: AT_BASE of an interpreter
  u64 entry = 0;
  u64 table_address = 0;  ///< AT_PHDR
  u64 code_start = 0, code_end = 0, data_start = 0, data_end = 0;
};

enum class Placement : u8 { program, interpreter };

/// True if a fixed-address program lies where the engine is or outside the guest's space.
bool needs_reserved_addresses(const Program& program);

/// Maps all segments, zeroes what follows the file's bytes, makes the bss. 0 or -errno.
i64 map_program(memory::AddressSpace& space, const Program& program, Placement placement, LoadedImage& out);

}  // namespace orrery::kernel
