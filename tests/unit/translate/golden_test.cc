// Golden code: guest bytes in, emitted code out. golden.txt holds for each case what is emitted, so that a
// change of translation shows as a diff. ORRERY_UPDATE_GOLDEN=1 writes the file anew.
#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "guest_memory.h"
#include "translate/block_builder.h"
#include "translate/code_cache.h"

namespace orrery::translate {
namespace {

struct Case {
  const char* name;
  std::vector<u8> code;
  Variant variant = Variant::fast;
  TickHome home = TickHome::vector;
  bool checked = false;
  std::vector<u64> breakpoints = {};  ///< offsets
  bool counts = false;
  bool notes = false;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"plain instructions are copied; syscall leaves",
       {0x48, 0x01, 0xd8, 0xc5, 0xfd, 0xef, 0xc0, 0x0f, 0x05}},
      {"direct call pushes the guest's return address", {0xe8, 0x10, 0x00, 0x00, 0x00}},
      {"return", {0xc3}},
      {"return that pops arguments", {0xc2, 0x10, 0x00}},
      {"return, exact", {0xc3}, Variant::exact},
      {"return, counter in memory", {0xc3}, Variant::fast, TickHome::memory},
      {"backward jcc counts ahead and takes back", {0x48, 0xff, 0xcf, 0x75, 0xfb, 0x0f, 0x05}},
      {"backward jcc, exact", {0x48, 0xff, 0xcf, 0x75, 0xfb, 0x0f, 0x05}, Variant::exact},
      {"backward jcc, counter in memory", {0x75, 0xfe, 0x0f, 0x05}, Variant::fast, TickHome::memory},
      {"backward jcc, exact, counter in memory", {0x75, 0xfe, 0x0f, 0x05}, Variant::exact, TickHome::memory},
      {"forward jcc is not a tick", {0x74, 0x02, 0x0f, 0x05}},
      {"forward jmp", {0xeb, 0x10}},
      {"loop", {0xe2, 0xfe, 0x0f, 0x05}},
      {"jmp through a register", {0xff, 0xe1}},
      {"call through memory with a base", {0xff, 0x53, 0x08}},
      {"call through a rip-relative slot", {0xff, 0x15, 0x00, 0x10, 0x00, 0x00}},
      {"rip-relative load within reach", {0x48, 0x8b, 0x05, 0x00, 0x10, 0x00, 0x00, 0x0f, 0x05}},
      {"rip-relative store with an immediate",
       {0xc7, 0x05, 0x00, 0x10, 0x00, 0x00, 0x78, 0x56, 0x34, 0x12, 0x0f, 0x05}},
      {"self-checking, ends behind a store",
       {0x48, 0x89, 0x07, 0xff, 0xc0, 0xc3},
       Variant::fast,
       TickHome::vector,
       true},
      {"breakpoints at the first instruction and at the third",
       {0x90, 0x90, 0x90, 0x0f, 0x05},
       Variant::fast,
       TickHome::vector,
       false,
       {0, 2}},
      {"instructions counted: a load that may fault, a backward jcc, a call",
       {0x48, 0x8b, 0x07, 0x48, 0xff, 0xcf, 0x75, 0xf8, 0xe8, 0x10, 0x00, 0x00, 0x00},
       Variant::fast,
       TickHome::vector,
       false,
       {},
       true},
      {"instructions counted, counter in memory",
       {0x48, 0xff, 0xcf, 0x75, 0xfb, 0x74, 0x02, 0xc3},
       Variant::fast,
       TickHome::memory,
       false,
       {},
       true},
      {.name = "accesses noted: by a base, rip-relative, by base and index, pushed; a forward jcc; a return",
       .code = {0x48, 0x8b, 0x47, 0x08, 0x48, 0x8b, 0x05, 0x00, 0x10, 0x00, 0x00,
                0x4a, 0x89, 0x44, 0xc7, 0x10, 0x53, 0x74, 0x02, 0x41, 0x5a, 0xc3},
       .notes = true},
      {.name = "accesses noted: a repeated string, thread-local, a backward jcc, counter in memory",
       .code = {0xf3, 0xa4, 0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0x00, 0x00, 0x00, 0x75, 0xf3, 0x0f, 0x05},
       .home = TickHome::memory,
       .notes = true},
      {.name = "accesses noted: a gather is for the engine",
       .code = {0xc4, 0xe2, 0x6d, 0x90, 0x0c, 0x1f, 0x0f, 0x05},
       .notes = true},
      {"cpuid is gated", {0x0f, 0xa2}},
      {"ud2 is raised, never run", {0x0f, 0x0b}},
      {"an undefined opcode is raised", {0x06}},
  };
  return all;
}

std::string hex(const u8* bytes, std::size_t count) {
  std::string text;
  char piece[4];
  for (std::size_t i = 0; i < count; ++i) {
    std::snprintf(piece, sizeof piece, "%02x ", bytes[i]);
    text += piece;
  }
  if (!text.empty()) text.pop_back();
  return text;
}

std::string disassemble(const u8* code, std::size_t size) {
  std::ostringstream out;
  for (std::size_t at = 0; at < size;) {
    ZydisDisassembledInstruction instruction;
    const u64 address = reinterpret_cast<u64>(code + at);
    if (!ZYAN_SUCCESS(
            ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, address, code + at, size - at, &instruction))) {
      out << "  data " << hex(code + at, size - at) << "\n";
      break;
    }
    out << "  " << instruction.text << "\n";
    at += instruction.info.length;
  }
  return out.str();
}

std::string translate_all() {
  std::ostringstream out;
  const x86::FeatureSet features = all_features();
  BlockBuilder builder(guest_memory().space(), features);
  for (const Case& test : cases()) {
    const u64 pc = guest_memory().put(test.code);
    std::vector<AccessPoint> points;
    Breakpoints breakpoints;
    for (const u64 offset : test.breakpoints) breakpoints.add(std::vector{pc + offset});
    EXPECT_TRUE(builder.build(pc, 0, 1,
                              {.variant = test.variant,
                               .tick_home = test.home,
                               .checked = test.checked,
                               .counts = test.counts,
                               .breakpoints = &breakpoints,
                               .points = test.notes ? &points : nullptr}))
        << test.name;
    const Block& block = builder.result().block;
    out << "# " << test.name << "\n" << hex(test.code.data(), test.code.size()) << "\n";
    out << disassemble(cache_at(block.host_begin), block.host_end - block.host_begin) << "\n";
  }
  return out.str();
}

TEST(Golden, EmittedCodeIsAsReviewed) {
  const std::string path = std::string(ORRERY_SOURCE_DIR) + "/tests/unit/translate/golden.txt";
  const std::string now = translate_all();
  if (std::getenv("ORRERY_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << now;
    GTEST_SKIP() << "golden.txt written";
  }
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(golden.str(), now) << "review the change, then run with ORRERY_UPDATE_GOLDEN=1";
}

}  // namespace
}  // namespace orrery::translate
