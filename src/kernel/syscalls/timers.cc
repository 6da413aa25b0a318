// Timers are kept by the host, which sends their signals to us like any from outside: so the instant of
// each is recorded. What the guest kernel adds: the ids (exec deletes timers), and overruns. The host sees
// every expiry taken at once by the engine; that the guest had it blocked, and how many came meanwhile, is
// known here alone. The same goes for tasks: the host has one, so a timer for one of them signals the process
// there, and its signal is passed on to the task when it comes (signal.cc).
#include <algorithm>
#include <cerrno>

#include "kernel/forward.h"
#include "kernel/syscalls/handlers.h"
#include "linux/signal_event.h"

namespace orrery::kernel {
namespace {

PosixTimer* find_timer(Process& process, int id) {
  const auto found = std::find_if(process.posix_timers.begin(), process.posix_timers.end(),
                                  [id](const PosixTimer& timer) { return timer.id == id; });
  return found == process.posix_timers.end() ? nullptr : &*found;
}

constexpr i32 kNotifySignal = 0, kNotifyTask = 4;  // SIGEV_SIGNAL, SIGEV_THREAD_ID

i64 create_for_task(Call& call, abi::SignalEvent event) {
  event.notify = kNotifySignal;
  CallBuilder builder(call, call.row.number);
  builder.value(0, call.args[0]);
  builder.engine_in(1, &event, sizeof event);
  builder.out(2, call.args[2], sizeof(i32), host::Extent::whole_on_success);
  return builder.perform();
}

}  // namespace

i64 sys_getitimer(Call& call) { return forward(call); }
i64 sys_setitimer(Call& call) { return forward(call); }
i64 sys_alarm(Call& call) { return forward(call); }

i64 sys_timer_create(Call& call) {
  abi::SignalEvent event;
  const bool for_task =
      call.args[1] != 0 && call.space().read_value(call.args[1], event) && event.notify == kNotifyTask;
  const TaskId target{for_task ? event.task : 0};
  if (for_task && call.process.find_task(target) == nullptr) return -EINVAL;
  const i64 result = for_task ? create_for_task(call, event) : forward(call);
  i32 id = 0;
  if (result == 0 && call.space().read_value(call.args[2], id))
    call.process.posix_timers.push_back({.id = id, .target = target});
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
