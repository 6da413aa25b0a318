// Memory accesses noted by a replay, against a decoder of others' (Zydis) over the kernel's single steps
// through the same program run natively, and against what the program says itself.
#include <Zydis/Zydis.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

#include "recorded_session.h"
#include "stepped.h"

namespace orrery::testing {
namespace {

using machine::StopReason;
using translate::Access;
using translate::AccessBy;
using translate::AccessKind;

/// pc, kind, size, and the address as both runs have it.
using Made = std::tuple<u64, u32, u64, u64>;

/// Where the two runs may differ: the stack is told from where it stood, but for what lies below a signal's
/// frame, whose size hangs on the processor; the rest above the program is told by its place in the page.
u64 comparable(u64 address, u64 stack) {
  constexpr u64 kProgramMost = 0x50'0000, kStackBytes = 1 << 20, kCallsBytes = 1024;
  if (address < kProgramMost) return address;
  if (stack - kCallsBytes - address < kStackBytes) return (u64{1} << 62) + address % 8;
  if (address - (stack - kStackBytes) < 2 * kStackBytes) return (u64{1} << 62) + address - stack;
  return (u64{1} << 61) + address % kPageBytes;
}

/// Those of one instruction, in one order; a repeated one's by element.
void add_sorted(std::vector<Made>& all, std::vector<Made>& group) {
  std::sort(group.begin(), group.end());
  all.insert(all.end(), group.begin(), group.end());
  group.clear();
}

class Decoder {
 public:
  Decoder() { ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); }

  struct Answer {
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  };
  const Answer& at(const Stepped& native, u64 pc) {
    const auto [found, added] = answers_.try_emplace(pc);
    if (!added) return found->second;
    u8 bytes[24];
    for (u64 i = 0; i < 24; i += 8) {
      const u64 word = native.word(pc + i);
      std::memcpy(bytes + i, &word, 8);
    }
    EXPECT_TRUE(ZYAN_SUCCESS(
        ZydisDecoderDecodeFull(&decoder_, bytes, 15, &found->second.instruction, found->second.operands)));
    return found->second;
  }

 private:
  ZydisDecoder decoder_;
  std::map<u64, Answer> answers_;
};

u64 value_of(const user_regs_struct& regs, ZydisRegister reg) {
  const u64 values[] = {regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsp, regs.rbp, regs.rsi, regs.rdi,
                        regs.r8,  regs.r9,  regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15};
  if (reg == ZYDIS_REGISTER_AL) return regs.rax & 0xff;
  if (reg == ZYDIS_REGISTER_NONE) return 0;
  return values[ZydisRegisterGetId(reg)];
}

/// What the instruction that was done with these registers accessed, by its operands.
void add_native(std::vector<Made>& group, const Decoder::Answer& answer, const user_regs_struct& regs,
                u64 stack) {
  const bool repeated = (answer.instruction.attributes &
                         (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)) != 0;
  if (repeated && regs.rcx == 0) return;
  if (answer.instruction.meta.category == ZYDIS_CATEGORY_PREFETCH ||
      answer.instruction.mnemonic == ZYDIS_MNEMONIC_NOP)
    return;
  u64 popped = 0;
  for (int i = 0; i < answer.instruction.operand_count; ++i) {
    const ZydisDecodedOperand& operand = answer.operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.type != ZYDIS_MEMOP_TYPE_MEM) continue;
    const bool writes = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    const bool reads = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
    const bool hidden = operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
    u64 address =
        static_cast<u64>(operand.mem.disp.value) + value_of(regs, operand.mem.index) * operand.mem.scale;
    if (operand.mem.base == ZYDIS_REGISTER_RIP)
      address += regs.rip + answer.instruction.length;
    else
      address += value_of(regs, operand.mem.base);
    if (operand.mem.segment == ZYDIS_REGISTER_FS) address += regs.fs_base;
    const bool on_stack = hidden && operand.mem.base == ZYDIS_REGISTER_RSP;
    if (on_stack && writes) address -= operand.size / 8;
    if (on_stack && reads && answer.instruction.mnemonic == ZYDIS_MNEMONIC_POP) popped = operand.size / 8;
    group.push_back({regs.rip, (reads ? 1u : 0u) | (writes ? 2u : 0u), operand.size / 8, address});
  }
  for (Made& made : group) {
    const bool operand_of_pop = popped != 0 && std::get<1>(made) == 2 &&
                                answer.operands[0].mem.base == ZYDIS_REGISTER_RSP &&
                                std::get<0>(made) == regs.rip;
    if (operand_of_pop) std::get<3>(made) += popped;
  }
  for (Made& made : group)
    if (std::get<0>(made) == regs.rip && std::get<3>(made) < u64{1} << 60)
      std::get<3>(made) = comparable(std::get<3>(made), stack);
}

