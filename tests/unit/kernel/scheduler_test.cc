// Scheduling by itself: tasks that only wait, wake and yield, on stacks of libc's, before a host whose
// answers are laid down.
#include "kernel/scheduler.h"

#include <asm/unistd.h>
#include <ucontext.h>

#include <functional>
#include <map>
#include <string>

#include "guest_fixture.h"
#include "kernel/signal.h"

namespace orrery::kernel {
namespace {

/// Tasks are contexts of libc; what a task does is a function.
class Contexts final : public TaskSwitch {
 public:
  bool create(Task& task, Task&) override {
    Place& place = places_[&task];
    place.stack.resize(1 << 16);
    getcontext(&place.context);
    place.context.uc_stack.ss_sp = place.stack.data();
    place.context.uc_stack.ss_size = place.stack.size();
    entering_ = this;
    makecontext(&place.context, &Contexts::enter, 0);
    return true;
  }
  void switch_to(Task& from, Task& to) override {
    entered_ = &to;
    swapcontext(&places_[&from].context, &places_[&to].context);
  }
  void destroy(Task& task) override { destroyed += task.id.value; }
  std::span<const u8> vector_state(const Task&) const override { return {}; }

  std::map<Task*, std::function<void()>> bodies;
  int destroyed = 0;

 private:
  struct Place {
    ucontext_t context;
    std::vector<char> stack;
  };
  static void enter() { entering_->bodies[entering_->entered_](); }

  static inline Contexts* entering_ = nullptr;
  Task* entered_ = nullptr;
  std::map<Task*, Place> places_;
};

class SchedulerTest : public GuestTest {
 protected:
  SchedulerTest() { scheduler.set_switch(&contexts); }

  Task& add(int id, std::function<void(Task&)> body) {
    process.tasks.push_back(std::make_unique<Task>(process, TaskId(id)));
    Task& task = *process.tasks.back();
    contexts.bodies[&task] = [this, &task, body = std::move(body)] {
      body(task);
      task.state = Exited{};
      scheduler.retire();
    };
    EXPECT_TRUE(scheduler.add(task));
    return task;
  }

  Contexts contexts;
  std::string log;
};

TEST_F(SchedulerTest, YieldingTasksTakeTurns) {
  EXPECT_TRUE(scheduler.alone());
  for (int id : {2, 3})
    add(id, [&, id](Task&) {
      for (int i = 0; i < 2; ++i) {
        log += std::to_string(id);
        scheduler.yield();
      }
    });
  EXPECT_FALSE(scheduler.alone());
  for (int i = 0; i < 4; ++i) {
    log += '1';
    scheduler.yield();
  }
  EXPECT_EQ(log, "12312311");
  EXPECT_TRUE(scheduler.alone());
  EXPECT_EQ(contexts.destroyed, 5);
  EXPECT_EQ(process.tasks.size(), 1u);
}

TEST_F(SchedulerTest, AWaitEndsWhenItIsWoken) {
  Wait wait;
  add(2, [&](Task&) {
    log += 'w';
    scheduler.wake(process.leader());
    log += 'x';
  });
  scheduler.block(wait);
  log += '1';
  EXPECT_TRUE(wait.woken);
  EXPECT_EQ(log, "wx1");
}

TEST_F(SchedulerTest, ASignalEndsAWait) {
  add(2, [&](Task&) {
    SignalInfo info;
    info.number = 10;
    send_to_task(process.leader(), info);
  });
  Wait wait;
  scheduler.block(wait);
  EXPECT_FALSE(wait.woken || wait.ready || wait.timed_out);
  // One that is pending already does not let it begin.
  scheduler.block(wait);
}

TEST_F(SchedulerTest, AQuantumGivesWayOnlyWhenOthersAreReady) {
  scheduler.end_quantum();
  scheduler.give_way();
  add(2, [&](Task&) { log += '2'; });
  scheduler.give_way();
  EXPECT_EQ(log, "");
  scheduler.end_quantum();
  scheduler.give_way();
  EXPECT_EQ(log, "2");
}

/// Later it would give way wherever guest code is stopped next, and a replay does not stop there.
TEST_F(SchedulerTest, AQuantumThatEndsWhileGivingWayIsOverToo) {
  Wait forever;
  add(2, [&](Task&) { scheduler.block(forever); });
  scheduler.yield();
  scheduler.end_quantum();
  spy.answer(-EINTR);
  spy.deliver(host::kQuantumOver);
  scheduler.give_way();
  const std::size_t calls = spy.calls.size();
  scheduler.give_way();
  EXPECT_EQ(spy.calls.size(), calls);
  scheduler.drop_others();
}

TEST_F(SchedulerTest, ExecLeavesTheCallerAlone) {
  add(2, [&](Task&) {
    Wait wait;
    scheduler.block(wait);
    log += 'x';
  });
  add(3, [&](Task&) { log += 'y'; });
  scheduler.end_quantum();
  scheduler.give_way();
  EXPECT_EQ(log, "y");
  scheduler.drop_others();
  EXPECT_TRUE(scheduler.alone());
  scheduler.yield();
  EXPECT_EQ(log, "y");
  EXPECT_EQ(process.tasks.size(), 1u);
}

}  // namespace
}  // namespace orrery::kernel
