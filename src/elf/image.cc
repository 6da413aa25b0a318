// Reads ELF headers without trusting them: every number is from a stranger's file, so sums are checked
// for overflow and addresses for lying in the 47-bit user space before anyone maps by them. The order of the
// checks is the kernel's (load_elf_binary, load_elf_phdrs, elf_check_arch), because it decides which errno
// a damaged file gets.
#include "elf/image.h"

#include <linux/elf-em.h>
#include <linux/elf.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace orrery::elf {
namespace {

constexpr u64 kUserSpaceEnd = 0x7fff'ffff'f000;

template <class T>
T copy_at(std::span<const u8> bytes, u64 offset) {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

int protection_of(u32 flags) {
  return ((flags & PF_R) != 0 ? PROT_READ : 0) | ((flags & PF_W) != 0 ? PROT_WRITE : 0) |
         ((flags & PF_X) != 0 ? PROT_EXEC : 0);
}

bool add_load(const Elf64_Phdr& row, Segments& out) {
  if (row.p_filesz > row.p_memsz || row.p_memsz > kUserSpaceEnd) return false;
  if (row.p_vaddr > kUserSpaceEnd || row.p_vaddr + row.p_memsz > kUserSpaceEnd) return false;
  if (row.p_offset > ~u64{0} - row.p_filesz) return false;
  // The page must hold the same file bytes at the same place, or mmap could not do it.
  if ((row.p_vaddr - row.p_offset) % kPageBytes != 0 && row.p_filesz != 0) return false;
  out.loads.push_back({row.p_offset, row.p_vaddr, row.p_filesz, row.p_memsz, protection_of(row.p_flags)});
  // No address is a multiple of a larger one; the kernel then leaves the place to mmap.
  constexpr u64 kAlignmentMost = u64{1} << 46;
  if (std::has_single_bit(row.p_align) && row.p_align <= kAlignmentMost)
    out.alignment = std::max<u64>(out.alignment, row.p_align);
  return true;
}

/// AT_PHDR is where the PT_LOAD that holds the file's program header table puts it: of several, the last.
u64 find_table_address(const Header& header, const Segments& segments) {
  u64 address = 0;
  for (const LoadSegment& load : segments.loads)
    if (load.offset <= header.table_offset && header.table_offset < load.offset + load.file_bytes)
      address = header.table_offset - load.offset + load.address;
  return address;
}

void measure(Segments& segments) {
  u64 lowest = ~u64{0}, highest = 0;
  for (const LoadSegment& load : segments.loads) {
    lowest = std::min(lowest, page_floor(load.address));
    highest = std::max(highest, load.address + load.memory_bytes);
  }
  if (segments.loads.empty()) return;
  segments.lowest_page = lowest;
  segments.total_bytes = highest - lowest;
}

}  // namespace

std::string_view describe(HeaderVerdict verdict) {
  switch (verdict) {
    case HeaderVerdict::good:
      return "is an x86-64 program";
    case HeaderVerdict::not_elf:
      return "is not an ELF file";
    case HeaderVerdict::other_class:
      return "is a 32-bit program; only 64-bit x86-64 programs can be run";
    case HeaderVerdict::other_machine:
      return "was built for another processor; only x86-64 programs can be run";
    case HeaderVerdict::not_loadable:
      return "is an ELF file, but no program";
  }
  return "";
}

Header read_header(std::span<const u8> head) {
  Header header;
  if (head.size() < SELFMAG || std::memcmp(head.data(), ELFMAG, SELFMAG) != 0) return header;
  header.verdict = HeaderVerdict::not_loadable;
  if (head.size() < sizeof(Elf64_Ehdr)) return header;
  const auto raw = copy_at<Elf64_Ehdr>(head, 0);
  // The kernel's loader never looks at the class: a 32-bit header is one whose fields are elsewhere.
  const bool narrow = raw.e_ident[EI_CLASS] == ELFCLASS32 && raw.e_phentsize != sizeof(Elf64_Phdr);
  if (raw.e_machine != EM_X86_64 || narrow) {
    const bool ours = raw.e_machine == EM_386 || raw.e_machine == EM_X86_64;
    header.verdict = ours ? HeaderVerdict::other_class : HeaderVerdict::other_machine;
    return header;
  }
  if (raw.e_type != ET_EXEC && raw.e_type != ET_DYN) return header;
  if (raw.e_phentsize != sizeof(Elf64_Phdr) || raw.e_phnum == 0) return header;
  if (u64{raw.e_phnum} * sizeof(Elf64_Phdr) > 65536) return header;
  header.verdict = HeaderVerdict::good;
  header.fixed_address = raw.e_type == ET_EXEC;
  header.entry = raw.e_entry;
  header.table_offset = raw.e_phoff;
  header.table_count = raw.e_phnum;
  return header;
}

Segments read_segments(const Header& header, std::span<const u8> table) {
  static_assert(sizeof(Elf64_Phdr) == 56);
  Segments segments;
  if (table.size() < header.table_bytes()) return segments;
  bool loads_valid = true;
  for (u32 i = 0; i < header.table_count; ++i) {
    const auto row = copy_at<Elf64_Phdr>(table, u64{i} * sizeof(Elf64_Phdr));
    if (row.p_type == PT_LOAD) {
      loads_valid = loads_valid && add_load(row, segments);
    } else if (row.p_type == PT_INTERP && !segments.has_interpreter) {
      segments.has_interpreter = true;
      segments.interpreter_offset = row.p_offset;
      segments.interpreter_bytes = row.p_filesz;
    } else if (row.p_type == PT_DYNAMIC) {
      segments.dynamic_address = row.p_vaddr;
      segments.dynamic_bytes = row.p_memsz;
    } else if (row.p_type == PT_GNU_STACK) {
      segments.executable_stack = (row.p_flags & PF_X) != 0;
    }
  }
  measure(segments);
  segments.table_address = find_table_address(header, segments);
  segments.valid = loads_valid;
  return segments;
}

bool interpreter_path_valid(std::span<const u8> bytes) {
  return bytes.size() >= 2 && bytes.size() <= 4096 && bytes.back() == 0;
}

}  // namespace orrery::elf
