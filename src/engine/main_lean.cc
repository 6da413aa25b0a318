// The engine: what becomes the guest process. It is executed by `orrery` with descriptors laid out as
// machine/launch.h says, builds the machine from the launch block, runs the guest, and ends as it did.
//
// The chain of hosts is chosen here and nowhere else: recording puts RecordingHost in front of the live
// one, a replay answers from the ring, `run` asks the kernel directly.
#include <asm/unistd.h>

#include "engine/launch_block.h"
#include "engine/session.h"
#include "host/raw_syscall.h"
#include "machine/engine_memory.h"
#include "machine/fatal.h"
#include "machine/root.h"

namespace orrery::engine {

namespace {

constexpr int kCannotStart = 69;  // EX_UNAVAILABLE: the recorder could not start

[[noreturn]] void give_up(const Error& error) {
  StderrReport report(false);
  std::vector<char> words;
  constexpr std::string_view kCannot = "cannot ";
  words.insert(words.end(), kCannot.begin(), kCannot.end());
  const std::string_view doing = error.doing;
  words.insert(words.end(), doing.begin(), doing.end());
  report.line({words.data(), words.size()});
  for (;;) host::raw_syscall(__NR_exit_group, kCannotStart);
}

/// The decimal number of the first engine descriptor, or -1.
int parse_descriptor(const char* text) {
  int value = 0;
  for (; *text >= '0' && *text <= '9'; ++text) value = value * 10 + (*text - '0');
  return *text == 0 && value > 2 ? value : -1;
}

/// Before there is a heap: says it with what there is.
[[noreturn]] void refuse(std::string_view words) {
  host::raw_syscall(__NR_write, 2, words.data(), words.size());
  for (;;) host::raw_syscall(__NR_exit_group, kCannotStart);
}

}  // namespace

}  // namespace orrery::engine

extern "C" {

/// On the host's stack: `stack` is the kernel's argument block. Maps the engine's memory and returns
/// the top of the engine's own stack.
orrery::u64 orrery_engine_prepare(const orrery::u64* stack) {
  using namespace orrery;
  const int first_fd = stack[0] == 2 ? engine::parse_descriptor(reinterpret_cast<const char*>(stack[2])) : -1;
  if (first_fd < 0) engine::refuse("orrery-engine: started by `orrery record` and `orrery replay` only\n");
  const Status mapped = machine::map_engine_memory();
  if (!mapped) {
    engine::refuse(
        "orrery: cannot lay out the engine's address space: `orrery doctor` says what this host allows\n");
  }
  auto* pages = new (reinterpret_cast<void*>(&machine::root().heap_pages)) machine::EngineHeapPages();
  machine::root().first_fd = first_fd;
  machine::root().heap = Heap::create(machine::kHeapStart, machine::kHeapBytesMost, *pages);
  if (machine::root().heap == nullptr) engine::refuse("orrery: cannot map the engine's heap\n");
  return machine::engine_stack_top();
}

void orrery_engine_main() {
  using namespace orrery;
  const int first_fd = machine::root().first_fd;
  auto block = engine::read_launch_block(first_fd + machine::kLaunchFd);
  if (!block) engine::give_up(block.error());
  auto* session = new engine::Session(first_fd, block.take());
  session->run();
  host::raw_syscall(__NR_exit_group, 0);
}

}  // extern "C"
