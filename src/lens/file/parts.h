// What `gather` is made of, one file each.
#pragma once

#include "elf/dynamic_hosted.h"
#include "lens/file/facts.h"

namespace orrery::lens::file {

/// Looks at symbols for the largest ones, for canary and for fortified calls; the last two go to `hardening`.
SymbolFacts gather_symbols(elf::ElfFile& file, Hardening& hardening, const Wanted& wanted);

/// All but what only symbols tell.
Hardening gather_hardening(elf::ElfFile& file, elf::Dynamic& dynamic, const std::vector<elf::Note>& notes,
                           u32 mode);

BerkeleySize berkeley_size(const elf::ElfFile& file);
std::vector<SizeNode> size_tree(elf::ElfFile& file);
/// What a section of this name is for, in a few words; "" if the name is nobody's.
std::string section_meaning(std::string_view name, const elf::Section& section);

DebugFacts gather_debug(elf::ElfFile& file, const std::string& build_id, const Wanted& wanted);

CoreFacts gather_core(elf::ElfFile& file, const std::vector<elf::Note>& notes);

}  // namespace orrery::lens::file
