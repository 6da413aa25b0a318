// Random instructions without control transfers: the stepper against the processor.
#include <gtest/gtest.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include <cstdlib>
#include <string>

#include "generator.h"
#include "guest_memory.h"
#include "runner.h"
#include "x86/cpu_profile.h"

namespace orrery::differential {
namespace {

u64 number_from_environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string hex(std::span<const u8> bytes) {
  std::string out;
  char text[4];
  for (u8 byte : bytes) {
    std::snprintf(text, sizeof text, "%02x ", byte);
    out += text;
  }
  return out + "\n";
}

u8* scratch_area() {
  void* area = mmap(nullptr, step::kScratchBytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return static_cast<u8*>(area);
}

TEST(Straight, StepperDoesWhatTheProcessorDoes) {
  static GuestMemory memory;
  prepare_process();
  const x86::CpuProfile profile = x86::make_cpu_profile("host", x86::this_cpu(getauxval(AT_HWCAP2))).take();
  step::Stepper stepper(memory.space(), scratch_area(), {profile.features});
  const u64 first = number_from_environment("ORRERY_SEED", std::random_device()());
  const u64 cases = number_from_environment("ORRERY_CASES", 20'000);
  int failures = 0;
  for (u64 seed = first; seed < first + cases && failures < 20; ++seed) {
    Generator generator(seed, profile.features);
    const u64 offset = generator.below(2048);
    const auto code = generator.straight_line(kCode + offset, 1 + generator.below(4));
    memory.set_code(code, offset);
    memory.fill(seed);
    ProcessorState start = generator.state();
    start.regs.rip = kCode + offset;
    const Outcome native = run_native(start);
    memory.remember();
    memory.reset();
    const ExecutorRun stepped = run_stepper(stepper, start);
    const std::string differs = difference(native, stepped.outcome, false) + memory.difference();
    if (!differs.empty()) {
      ++failures;
      ADD_FAILURE() << "ORRERY_SEED=" << seed << "\n" << hex(code) << differs;
    }
  }
}

}  // namespace
}  // namespace orrery::differential
