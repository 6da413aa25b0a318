// Where the bytes go: segment by segment what is loaded, and what lies in the file beside it. The parts sum
// to the file: bytes that belong to no section are headers and padding.
#include <elf.h>

#include <algorithm>
#include <array>
#include <map>

#include "elf/names_hosted.h"
#include "lens/file/parts.h"

namespace orrery::lens::file {
namespace {

using elf::ElfFile;
using elf::Section;
using elf::Segment;

// A linker makes a dozen PT_LOADs and some forty sections; an object has a section a function. More than
// these are summed up, so that no file takes more than a few hundred thousand comparisons.
constexpr u64 kLoadsMost = 256;
constexpr u64 kSectionsMost = 1000;

struct Meaning {
  std::string_view name;
  const char* meaning;
};
constexpr auto kMeanings = std::to_array<Meaning>({
    {".text", "the program's machine code"},
    {".init", "code that runs first"},
    {".fini", "code that runs last"},
    {".plt", "stubs that call into libraries"},
    {".plt.got", "stubs for calls bound at start"},
    {".plt.sec", "stubs that call into libraries, with branch tracking"},
    {".iplt", "stubs for functions chosen at start"},
    {".rodata", "constants and string literals"},
    {".data", "variables with an initial value"},
    {".bss", "variables that start as zero: no bytes in the file"},
    {".data.rel.ro", "constants that hold addresses: read-only once relocated"},
    {".data.rel.ro.local", "constants that hold addresses: read-only once relocated"},
    {".got", "addresses of other modules' variables and functions"},
    {".got.plt", "addresses of functions, filled in when first called"},
    {".dynamic", "what the dynamic linker must know"},
    {".dynsym", "symbols for linking at run time"},
    {".dynstr", "their names"},
    {".gnu.hash", "hash table to find them"},
    {".hash", "hash table to find them, older form"},
    {".gnu.version", "version of each dynamic symbol"},
    {".gnu.version_r", "versions needed of libraries"},
    {".gnu.version_d", "versions defined here"},
    {".rela.dyn", "addresses to fix at start"},
    {".rel.dyn", "addresses to fix at start"},
    {".relr.dyn", "addresses to fix at start, packed"},
    {".rela.plt", "functions to bind, at start or when first called"},
    {".rel.plt", "functions to bind, at start or when first called"},
    {".interp", "path of the dynamic linker"},
    {".init_array", "functions to call before main"},
    {".fini_array", "functions to call at exit"},
    {".preinit_array", "functions to call before all libraries' own"},
    {".ctors", "functions to call before main, older form"},
    {".dtors", "functions to call at exit, older form"},
    {".tdata", "thread-local variables with an initial value"},
    {".tbss", "thread-local variables that start as zero: no bytes in the file"},
    {".eh_frame", "how to unwind each function's frame"},
    {".eh_frame_hdr", "index to .eh_frame"},
    {".gcc_except_table", "where exceptions are caught"},
    {".sframe", "how to unwind, in short"},
    {".symtab", "all symbols, for debuggers and linkers"},
    {".strtab", "their names"},
    {".shstrtab", "names of the sections"},
    {".comment", "which compilers made it"},
    {".gnu_debuglink", "name of its separate debug file"},
    {".gnu_debugaltlink", "name of the debug file it shares with others"},
    {".gnu_debugdata", "symbols in short, compressed"},
    {".gopclntab", "Go's functions and lines"},
    {".debug_info", "types, functions and variables"},
    {".debug_abbrev", "shapes of .debug_info's entries"},
    {".debug_line", "lines of each address"},
    {".debug_str", "names in .debug_info"},
    {".debug_line_str", "names of source files"},
    {".debug_str_offsets", "index to .debug_str"},
    {".debug_addr", "addresses in .debug_info"},
    {".debug_aranges", "units by address"},
    {".debug_ranges", "address ranges of scopes"},
    {".debug_rnglists", "address ranges of scopes"},
    {".debug_loc", "where variables live"},
    {".debug_loclists", "where variables live"},
    {".debug_frame", "how to unwind, for debuggers"},
    {".debug_macro", "macros"},
    {".debug_types", "types shared by units"},
    {".debug_names", "index by name"},
    {".debug_pubnames", "index by name"},
    {".debug_pubtypes", "index by name of types"},
    {".gdb_index", "gdb's index by name"},
});

SizeNode node_of(ElfFile& file, const Section& section) {
  const bool loaded = (section.flags & SHF_ALLOC) != 0;
  const std::string_view name = file.section_name(section);
  SizeNode node;
  node.name = name.empty() ? "section " + std::to_string(section.index) : std::string(name);
  node.meaning = section_meaning(name, section);
  node.file_bytes = section.file_bytes();
  node.memory_bytes = loaded ? section.size : 0;
  return node;
}

SizeNode node_of(const Segment& segment) {
  SizeNode node;
  const bool write = (segment.flags & PF_W) != 0, execute = (segment.flags & PF_X) != 0;
  node.name = "segment " + std::to_string(segment.index) + ((segment.flags & PF_R) != 0 ? " r" : " -") +
              (write ? "w" : "-") + (execute ? "x" : "-");
  if (execute)
    node.meaning = write ? "code that may be written" : "code";
  else
    node.meaning = write ? "data" : "read-only data";
  if ((segment.flags & (PF_R | PF_W | PF_X)) == 0) node.meaning = "no access";
  node.file_bytes = segment.file_bytes;
  node.memory_bytes = segment.memory_bytes;
  return node;
}

/// What an unloaded section is kept for.
const char* purpose_of(std::string_view name, const Section& section) {
  if ((section.flags & SHF_ALLOC) != 0)
    return (section.flags & SHF_TLS) != 0 && section.type == SHT_NOBITS ? "each thread's own"
                                                                        : "loaded by no segment";
  if (name.starts_with(".debug") || name.starts_with(".zdebug") || name == ".gdb_index" ||
      name.starts_with(".gnu.debuglto"))
    return "debug information";
  switch (section.type) {
    case SHT_SYMTAB:
    case SHT_STRTAB:
    case SHT_SYMTAB_SHNDX:
      return "symbol tables";
    case SHT_RELA:
    case SHT_REL:
    case SHT_GROUP:
      return "for the linker";
    default:
      return "other";
  }
}

/// In an object: what the linker will make of a section.
const char* class_of(std::string_view name, const Section& section) {
  if ((section.flags & SHF_ALLOC) == 0) return purpose_of(name, section);
  if ((section.flags & SHF_EXECINSTR) != 0) return "code";
  if ((section.flags & SHF_WRITE) != 0)
    return section.type == SHT_NOBITS ? "data that starts as zero" : "data";
  return "read-only data";
}

/// Bytes of the file that no section and no header table holds.
u64 unclaimed_bytes(const ElfFile& file) {
  struct Range {
    u64 start, end;
  };
  std::vector<Range> ranges;
  const u64 size = file.bytes().size();
  const auto claim = [&](u64 offset, u64 length) {
    if (length != 0 && offset < size) ranges.push_back({offset, offset + std::min(length, size - offset)});
  };
  for (u64 i = 0; i < file.section_count(); ++i) claim(file.section(i).offset, file.section(i).file_bytes());
  if (file.section_count() == 0) {
    for (u64 i = 0; i < file.segment_count(); ++i) claim(file.segment(i).offset, file.segment(i).file_bytes);
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.start < b.start; });
  u64 claimed = 0, reached = 0;
  for (const Range& range : ranges) {
    if (range.end <= reached) continue;
    claimed += range.end - std::max(range.start, reached);
    reached = range.end;
  }
  return size - claimed;
}

void add(SizeNode& parent, SizeNode node) {
  parent.file_bytes += node.file_bytes;
  parent.memory_bytes += node.memory_bytes;
  parent.parts.push_back(std::move(node));
}

void sort_parts(std::vector<SizeNode>& nodes) {
  const auto weight = [](const SizeNode& node) { return std::max(node.file_bytes, node.memory_bytes); };
  std::stable_sort(nodes.begin(), nodes.end(),
                   [&](const SizeNode& a, const SizeNode& b) { return weight(a) > weight(b); });
}

}  // namespace