/// Of the program run natively, from `begin` to `end`.
std::vector<Made> native_accesses(const std::string& argument, u64 begin, u64 end) {
  Stepped native(ORRERY_PROGRAMS "/static_accessing", argument);
  native.run_to(begin);
  Decoder decoder;
  std::vector<Made> all, group;
  const u64 stack = native.registers().rsp;
  u64 last = 0;
  native.steps_to(end, [&](const user_regs_struct& regs) {
    const Decoder::Answer& answer = decoder.at(native, regs.rip);
    const bool repeated = (answer.instruction.attributes &
                           (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)) != 0;
    if (!repeated || regs.rip != last) add_sorted(all, group);
    std::vector<Made> one;
    add_native(one, answer, regs, stack);
    group.insert(group.end(), one.begin(), one.end());
    last = regs.rip;
  });
  add_sorted(all, group);
  return all;
}

/// The accesses of a replay from the time it is asked for them.
class Noted {
 public:
  explicit Noted(Session& session) : session_(session) {
    EXPECT_TRUE(static_cast<bool>(session->note_accesses(
        [this](std::span<const u64> records, std::span<const translate::AccessPoint> points) {
          reader_.read(records, points, *this);
        })));
  }

  /// Runs to the breakpoint.
  lens::Stop run_to(u64 address) {
    EXPECT_TRUE(static_cast<bool>(session_->set_breakpoints(std::vector{address})));
    const lens::Stop stop = session_.run();
    EXPECT_EQ(stop.reason, StopReason::breakpoint);
    return stop;
  }

  void block(translate::AccessHeader, const translate::AccessPoint&) {}
  void access(const Access& access) {
    if (access.by == AccessBy::kernel)
      by_kernel.push_back(access);
    else
      accesses.push_back(access);
  }
  const translate::AccessReader& reader() const { return reader_; }

  std::vector<Access> accesses, by_kernel;

 private:
  Session& session_;
  translate::AccessReader reader_;
};

/// In the form of native_accesses(). What a repeated instruction did is one access, or, if it faulted,
/// several.
std::vector<Made> comparable(const std::vector<Access>& accesses, u64 stack,
                             const std::vector<Made>& native) {
  std::map<u64, u64> element;  // natively, by pc of repeated instructions
  for (const auto& [pc, kind, size, address] : native) element[pc] = std::max(element[pc], size);
  std::vector<Made> all, group;
  u64 last = 0;
  for (const Access& access : accesses) {
    if (access.pc != last) add_sorted(all, group);
    last = access.pc;
    const u64 most = element.contains(access.pc) ? element[access.pc] : access.size_bytes;
    const bool whole = access.size_bytes <= most || access.size_bytes % most != 0;
    const u64 size = whole ? access.size_bytes : most;
    for (u64 at = 0; at < access.size_bytes; at += size)
      group.push_back(
          {access.pc, static_cast<u32>(access.kind), size, comparable(access.address + at, stack)});
  }
  add_sorted(all, group);
  return all;
}

class Accesses : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(Accesses, AreThoseOfTheProgramRunNatively) {
  const auto& [work, options] = GetParam();
  const Recorded recorded("static_accessing " + std::string(work), options);
  ASSERT_EQ(recorded.status(), 0);
  const u64 begin = recorded.address("begin"), end = recorded.address("end");
  const std::vector<Made> native = native_accesses(work, begin, end);

  Session session(recorded);
  ASSERT_TRUE(static_cast<bool>(session->count_instructions()));
  Noted noted(session);
  noted.run_to(begin);
  EXPECT_GT(noted.accesses.size(), 1000u);  // the C library's
  EXPECT_EQ(noted.reader().instructions, session->stop().instructions);
  EXPECT_EQ(noted.reader().ticks, session->stop().ticks);
  const u64 stack = session->registers().gpr[4];
  noted.accesses.clear();
  noted.run_to(end);
  EXPECT_EQ(noted.reader().instructions, session->stop().instructions);
  EXPECT_EQ(noted.reader().ticks, session->stop().ticks);

