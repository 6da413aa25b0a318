// The processor, the stepper and the translator side by side.
//
// The engine's memory (shadow code tables of many gigabytes at fixed addresses) must not be there when
// the processor runs a case, or a wild access would not fault. So a batch of cases is run on the
// processor and the stepper first; then a forked child maps the engine's memory and runs the same
// batch through the translator. ORRERY_SEED and ORRERY_CASES repeat or widen a run.
#include <gtest/gtest.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "campaign.h"
#include "generator.h"
#include "guest_memory.h"
#include "machine/engine_memory.h"
#include "memory/layout.h"
#include "runner.h"
#include "x86/cpu_profile.h"
#include "x86/decode.h"

namespace orrery::differential {
namespace {

constexpr u64 kBatch = 500;
constexpr int kFailuresMost = 3;
constexpr u64 kTicksMost = 20'000;  // of a program that jumped past its fuel checks and does not end

u8* scratch_area() {
  void* area = mmap(nullptr, step::kScratchBytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return static_cast<u8*>(area);
}

enum class Kind {
  straight_line,
  program,
  planted,  ///< a program with one instruction replaced by one that faults; consecutive seeds try them all
};
constexpr u64 kPlacesMost = 128;  ///< instructions of a program that are replaced in turn
constexpr u64 kLockstepTicksMost = 400;

/// What a case is run from, made again from its seed wherever it is needed.
struct Case {
  u64 seed = 0;
  std::vector<u8> code;
  ProcessorState start;
};

/// Replaces the first byte of the instruction with that number (modulo their count) by an undefined opcode,
/// hlt, int3 or, on Intel's processors, int1: others report that one elsewhere.
void plant(std::vector<u8>& code, u64 number) {
  static constexpr u8 kFaulting[] = {0x06, 0xf4, 0xcc, 0xf1};
  std::vector<u64> starts;
  for (u64 at = 0; at < code.size();) {
    starts.push_back(at);
    at += std::max<u64>(1, x86::decode({code.data() + at, code.size() - at}).length);
    while (at < code.size() && code[at] == 0x90) ++at;
  }
  static const u64 faulting = std::size(kFaulting) - (__builtin_cpu_is("intel") ? 0 : 1);
  code[starts[number % starts.size()]] = kFaulting[number / starts.size() % faulting];
}

Case make_case(GuestMemory& memory, Kind kind, u64 seed, const x86::FeatureSet& features) {
  Generator generator(kind == Kind::planted ? seed / kPlacesMost : seed, features);
  Case result;
  result.seed = seed;
  const u64 base = kCodeBases[generator.below(std::size(kCodeBases))], offset = generator.below(2048);
  if (kind == Kind::straight_line)
    result.code = generator.straight_line(base + offset, 1 + generator.below(4));
  else
    result.code = generator.program(base + offset, 2 + generator.below(12));
  if (kind == Kind::planted) plant(result.code, seed % kPlacesMost);
  memory.set_code(result.code, base, offset);
  memory.set_fuel(static_cast<u32>(generator.below(100)));
  memory.fill(seed);
  result.start = generator.state();
  result.start.regs.rip = base + offset;
  return result;
}

/// What the processor and the stepper made of a case.
struct Expected {
  Outcome outcome;
  GuestMemory::Contents memory;
  u64 ticks = 0;
  cpu::ExitKind kind = cpu::ExitKind::fault;
};

struct Totals {
  u64 cases = 0, completed = 0, ticks = 0;
  std::set<u32> opcodes;  ///< encoding, map and opcode of every instruction of the completed straight lines
};

class Campaign {
 public:
  Campaign(Kind kind, std::string_view profile_name)
      : kind_(kind),
        profile_(x86::make_cpu_profile(profile_name, x86::this_cpu(getauxval(AT_HWCAP2))).take()),
        stepper_(memory_.space(), scratch_area(), {profile_.features}) {
    prepare_process();
  }

  void run(u64 cases) {
    const u64 first = first_seed();
    cases = case_count(cases);
    for (u64 done = 0; done < cases && !testing::Test::HasFailure(); done += kBatch) {
      const u64 count = std::min(kBatch, cases - done);
      run_on_processor_and_stepper(first + done, count);
      if (!testing::Test::HasFailure()) run_translator_in_child(first + done, count);
    }
    std::printf("%lu cases, %lu ran to their end, %lu opcodes, %lu ticks\n", totals_.cases, totals_.completed,
                totals_.opcodes.size(), totals_.ticks);
  }

 private:
  bool hides_avx512() const { return !profile_.features.contains(x86::Feature::avx512f); }

  void run_on_processor_and_stepper(u64 first, u64 count) {
    expected_.resize(count);
    for (u64 i = 0; i < count && failures_ < kFailuresMost; ++i) {
      const Case test = make_case(memory_, kind_, first + i, profile_.features);
      expected_[i] = expect(test);
      ++totals_.cases;
      if (expected_[i].outcome.fault.signal == SIGTRAP) count_completed(test);
      totals_.ticks += expected_[i].ticks;
    }
  }

  /// The stepper goes first: a jump into the middle of an instruction may find a system call there, which
  /// must not run on the processor. Then there is only the stepper's word for the state in which the code
  /// stops.
  Expected expect(const Case& test) {
    const ExecutorRun stepped = run_stepper(stepper_, test.start, {.stop_at_tick = kTicksMost});
    memory_.remember();
    Expected expected{stepped.outcome, memory_.remembered(), stepped.ticks, stepped.kind};
    const u64 stopped_at = stepped.outcome.state.regs.rip;
    if (stepped.kind != cpu::ExitKind::fault || at_far_transfer(stopped_at) || behind_int1(stopped_at))
      return expected;
    memory_.reset();
    expected.outcome = run_native(test.start);
    memory_.remember();
    const std::string differs = difference(expected.outcome, stepped.outcome, false) +
                                memory_difference(memory_.remembered(), expected.memory);
    if (!differs.empty()) {
      ++failures_;
      ADD_FAILURE() << "stepper, ORRERY_SEED=" << test.seed << std::hex << ", code at " << test.start.regs.rip
                    << ", ended at " << expected.outcome.state.regs.rip << "\n"
                    << hex(test.code) << differs;
    }
    return expected;
  }

  /// Which processors that are not Intel's report elsewhere.
  bool behind_int1(u64 pc) {
    constexpr u8 kInt1 = 0xf1;
    return !__builtin_cpu_is("intel") &&
           memory_.space().accessible_bytes(pc - 1, 1, memory::Access::execute) == 1 &&
           *reinterpret_cast<const u8*>(pc - 1) == kInt1;
  }

  /// Far transfers raise #GP(0) in both executors; the processor names the selector, or does them.
  bool at_far_transfer(u64 pc) {
    const u64 bytes = memory_.space().accessible_bytes(pc, 15, memory::Access::execute);
    const auto decoded = x86::decode({reinterpret_cast<const u8*>(pc), bytes});
    return bytes > 0 && decoded.category == x86::Category::far_transfer;
  }

  void count_completed(const Case& test) {
    ++totals_.completed;
    if (kind_ != Kind::straight_line) return;
    for (std::span<const u8> rest = test.code; rest.size() > 1;) {
      const x86::Decoded decoded = x86::decode(rest);
      totals_.opcodes.insert(static_cast<u32>(decoded.encoding) << 16 | static_cast<u32>(decoded.map << 8) |
                             decoded.opcode);
      rest = rest.subspan(decoded.length);
    }
  }

  void run_translator_in_child(u64 first, u64 count) {
    const pid_t child = fork();
    if (child == 0) {
      translate_batch(first, count);
      std::fflush(stderr);
      _exit(failures_ == 0 ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << "translator, in the batch from ORRERY_SEED=" << first;
  }

  void translate_batch(u64 first, u64 count) {
    CHECK(machine::map_engine_memory(), "the engine's memory is free");
    const auto home =
        profile_.spare_vector_registers ? translate::TickHome::vector : translate::TickHome::memory;
    // Every other batch as if its code were patched all the time.
    const bool checked = first / kBatch % 2 == 1;
    translate::Translator translator(
        memory_.space(), {.tick_home = home, .features = profile_.features, .always_checked = checked});
    for (u64 i = 0; i < count && failures_ < kFailuresMost; ++i)
      translate_case(translator, first + i, expected_[i]);
  }

  void translate_case(translate::Translator& translator, u64 seed, const Expected& expected) {
    if (hits_the_engine(expected.outcome.fault)) return;
    const Case test = make_case(memory_, kind_, seed, profile_.features);
    cpu::RunLimits limits;
    if (expected.kind == cpu::ExitKind::tick_reached) limits.stop_at_tick = kTicksMost;
    const ExecutorRun run = run_translator(translator, test.start, limits);
    std::string differs = difference(expected.outcome, run.outcome, hides_avx512()) +
                          memory_difference(expected.memory, memory_.contents());
    if (run.kind != expected.kind) differs += "  another kind of exit\n";
    if (run.ticks != expected.ticks)
      differs +=
          "  ticks: expected " + std::to_string(expected.ticks) + " got " + std::to_string(run.ticks) + "\n";
    if (differs.empty() && expected.ticks > 0) differs = stop_at_tick(translator, test, expected);
    if (differs.empty() && seed % 4 == 0 && expected.ticks <= kLockstepTicksMost)
      differs = stop_at_every_tick(translator, test, expected.ticks);
    if (differs.empty()) return;
    ++failures_;
    std::fprintf(stderr, "translator, ORRERY_SEED=%lu, code at %lx\n%s%s\n", seed, test.start.regs.rip,
                 hex(test.code).c_str(), differs.c_str());
  }

  /// Both executors stopped at the same tick must be in the same state.
  std::string stop_at_tick(translate::Translator& translator, const Case& test, const Expected& expected) {
    cpu::RunLimits limits;
    limits.stop_at_tick = 1 + test.seed % expected.ticks;
    memory_.reset();
    const ExecutorRun stepped = run_stepper(stepper_, test.start, limits);
    memory_.remember();
    memory_.reset();
    const ExecutorRun translated = run_translator(translator, test.start, limits);
    std::string differs = difference(stepped.outcome, translated.outcome, hides_avx512()) +
                          memory_difference(memory_.remembered(), memory_.contents());
    if (stepped.kind != translated.kind) differs += "  another kind of exit\n";
    if (stepped.ticks != translated.ticks)
      differs += "  ticks: got " + std::to_string(translated.ticks) + "\n";
    return differs.empty() ? differs
                           : "  stopped at tick " + std::to_string(limits.stop_at_tick) + "\n" + differs;
  }

  /// The same at every tick, each run going on from the state in which the last one stopped.
  std::string stop_at_every_tick(translate::Translator& translator, const Case& test, u64 ticks) {
    std::vector<Outcome> stepped;
    ProcessorState state = test.start;
    memory_.reset();
    for (u64 tick = 1; tick <= ticks; ++tick) {
      stepped.push_back(run_stepper(stepper_, state, {.stop_at_tick = 1}).outcome);
      state = stepped.back().state;
    }
    state = test.start;
    memory_.reset();
    for (u64 tick = 1; tick <= ticks; ++tick) {
      const Outcome translated = run_translator(translator, state, {.stop_at_tick = 1}).outcome;
      const std::string differs = difference(stepped[tick - 1], translated, hides_avx512());
      if (!differs.empty()) return "  in steps, at tick " + std::to_string(tick) + "\n" + differs;
      state = translated.state;
    }
    return {};
  }

  /// Where the native case faulted the engine has memory: the translated one would not fault.
  static bool hits_the_engine(const cpu::Fault& fault) {
    if (fault.signal != SIGSEGV || fault.address == 0) return false;
    for (const memory::layout::Range& range : memory::layout::kReserved)
      if (range.overlaps(fault.address, fault.address + 64)) return true;
    return false;
  }

  Kind kind_;
  x86::CpuProfile profile_;
  GuestMemory memory_;
  step::Stepper stepper_;
  std::vector<Expected> expected_;
  Totals totals_;
  int failures_ = 0;
};

void run_campaign(Kind kind, std::string_view profile_name, u64 cases) {
  if (!processor_suffices()) GTEST_SKIP() << "no FSGSBASE or XSAVE here";
  Campaign(kind, profile_name).run(cases);
}

TEST(Differential, StraightLinesWithoutAvx512) { run_campaign(Kind::straight_line, "auto", 10'000); }
TEST(Differential, StraightLinesWithEverything) { run_campaign(Kind::straight_line, "host", 10'000); }
TEST(Differential, ProgramsWithoutAvx512) { run_campaign(Kind::program, "auto", 5'000); }
TEST(Differential, ProgramsWithEverything) { run_campaign(Kind::program, "host", 5'000); }
TEST(Differential, AFaultAtEveryInstruction) { run_campaign(Kind::planted, "auto", 8'000); }
TEST(Differential, AFaultAtEveryInstructionWithEverything) { run_campaign(Kind::planted, "host", 8'000); }

}  // namespace
}  // namespace orrery::differential