std::string section_meaning(std::string_view name, const Section& section) {
  for (const Meaning& each : kMeanings) {
    if (each.name == name) return each.meaning;
  }
  if (name.starts_with(".zdebug_")) return section_meaning(".debug_" + std::string(name.substr(8)), section);
  struct Prefix {
    std::string_view prefix, of;
  };
  constexpr Prefix kPrefixes[] = {
      {".text.", ".text"},   {".rodata.", ".rodata"}, {".data.rel.ro.", ".data.rel.ro"},
      {".data.", ".data"},   {".bss.", ".bss"},       {".gcc_except_table.", ".gcc_except_table"},
      {".tdata.", ".tdata"}, {".tbss.", ".tbss"}};
  for (const Prefix& each : kPrefixes) {
    if (name.starts_with(each.prefix)) return section_meaning(each.of, section);
  }
  if (section.type == SHT_NOTE) return "notes of toolchain and package";
  if ((section.type == SHT_RELA || section.type == SHT_REL) && (section.flags & SHF_ALLOC) == 0)
    return "what the linker fills in";
  if (section.type == SHT_GROUP) return "sections kept or dropped together";
  return "";
}

BerkeleySize berkeley_size(const ElfFile& file) {
  // bfd's size.c: what is loaded and read-only or code counts as text.
  BerkeleySize size;
  for (u64 i = 0; i < file.section_count(); ++i) {
    const Section section = file.section(i);
    if ((section.flags & SHF_ALLOC) == 0) continue;
    if ((section.flags & SHF_EXECINSTR) != 0 || (section.flags & SHF_WRITE) == 0)
      size.text += section.size;
    else if (section.type != SHT_NOBITS)
      size.data += section.size;
    else
      size.bss += section.size;
  }
  return size;
}