  const std::vector<Made> got = comparable(noted.accesses, stack, native);
  const std::size_t common = std::min(got.size(), native.size());
  const auto [mine, theirs] =
      std::mismatch(got.begin(), got.begin() + static_cast<long>(common), native.begin());
  const auto text = [](const Made& made) {
    char line[100];
    std::snprintf(line, sizeof line, "pc %lx kind %u size %lu address %lx", std::get<0>(made),
                  std::get<1>(made), std::get<2>(made), std::get<3>(made));
    return std::string(line);
  };
  if (mine != got.begin() + static_cast<long>(common)) {
    FAIL() << "access " << mine - got.begin() << ": " << text(*mine) << ", natively " << text(*theirs);
  }
  EXPECT_EQ(got.size(), native.size());
  EXPECT_GT(got.size(), 200u);
  session.run();
  EXPECT_TRUE(session.ends_equal());
}

INSTANTIATE_TEST_SUITE_P(Works, Accesses,
                         ::testing::Combine(::testing::Values("moves", "locked", "vectors", "strings",
                                                              "calls", "faults"),
                                            ::testing::Values("", "--cpu host")),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) +
                                  (*std::get<1>(info.param) != '\0' ? "InMemory" : "");
                         });

class ChosenAccesses : public ::testing::TestWithParam<const char*> {};

TEST_P(ChosenAccesses, AreThoseThatTheProgramNames) {
  const std::string work = GetParam();
  if (work == "masks" && !__builtin_cpu_supports("avx512vl")) GTEST_SKIP() << "no AVX-512 here";
  const Recorded recorded("static_accessing " + work, work == "masks" ? "--cpu host" : "");
  ASSERT_EQ(recorded.status(), 0);
  std::vector<std::tuple<u64, u64, u32>> wanted, got;
  for (const std::string& line : recorded.lines()) {
    unsigned long address = 0, size = 0;
    unsigned kind = 0;
    if (std::sscanf(line.c_str(), "want 0x%lx %lu %u", &address, &size, &kind) == 3)
      wanted.emplace_back(address, size, kind);
  }
  ASSERT_FALSE(wanted.empty());

  Session session(recorded);
  Noted noted(session);
  noted.run_to(recorded.address("begin"));
  const u64 stack = session->registers().gpr[4];
  noted.accesses.clear();
  noted.run_to(recorded.address("end"));
  for (const Access& access : noted.accesses)
    if (access.address - (stack - 4096) > 8192)
      got.emplace_back(access.address, access.size_bytes, static_cast<u32>(access.kind));
  EXPECT_EQ(got, wanted);
  session.run();
  EXPECT_TRUE(session.ends_equal());
}

INSTANTIATE_TEST_SUITE_P(Works, ChosenAccesses, ::testing::Values("bits", "bytes", "elements", "masks"),
                         [](const auto& info) { return std::string(info.param); });

// Threads, signals from outside, patched code, a dynamic program; a stream that is full many times.
TEST(AccessNotes, LeaveTheReplayAsItIs) {
  for (const char* program :
       {"threads", "static_counted patches", "static_counted signals", "static_counted stack"}) {
    const Recorded recorded(program);
    Session session(recorded);
    ASSERT_TRUE(static_cast<bool>(session->count_instructions()));
    Noted noted(session);
    session.run();
    EXPECT_EQ(noted.reader().instructions, session->stop().instructions) << program;
    EXPECT_GT(noted.by_kernel.size(), 3u) << program;
    EXPECT_TRUE(session.ends_equal()) << program;
  }
}

TEST(AccessNotes, OfFirstTouchesKnowEachPage) {
  const Recorded recorded("static_accessing pages");
  ASSERT_EQ(recorded.status(), 0);
  const u64 map = recorded.address("map");
  Session session(recorded);
  ASSERT_TRUE(static_cast<bool>(session->note_first_touches()));
  session.run();
  auto touches = session->take_first_touches();
  ASSERT_TRUE(static_cast<bool>(touches));
  std::vector<std::tuple<u64, u32, bool>> got;
  for (const machine::ControlTouch& touch : touches.value())
    if (touch.page >= map && touch.page < map + 16 * kPageBytes)
      got.emplace_back((touch.page - map) / kPageBytes, touch.how, touch.by_kernel);
  const std::vector<std::tuple<u64, u32, bool>> wanted = {
      {0, 1, false}, {1, 2, false}, {1, 1, false}, {3, 2, false}, {4, 2, false}, {5, 1, true},
      {6, 2, true},  {8, 2, false}, {8, 1, false}, {9, 2, false}, {12, 1, false}};
  EXPECT_EQ(got, wanted);
  EXPECT_TRUE(session.ends_equal());
}

}  // namespace
}  // namespace orrery::testing
