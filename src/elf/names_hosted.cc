// Names of ELF's numbers: pure tables over elf.h.
#include "elf/names_hosted.h"

#include <elf.h>

#include <span>

#include "elf/file_bytes_hosted.h"
#include "elf/named_hosted.h"

namespace orrery::elf {
namespace {

std::string name_or_number(std::span<const Named> table, u64 number) {
  const char* name = find(table, number);
  return name != nullptr ? name : hex(number);
}

/// The names of the bits that are set; those without a name as one number.
std::string bits(std::span<const Named> table, u64 flags) {
  std::string out;
  for (const Named& each : table) {
    if ((flags & each.number) == 0) continue;
    flags &= ~each.number;
    out.append(out.empty() ? "" : " ").append(each.name);
  }
  if (flags != 0) out.append(out.empty() ? "" : " ").append(hex(flags));
  return out;
}

constexpr Named kFileTypes[] = {
    {ET_NONE, "NONE"}, {ET_REL, "REL"}, {ET_EXEC, "EXEC"}, {ET_DYN, "DYN"}, {ET_CORE, "CORE"},
};
constexpr Named kMachines[] = {
    {EM_386, "i386"},        {EM_X86_64, "x86-64"},    {EM_AARCH64, "AArch64"},
    {EM_ARM, "ARM"},         {EM_RISCV, "RISC-V"},     {EM_PPC, "PowerPC"},
    {EM_PPC64, "PowerPC64"}, {EM_S390, "S/390"},       {EM_MIPS, "MIPS"},
    {EM_SPARC, "SPARC"},     {EM_SPARCV9, "SPARC v9"}, {EM_IA_64, "IA-64"},
    {EM_ALPHA, "Alpha"},     {EM_68K, "m68k"},         {EM_SH, "SuperH"},
    {EM_PARISC, "PA-RISC"},  {EM_BPF, "BPF"},          {EM_LOONGARCH, "LoongArch"},
    {EM_AVR, "AVR"},         {EM_MSP430, "MSP430"},    {EM_XTENSA, "Xtensa"},
    {EM_CUDA, "CUDA"},       {EM_AMDGPU, "AMD GPU"},   {EM_IAMCU, "Intel MCU"},
    {EM_NONE, "none"},
};
constexpr Named kOsAbis[] = {
    {ELFOSABI_NONE, "System V"},   {ELFOSABI_GNU, "GNU/Linux"},
    {ELFOSABI_FREEBSD, "FreeBSD"}, {ELFOSABI_NETBSD, "NetBSD"},
    {ELFOSABI_OPENBSD, "OpenBSD"}, {ELFOSABI_SOLARIS, "Solaris"},
    {ELFOSABI_HPUX, "HP-UX"},      {ELFOSABI_AIX, "AIX"},
    {ELFOSABI_ARM, "ARM"},         {ELFOSABI_STANDALONE, "standalone"},
};
constexpr Named kSegmentTypes[] = {
    {PT_NULL, "NULL"},
    {PT_LOAD, "LOAD"},
    {PT_DYNAMIC, "DYNAMIC"},
    {PT_INTERP, "INTERP"},
    {PT_NOTE, "NOTE"},
    {PT_SHLIB, "SHLIB"},
    {PT_PHDR, "PHDR"},
    {PT_TLS, "TLS"},
    {PT_GNU_EH_FRAME, "GNU_EH_FRAME"},
    {PT_GNU_STACK, "GNU_STACK"},
    {PT_GNU_RELRO, "GNU_RELRO"},
    {PT_GNU_PROPERTY, "GNU_PROPERTY"},
    {0x6474e554, "GNU_SFRAME"},
    {0x65a3dbe5, "OPENBSD_MUTABLE"},
    {0x65a3dbe6, "OPENBSD_RANDOMIZE"},
};
constexpr Named kSectionTypes[] = {
    {SHT_NULL, "NULL"},
    {SHT_PROGBITS, "PROGBITS"},
    {SHT_SYMTAB, "SYMTAB"},
    {SHT_STRTAB, "STRTAB"},
    {SHT_RELA, "RELA"},
    {SHT_HASH, "HASH"},
    {SHT_DYNAMIC, "DYNAMIC"},
    {SHT_NOTE, "NOTE"},
    {SHT_NOBITS, "NOBITS"},
    {SHT_REL, "REL"},
    {SHT_SHLIB, "SHLIB"},
    {SHT_DYNSYM, "DYNSYM"},
    {SHT_INIT_ARRAY, "INIT_ARRAY"},
    {SHT_FINI_ARRAY, "FINI_ARRAY"},
    {SHT_PREINIT_ARRAY, "PREINIT_ARRAY"},
    {SHT_GROUP, "GROUP"},
    {SHT_SYMTAB_SHNDX, "SYMTAB_SHNDX"},
    {SHT_RELR, "RELR"},
    {SHT_GNU_ATTRIBUTES, "GNU_ATTRIBUTES"},
    {SHT_GNU_HASH, "GNU_HASH"},
    {SHT_GNU_LIBLIST, "GNU_LIBLIST"},
    {SHT_GNU_verdef, "VERDEF"},
    {SHT_GNU_verneed, "VERNEED"},
    {SHT_GNU_versym, "VERSYM"},
    {0x6fff4c00, "LLVM_ODRTAB"},
    {0x6fff4c03, "LLVM_ADDRSIG"},
};

struct FlagLetter {
  u64 flag;
  char letter;
};
// In readelf's order.
constexpr FlagLetter kSectionFlags[] = {
    {SHF_WRITE, 'W'},   {SHF_ALLOC, 'A'},     {SHF_EXECINSTR, 'X'},  {SHF_MERGE, 'M'},
    {SHF_STRINGS, 'S'}, {SHF_INFO_LINK, 'I'}, {SHF_LINK_ORDER, 'L'}, {SHF_OS_NONCONFORMING, 'O'},
    {SHF_GROUP, 'G'},   {SHF_TLS, 'T'},       {SHF_COMPRESSED, 'C'},
};
constexpr Named kSymbolTypes[] = {
    {STT_NOTYPE, "NOTYPE"}, {STT_OBJECT, "OBJECT"}, {STT_FUNC, "FUNC"}, {STT_SECTION, "SECTION"},
    {STT_FILE, "FILE"},     {STT_COMMON, "COMMON"}, {STT_TLS, "TLS"},   {STT_GNU_IFUNC, "IFUNC"},
};
constexpr Named kSymbolBindings[] = {
    {STB_LOCAL, "LOCAL"},
    {STB_GLOBAL, "GLOBAL"},
    {STB_WEAK, "WEAK"},
    {STB_GNU_UNIQUE, "UNIQUE"},
};
constexpr Named kDynamicFlags[] = {
    {DF_ORIGIN, "ORIGIN"},     {DF_SYMBOLIC, "SYMBOLIC"},     {DF_TEXTREL, "TEXTREL"},
    {DF_BIND_NOW, "BIND_NOW"}, {DF_STATIC_TLS, "STATIC_TLS"},
};
constexpr Named kDynamicFlags1[] = {
    {DF_1_NOW, "NOW"},           {DF_1_GLOBAL, "GLOBAL"},       {DF_1_GROUP, "GROUP"},
    {DF_1_NODELETE, "NODELETE"}, {DF_1_LOADFLTR, "LOADFLTR"},   {DF_1_INITFIRST, "INITFIRST"},
    {DF_1_NOOPEN, "NOOPEN"},     {DF_1_ORIGIN, "ORIGIN"},       {DF_1_DIRECT, "DIRECT"},
    {DF_1_TRANS, "TRANS"},       {DF_1_INTERPOSE, "INTERPOSE"}, {DF_1_NODEFLIB, "NODEFLIB"},
    {DF_1_NODUMP, "NODUMP"},     {DF_1_CONFALT, "CONFALT"},     {DF_1_ENDFILTEE, "ENDFILTEE"},
    {DF_1_PIE, "PIE"},
};
}  // namespace

std::string file_type_name(u16 type) { return name_or_number(kFileTypes, type); }
std::string machine_name(u16 machine) {
  const char* name = find(kMachines, machine);
  return name != nullptr ? name : "machine " + std::to_string(machine);
}
std::string os_abi_name(u8 os_abi) { return name_or_number(kOsAbis, os_abi); }
std::string segment_type_name(u32 type) { return name_or_number(kSegmentTypes, type); }
std::string section_type_name(u16 machine, u32 type) {
  if (machine == EM_X86_64 && type == SHT_X86_64_UNWIND) return "X86_64_UNWIND";
  return name_or_number(kSectionTypes, type);
}
std::string symbol_type_name(u8 type) { return name_or_number(kSymbolTypes, type); }
std::string symbol_binding_name(u8 binding) { return name_or_number(kSymbolBindings, binding); }
std::string dynamic_flags_name(u64 flags) { return bits(kDynamicFlags, flags); }
std::string dynamic_flags_1_name(u64 flags) { return bits(kDynamicFlags1, flags); }

const char* symbol_visibility_name(u8 visibility) {
  constexpr const char* kNames[] = {"DEFAULT", "INTERNAL", "HIDDEN", "PROTECTED"};
  return kNames[visibility & 3];
}

std::string segment_flags_name(u32 flags) {
  std::string out = {(flags & PF_R) != 0 ? 'R' : ' ', (flags & PF_W) != 0 ? 'W' : ' ',
                     (flags & PF_X) != 0 ? 'E' : ' '};
  if (const u32 rest = flags & ~u32{PF_R | PF_W | PF_X}; rest != 0) out += " " + hex(rest);
  return out;
}

std::string section_flags_name(u64 flags) {
  std::string out;
  for (const FlagLetter& each : kSectionFlags) {
    if ((flags & each.flag) != 0) out += each.letter;
    flags &= ~each.flag;
  }
  if (flags != 0) out += (out.empty() ? "" : " ") + hex(flags);
  return out;
}

}  // namespace orrery::elf
