// Timers are kept by the host, which sends their signals to us like any from outside: so the instant of
// each is recorded. What the guest kernel adds: the ids (exec deletes timers), and overruns. The host sees
// every expiry taken at once by the engine; that the guest had it blocked, and how many came meanwhile, is
// known here alone.
#include <algorithm>
#include <cerrno>

#include "kernel/forward.h"
#include "kernel/syscalls/handlers.h"

namespace orrery::kernel {
namespace {

PosixTimer* find_timer(Process& process, int id) {
  const auto found = std::find_if(process.posix_timers.begin(), process.posix_timers.end(),
                                  [id](const PosixTimer& timer) { return timer.id == id; });
  return found == process.posix_timers.end() ? nullptr : &*found;
}

}  // namespace

i64 sys_getitimer(Call& call) { return forward(call); }
i64 sys_setitimer(Call& call) { return forward(call); }
i64 sys_alarm(Call& call) { return forward(call); }

i64 sys_timer_create(Call& call) {
  const i64 result = forward(call);
  i32 id = 0;
  if (result == 0 && call.space().read_value(call.args[2], id))
    call.process.posix_timers.push_back({.id = id});
  return result;
}

i64 sys_timer_settime(Call& call) {
  const i64 result = forward(call);
  if (PosixTimer* timer = find_timer(call.process, call.fd(0)); result == 0 && timer != nullptr)
    timer->overruns = 0;
  return result;
}

i64 sys_timer_gettime(Call& call) { return forward(call); }

i64 sys_timer_getoverrun(Call& call) {
  const PosixTimer* timer = find_timer(call.process, call.fd(0));
  return timer == nullptr ? -EINVAL : timer->overruns;
}

i64 sys_timer_delete(Call& call) {
  const i64 result = forward(call);
  const int id = call.fd(0);
  if (result == 0)
    std::erase_if(call.process.posix_timers, [id](const PosixTimer& timer) { return timer.id == id; });
  return result;
}

}  // namespace orrery::kernel