std::vector<SizeNode> size_tree(ElfFile& file) {
  std::vector<SizeNode> roots;
  std::vector<Segment> loads;
  for (u64 i = 0; i < file.segment_count() && loads.size() < kLoadsMost; ++i) {
    if (const Segment segment = file.segment(i); segment.type == PT_LOAD) loads.push_back(segment);
  }
  if (file.is_debug_file()) loads.clear();
  for (const Segment& load : loads) roots.push_back(node_of(load));
  std::map<std::string, SizeNode> groups;
  SizeNode rest{"further sections", "", 0, 0, {}};
  for (u64 i = 1; i < file.section_count(); ++i) {
    const Section section = file.section(i);
    if (i > kSectionsMost) {
      add(rest, {"", "", section.file_bytes(), (section.flags & SHF_ALLOC) != 0 ? section.size : 0, {}});
      rest.parts.clear();
      continue;
    }
    const auto load = std::find_if(loads.begin(), loads.end(),
                                   [&](const Segment& each) { return is_inside(section, each); });
    if (load != loads.end()) {
      roots[static_cast<std::size_t>(load - loads.begin())].parts.push_back(node_of(file, section));
      continue;
    }
    if (file.is_debug_file() && !section.has_file_bytes()) continue;
    const char* group = loads.empty() ? class_of(file.section_name(section), section)
                                      : purpose_of(file.section_name(section), section);
    SizeNode& node = groups.try_emplace(group, SizeNode{group, "", 0, 0, {}}).first->second;
    add(node, node_of(file, section));
  }
  for (SizeNode& root : roots) sort_parts(root.parts);
  std::vector<SizeNode> others;
  for (auto& [name, node] : groups) others.push_back(std::move(node));
  if (rest.file_bytes != 0 || rest.memory_bytes != 0) others.push_back(std::move(rest));
  sort_parts(others);
  for (SizeNode& node : others) {
    sort_parts(node.parts);
    roots.push_back(std::move(node));
  }
  if (const u64 bytes = unclaimed_bytes(file); bytes != 0)
    roots.push_back({"headers and padding", "in no section", bytes, 0, {}});
  return roots;
}

}  // namespace orrery::lens::file
