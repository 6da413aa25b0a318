// The header reader on this test's own file, and on files that lie.
#include "elf/image.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

namespace orrery::elf {
namespace {

std::vector<u8> read_self() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::span<const u8> table_of(const std::vector<u8>& file, const Header& header) {
  if (header.table_offset > file.size() || header.table_bytes() > file.size() - header.table_offset)
    return {};
  return std::span(file).subspan(header.table_offset, header.table_bytes());
}

TEST(Image, ReadsThisProgramAsTheKernelDid) {
  const auto file = read_self();
  const Header header = read_header(file);
  ASSERT_EQ(header.verdict, HeaderVerdict::good);
  EXPECT_FALSE(header.fixed_address);
  EXPECT_EQ(header.table_count, getauxval(AT_PHNUM));
  const Segments segments = read_segments(header, table_of(file, header));
  ASSERT_TRUE(segments.valid);
  const u64 bias = getauxval(AT_PHDR) - segments.table_address;
  EXPECT_EQ(bias % kPageBytes, 0U);
  EXPECT_EQ(bias + header.entry, getauxval(AT_ENTRY));
  ASSERT_TRUE(segments.has_interpreter);
  EXPECT_TRUE(interpreter_path_valid(
      std::span(file).subspan(segments.interpreter_offset, segments.interpreter_bytes)));
  EXPECT_FALSE(segments.executable_stack);
  // What the dynamic linker says of the same segments.
  struct Seen {
    u64 bias, count;
  } seen{bias, 0};
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        auto& out = *static_cast<Seen*>(data);
        if (info->dlpi_addr == out.bias)
          for (int i = 0; i < info->dlpi_phnum; ++i) out.count += info->dlpi_phdr[i].p_type == PT_LOAD;
        return 0;
      },
      &seen);
  EXPECT_EQ(segments.loads.size(), seen.count);
}

TEST(Image, NamesWhatIsWrong) {
  const auto good = read_self();
  const auto with = [&](auto change) {
    auto head = std::vector<u8>(good.begin(), good.begin() + kHeadBytes);
    change(*reinterpret_cast<Elf64_Ehdr*>(head.data()));
    return read_header(head).verdict;
  };
  EXPECT_EQ(with([](Elf64_Ehdr& h) { h.e_ident[0] = 0; }), HeaderVerdict::not_elf);
  EXPECT_EQ(with([](Elf64_Ehdr& h) { h.e_machine = EM_AARCH64; }), HeaderVerdict::other_machine);
  EXPECT_EQ(with([](Elf64_Ehdr& h) { h.e_ident[EI_CLASS] = ELFCLASS32; }),
            HeaderVerdict::good);  // as natively
  EXPECT_EQ(with([](Elf64_Ehdr& h) { h.e_ident[EI_CLASS] = ELFCLASS32, h.e_phentsize = 32; }),
            HeaderVerdict::other_class);
  EXPECT_EQ(with([](Elf64_Ehdr& h) { h.e_machine = EM_386; }), HeaderVerdict::other_class);
  EXPECT_EQ(with([](Elf64_Ehdr& h) { h.e_type = ET_CORE; }), HeaderVerdict::not_loadable);
  EXPECT_EQ(with([](Elf64_Ehdr& h) { h.e_phnum = 0; }), HeaderVerdict::not_loadable);
  EXPECT_EQ(with([](Elf64_Ehdr& h) { h.e_phnum = 2000; }), HeaderVerdict::not_loadable);
  EXPECT_EQ(with([](Elf64_Ehdr& h) { h.e_phentsize = 32; }), HeaderVerdict::not_loadable);
  EXPECT_EQ(with([](Elf64_Ehdr&) {}), HeaderVerdict::good);
  EXPECT_EQ(read_header({}).verdict, HeaderVerdict::not_elf);
  EXPECT_EQ(read_header(std::span(good).first(20)).verdict, HeaderVerdict::not_loadable);
}

TEST(Image, RefusesSegmentsThatCannotLieInUserSpace) {
  const auto file = read_self();
  const Header header = read_header(file);
  const auto with = [&](auto change) {
    auto table = std::vector<u8>(table_of(file, header).begin(), table_of(file, header).end());
    for (u32 i = 0; i < header.table_count; ++i) {
      auto& row = reinterpret_cast<Elf64_Phdr*>(table.data())[i];
      if (row.p_type == PT_LOAD) {
        change(row);
        break;
      }
    }
    return read_segments(header, table).valid;
  };
  EXPECT_TRUE(with([](Elf64_Phdr&) {}));
  EXPECT_FALSE(with([](Elf64_Phdr& row) { row.p_filesz = row.p_memsz + 1; }));
  EXPECT_FALSE(with([](Elf64_Phdr& row) { row.p_vaddr = 0x7fff'ffff'f000; }));
  EXPECT_FALSE(with([](Elf64_Phdr& row) { row.p_vaddr = ~u64{0} << 12; }));
  EXPECT_FALSE(with([](Elf64_Phdr& row) { row.p_memsz = ~u64{0}; }));
  EXPECT_FALSE(with([](Elf64_Phdr& row) { row.p_offset += 16; }));
  EXPECT_FALSE(with([](Elf64_Phdr& row) { row.p_offset = ~u64{0} << 12, row.p_filesz = 8192; }));
}

/// binfmt_elf.c looks at all segments and keeps what it found last.
TEST(Image, TakesTheTableFromTheLastSegmentThatHoldsIt) {
  const auto file = read_self();
  const Header header = read_header(file);
  auto table = std::vector<u8>(table_of(file, header).begin(), table_of(file, header).end());
  const std::span rows(reinterpret_cast<Elf64_Phdr*>(table.data()), header.table_count);
  const auto is_load = [](const Elf64_Phdr& row) { return row.p_type == PT_LOAD; };
  const auto first = std::find_if(rows.begin(), rows.end(), is_load);
  const auto second = std::find_if(first + 1, rows.end(), is_load);
  ASSERT_NE(second, rows.end());
  EXPECT_EQ(read_segments(header, table).table_address, first->p_vaddr + header.table_offset);
  second->p_offset = 0;
  EXPECT_EQ(read_segments(header, table).table_address,
            second->p_vaddr / kPageBytes * kPageBytes + header.table_offset);
}

TEST(Image, SurvivesDamage) {
  const auto good = read_self();
  std::mt19937 random(20260101);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    auto file = std::vector<u8>(good.begin(), good.begin() + 1024);
    for (int i = 0; i < 4; ++i) file[random() % 832] = static_cast<u8>(random());
    const Header header = read_header(std::span(file).first(kHeadBytes));
    if (header.verdict != HeaderVerdict::good) {
      ++refused;
      continue;
    }
    const Segments segments = read_segments(header, table_of(file, header));
    if (!segments.valid) ++refused;
    for (const LoadSegment& load : segments.loads) {
      EXPECT_LE(load.file_bytes, load.memory_bytes);
      EXPECT_LE(load.address + load.memory_bytes, 0x7fff'ffff'f000U);
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_LT(refused, 20000);
}

}  // namespace
}  // namespace orrery::elf
