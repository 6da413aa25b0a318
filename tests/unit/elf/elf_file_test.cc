// The readers of whole ELF files, on files made here byte by byte: both classes, both byte orders, and damage
// that must be named with the offset of its field. Agreement with other tools on real files is
// tests/campaigns/files.py.
#include <elf.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "elf/archive_hosted.h"
#include "elf/demangle_hosted.h"
#include "elf/dynamic_hosted.h"
#include "elf/elf_file_hosted.h"
#include "elf/notes_hosted.h"
#include "elf/relocations_hosted.h"
#include "elf/symbols_hosted.h"

namespace orrery::elf {
namespace {

/// A file with one PT_LOAD and the sections: "", .symtab, .strtab, .shstrtab, .relr.dyn.
struct Made {
  std::vector<u8> bytes;
  Elf64_Ehdr header{};
  std::array<Elf64_Shdr, 5> sections{};

  static constexpr char kNames[] = "\0.symtab\0.strtab\0.shstrtab\0.relr.dyn";
  static constexpr char kStrings[] = "\0orbit\0_ZN6planet5weighEi";
  static constexpr u64 kRelative[] = {0x2000, 0b1011};  // 0x2000, then 0x2008 and 0x2018

  Made() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_DYN;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_ehsize = sizeof header;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 5;
    header.e_shstrndx = 3;
    bytes.resize(sizeof header + sizeof(Elf64_Phdr));
    const std::array<Elf64_Sym, 3> symbols = {
        {{},
         {1, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, 0x1000, 16},
         {7, ELF64_ST_INFO(STB_WEAK, STT_OBJECT), STV_HIDDEN, SHN_ABS, 0x2000, 4}}};
    add(1, 1, SHT_SYMTAB, symbols.data(), sizeof symbols);
    sections[1].sh_link = 2;
    sections[1].sh_entsize = sizeof(Elf64_Sym);
    add(2, 9, SHT_STRTAB, kStrings, sizeof kStrings);
    add(3, 17, SHT_STRTAB, kNames, sizeof kNames);
    add(4, 27, SHT_RELR, kRelative, sizeof kRelative);
    header.e_shoff = bytes.size();
    bytes.resize(bytes.size() + sizeof sections);
  }

  void add(u64 index, u32 name, u32 type, const void* contents, u64 size) {
    sections[index].sh_name = name;
    sections[index].sh_type = type;
    sections[index].sh_offset = bytes.size();
    sections[index].sh_size = size;
    const auto* from = static_cast<const u8*>(contents);
    bytes.insert(bytes.end(), from, from + size);
  }

  const std::vector<u8>& image() {
    const Elf64_Phdr load = {PT_LOAD, PF_R, 0, 0x1000, 0x1000, bytes.size(), bytes.size(), 0x1000};
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, &load, sizeof load);
    if (header.e_shoff + sizeof sections <= bytes.size())
      std::memcpy(bytes.data() + header.e_shoff, sections.data(), sizeof sections);
    return bytes;
  }
};

/// The only damage of a file, as "offset: sentence".
std::string only_damage(const std::vector<u8>& image) {
  auto file = ElfFile::open(image);
  if (!file) return file.error().sentence;
  const auto& damages = file.value().damages();
  if (damages.count() != 1) return std::to_string(damages.count()) + " damages";
  return hex(damages.first()[0].offset) + ": " + damages.first()[0].sentence;
}

TEST(ElfFile, ReadsWhatWasWritten) {
  Made made;
  auto opened = ElfFile::open(made.image());
  ASSERT_TRUE(opened) << opened.error().sentence;
  ElfFile& file = opened.value();
  EXPECT_EQ(file.damages().count(), 0u);
  EXPECT_EQ(file.section_count(), 5u);
  EXPECT_EQ(file.segment_count(), 1u);
  const auto symtab = file.find_section(".symtab");
  ASSERT_TRUE(symtab);
  SymbolTable table(file, *symtab);
  ASSERT_EQ(table.count(), 3u);
  const Symbol orbit = table.at(1), weigh = table.at(2);
  EXPECT_EQ(table.name(file, orbit), "orbit");
  EXPECT_EQ(orbit.type(), STT_FUNC);
  EXPECT_EQ(orbit.value, 0x1000u);
  EXPECT_FALSE(orbit.is_undefined());
  EXPECT_EQ(demangle(std::string(table.name(file, weigh)).c_str()), "planet::weigh(int)");
  EXPECT_EQ(weigh.visibility(), STV_HIDDEN);
  EXPECT_TRUE(weigh.is_reserved());
  EXPECT_EQ(file.offset_of(0x1010), 0x10u);
  EXPECT_EQ(file.offset_of(0x10), std::nullopt);
}

TEST(ElfFile, UnpacksRelativeRelocations) {
  Made made;
  auto opened = ElfFile::open(made.image());
  ASSERT_TRUE(opened);
  std::vector<u64> found;
  each_relative(opened.value(), *opened.value().find_section_of_type(SHT_RELR),
                [&](u64 at) { found.push_back(at); });
  EXPECT_EQ(found, (std::vector<u64>{0x2000, 0x2008, 0x2018}));
}

