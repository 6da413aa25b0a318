#include "cli/stack.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>

#include "base/types.h"

namespace orrery::cli {
namespace {

constexpr std::size_t kStackBytes = 8 << 20;
constexpr rlim_t kLimitEnough = 1 << 20;

struct Visit {
  const std::function<int()>* function;
  int result;
};

/// makecontext passes ints only.
void enter(unsigned high, unsigned low) {
  auto* const visit = reinterpret_cast<Visit*>(u64{high} << 32 | low);
  visit->result = (*visit->function)();
}

}  // namespace

int call_with_stack(const std::function<int()>& function) {
  rlimit limit{};
  if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= kLimitEnough) return function();
  void* const stack =
      mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ucontext_t here{}, there{};
  if (stack == MAP_FAILED || getcontext(&there) != 0) return function();
  there.uc_stack.ss_sp = stack;
  there.uc_stack.ss_size = kStackBytes;
  there.uc_link = &here;
  Visit visit{&function, 0};
  const u64 address = reinterpret_cast<u64>(&visit);
  makecontext(&there, reinterpret_cast<void (*)()>(enter), 2, static_cast<unsigned>(address >> 32),
              static_cast<unsigned>(address));
  swapcontext(&here, &there);
  return visit.result;
}

}  // namespace orrery::cli