TEST(ElfFile, RefusesWhatIsNoElfFile) {
  const auto said = [](std::vector<u8> bytes) { return ElfFile::open(bytes).error().sentence; };
  EXPECT_EQ(said({}), "at 0x0: the file is empty");
  EXPECT_EQ(said({'#', '!', '/', 'b'}), "at 0x0: not an ELF file: it does not begin with 7f 45 4c 46");
  EXPECT_EQ(said({0x7f, 'E', 'L', 'F', 2, 1}),
            "at 0x6: the file ends within the ELF header's identification");
  Made made;
  std::vector<u8> image = made.image();
  image.resize(40);
  EXPECT_EQ(said(image), "at 0x28: the file ends within the ELF header of 64 bytes");
  image = made.image();
  image[EI_CLASS] = 3;
  EXPECT_EQ(said(image), "at 0x4: the class is 3: neither 1 (32-bit) nor 2 (64-bit)");
}

TEST(ElfFile, NamesTheFieldThatIsWrong) {
  Made beyond;
  beyond.header.e_shoff = 1 << 30;
  EXPECT_EQ(only_damage(beyond.image()).substr(0, 66),
            "0x28: the 5 section headers at 0x40000000 reach beyond the end of ");
  Made overflowing;
  overflowing.sections[1].sh_offset = ~u64{0} - 8;
  const u64 row = overflowing.header.e_shoff + sizeof(Elf64_Shdr);
  EXPECT_TRUE(only_damage(overflowing.image())
                  .starts_with(hex(row + 0x18) + ": section 1 (.symtab) has 72 bytes at 0xfff"))
      << only_damage(overflowing.image());
  Made nameless;
  nameless.header.e_shstrndx = 77;
  EXPECT_EQ(only_damage(nameless.image()), "0x3e: the sections' names are in section 77, and there are 5");
  Made crooked;
  crooked.sections[4].sh_addralign = 3;
  EXPECT_TRUE(
      only_damage(crooked.image()).ends_with("section 4 (.relr.dyn) has the alignment 0x3, no power of two"));
}

TEST(ElfFile, ReadsBigEndianAnd32Bit) {
  std::vector<u8> image(sizeof(Elf32_Ehdr));
  std::memcpy(image.data(), ELFMAG, SELFMAG);
  image[EI_CLASS] = ELFCLASS32;
  image[EI_DATA] = ELFDATA2MSB;
  image[EI_VERSION] = EV_CURRENT;
  image[17] = ET_EXEC;
  image[19] = EM_PPC;
  image[23] = EV_CURRENT;
  image[24] = 0x12;  // entry
  image[41] = sizeof(Elf32_Ehdr);
  auto file = ElfFile::open(image);
  ASSERT_TRUE(file) << file.error().sentence;
  EXPECT_EQ(file.value().header().entry, 0x12000000u);
  EXPECT_EQ(file.value().header().machine, EM_PPC);
  EXPECT_EQ(file.value().damages().count(), 0u);
}

TEST(Strings, EndWhereTheirBudgetDoes) {
  std::vector<u8> bytes(100'000, 'x');
  bytes.back() = 0;
  Strings strings(bytes);
  u64 handed_out = 0, names = 0;
  while (strings.at(names).fault == Strings::Fault::none && names < 90'000)
    handed_out += bytes.size() - 1 - names++;
  EXPECT_EQ(strings.at(names).fault, Strings::Fault::exhausted);
  EXPECT_LT(handed_out, 16 * bytes.size() + (2u << 20));
  EXPECT_EQ(Strings(bytes).at(100'000).fault, Strings::Fault::outside);
  bytes.back() = 'x';
  EXPECT_EQ(Strings(bytes).at(5).fault, Strings::Fault::unterminated);
}

TEST(Demangle, KnowsBothRusts) {
  EXPECT_EQ(demangle("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE"), "core::fmt::Write::write_fmt");
  EXPECT_EQ(demangle("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
  EXPECT_EQ(demangle("main"), "main");
  EXPECT_EQ(demangle("_Znot a name"), "_Znot a name");
}

/// Each pair holds the one before twice: 40 of them would be 2^40 characters.
TEST(Demangle, LeavesANameThatWouldGrowWithoutEnd) {
  std::string name = "_Z1fSt4pairIiiE";
  const char* digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (int i = 0; i < 34; ++i) {
    const std::string last = std::string("S") + digits[i] + "_";  // S_ is std::pair itself
    name += "S_I" + last + last + "E";
  }
  EXPECT_EQ(demangle(name.c_str()), name);
}

TEST(Archive, ListsMembersAndNamesDamage) {
  const auto member = [](std::string name, const std::string& body) {
    std::string head = name + std::string(16 - name.size(), ' ') + "0           0     0     100644  ";
    head += std::to_string(body.size()) + std::string(10 - std::to_string(body.size()).size(), ' ') + "`\n" +
            body;
    return head + (body.size() % 2 ? "\n" : "");
  };
  std::string text = "!<arch>\n" + member("//", "a_long_name_of_a_member.o/\n") + member("short.o/", "abc") +
                     member("/0", "defg");
  const auto bytes = [&] { return std::span(reinterpret_cast<const u8*>(text.data()), text.size()); };
  ASSERT_TRUE(is_archive(bytes()));
  Archive archive = read_archive(bytes());
  ASSERT_EQ(archive.members.size(), 2u);
  EXPECT_EQ(archive.members[0].name, "short.o");
  EXPECT_EQ(archive.members[1].name, "a_long_name_of_a_member.o");
  EXPECT_EQ(text.substr(archive.members[1].offset, archive.members[1].size), "defg");
  EXPECT_EQ(archive.damages.count(), 0u);
  text.resize(text.size() - 2);
  archive = read_archive(bytes());
  ASSERT_EQ(archive.damages.count(), 1u);
  EXPECT_EQ(archive.damages.first()[0].offset, archive.members[1].header);
}

}  // namespace
}  // namespace orrery::elf
