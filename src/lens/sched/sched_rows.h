// The tables of the layer sched.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/table.h"

namespace orrery::lens::sched {

struct TaskRow {
  u32 process = 0;
  i32 task = 0;
  std::string name{};
  std::optional<i32> maker{};
  u64 begin_ns = 0, end_ns = 0, running_ns = 0, ready_ns = 0, blocked_ns = 0;
  u64 blocks = 0, quanta = 0, yields = 0;
};

constexpr db::Column<TaskRow> kTaskColumns[] = {
    db::column<&TaskRow::process>("process", "Whose thread it is: a process of the table process.",
                                  db::Key::indexed),
    db::column<&TaskRow::task>("task", "Its id as the program saw it."),
    db::column<&TaskRow::name>("name", "As the program named it (PR_SET_NAME), else the program's name."),
    db::column<&TaskRow::maker>("maker", "The thread that made it; NULL for a process's first."),
    db::column<&TaskRow::begin_ns>("begin_ns", "When it began, in ns since the recording did."),
    db::column<&TaskRow::end_ns>("end_ns", "When it ended, or its process or the recording did."),
    db::column<&TaskRow::running_ns>("running_ns", "How long it ran."),
    db::column<&TaskRow::ready_ns>("ready_ns", "How long it could have run while others did."),
    db::column<&TaskRow::blocked_ns>("blocked_ns", "How long it waited in system calls."),
    db::column<&TaskRow::blocks>("blocks", "How often it gave the processor up to wait."),
    db::column<&TaskRow::quanta>("quanta", "How often its quantum was over while others were ready."),
    db::column<&TaskRow::yields>("yields", "How often it let others run (sched_yield)."),
};
constexpr db::Table<TaskRow> kTasks = {
    "task", "The threads of all processes, with how long each ran, was ready, and was blocked.",
    kTaskColumns};

struct StretchRow {
  u32 process = 0;
  i32 task = 0;
  std::string state{};
  u64 begin_ns = 0, end_ns = 0, event = 0, ticks = 0;
  std::optional<std::string> reason{}, call{}, object{};
  std::optional<i32> owner{};
  std::string ending{};
  u64 turns = 1;
};

constexpr db::Column<StretchRow> kStretchColumns[] = {
    db::column<&StretchRow::process>("process", "Whose thread it is.", db::Key::indexed),
    db::column<&StretchRow::task>("task", "The thread."),
    db::column<&StretchRow::state>("state", "running, ready or blocked."),
    db::column<&StretchRow::begin_ns>("begin_ns", "From when, in ns since the recording began."),
    db::column<&StretchRow::end_ns>("end_ns", "To when."),
    db::column<&StretchRow::event>("event",
                                   "The process's next event then; of a wait, at the call: the instant."),
    db::column<&StretchRow::ticks>("ticks", "Ticks of the thread then."),
    db::column<&StretchRow::reason>(
        "reason",
        "What a blocked one waits for: lock, condition (or barrier), thread, child, pipe, socket, "
        "disk, readiness (poll, select, epoll), timer, signal, file lock, semaphore, call; else NULL."),
    db::column<&StretchRow::call>("call", "The system call it is blocked in."),
    db::column<&StretchRow::object>("object", "What that waits on: a lock's name, a path, a peer, a pid."),
    db::column<&StretchRow::owner>("owner",
                                   "Of a lock the thread that held it, of thread the one that is joined."),
    db::column<&StretchRow::ending>(
        "ending",
        "How it ended. Running: blocked, quantum, yielded, exited. Blocked: woken (by a thread of the "
        "process), "
        "ready (a descriptor, or the host answered), timeout, signal. Ready: ran. Empty: with the process."),
    db::column<&StretchRow::turns>(
        "turns",
        "1, or how many are merged: of a thread that only yields (sched_yield), after 256 turns in a row "
        "each "
        "1024 are told as if it had run once, as long as in all of them, and then been ready once."),
};
constexpr db::Table<StretchRow> kStretches = {
    "task_stretch", "What each thread did from when to when: the lanes of a timeline.", kStretchColumns};

struct WakeRow {
  u32 process = 0;
  i32 task = 0;
  u64 time_ns = 0;
  u32 by_process = 0;
  i32 by_task = 0;
  u64 by_event = 0, by_ticks = 0, by_ns = 0;
  std::string how{};
};

constexpr db::Column<WakeRow> kWakeColumns[] = {
    db::column<&WakeRow::process>("process", "Of the thread that was woken.", db::Key::indexed),
    db::column<&WakeRow::task>("task", "The thread that was woken, or made."),
    db::column<&WakeRow::time_ns>("time_ns", "When it became ready, in ns since the recording began."),
    db::column<&WakeRow::by_process>("by_process", "Of the thread that woke it."),
    db::column<&WakeRow::by_task>("by_task", "That thread."),
    db::column<&WakeRow::by_event>("by_event", "The next event of its process at the call that did."),
    db::column<&WakeRow::by_ticks>("by_ticks", "Ticks of that thread then."),
    db::column<&WakeRow::by_ns>("by_ns", "When that call did it."),
    db::column<&WakeRow::how>("how",
                              "made, the waker's system call, exit, or in place of a call \"quantum\" if it "
                              "was not in one."),
};
constexpr db::Table<WakeRow> kWakes = {
    "wakeup",
    "Who woke whom: within a process exactly, across pipes, sockets, waits and kills by their times.",
    kWakeColumns};

struct LockRow {
  u32 process = 0;
  u64 address = 0;
  std::string name{}, reason{}, taken_in{};
  u64 waits = 0, total_ns = 0, longest_ns = 0, waiters = 0;
  std::optional<i32> owner{};
};

constexpr db::Column<LockRow> kLockColumns[] = {
    db::column<&LockRow::process>("process", "Whose futex it is.", db::Key::indexed),
    db::column<&LockRow::address>("address", "Of the lock, condition, ... of glibc, else of the futex word."),
    db::column<&LockRow::name>("name", "The variable it lies in, as far as symbols tell, else the address."),
    db::column<&LockRow::reason>("reason", "lock, condition, semaphore or thread, as in task_stretch."),
    db::column<&LockRow::taken_in>("taken_in", "The call stack in which it was waited for longest."),
    db::column<&LockRow::waits>("waits", "How often a thread slept on it."),
    db::column<&LockRow::total_ns>("total_ns", "How long, all waits together."),
    db::column<&LockRow::longest_ns>("longest_ns", "The longest."),
    db::column<&LockRow::waiters>("waiters", "How many threads did."),
    db::column<&LockRow::owner>("owner", "Who held it for longest while others waited; NULL: not known."),
};
constexpr db::Table<LockRow> kLocks = {
    "lock_contention", "Futexes that threads slept on, with how often and how long.", kLockColumns};

struct LockWaitRow {
  u32 process = 0;
  u64 address = 0;
  i32 task = 0;
  u64 begin_ns = 0, end_ns = 0, event = 0, ticks = 0;
  std::optional<i32> owner{}, woken_by{};
  std::optional<std::string> stack{}, owner_stack{};
};

constexpr db::Column<LockWaitRow> kLockWaitColumns[] = {
    db::column<&LockWaitRow::process>("process", "Whose futex it is.", db::Key::indexed),
    db::column<&LockWaitRow::address>("address", "Of what it slept on: see lock_contention.",
                                      db::Key::indexed),
    db::column<&LockWaitRow::task>("task", "The thread that slept."),
    db::column<&LockWaitRow::begin_ns>("begin_ns", "From when, in ns since the recording began."),
    db::column<&LockWaitRow::end_ns>("end_ns", "Until it was woken."),
    db::column<&LockWaitRow::event>("event", "The process's next event at the call: the instant."),
    db::column<&LockWaitRow::ticks>("ticks", "Ticks of the thread then."),
    db::column<&LockWaitRow::owner>("owner", "The thread that held it then; NULL: not known."),
    db::column<&LockWaitRow::woken_by>("woken_by", "The thread that woke it; NULL: none of the process."),
    db::column<&LockWaitRow::stack>("stack", "Where it waited, innermost function first."),
    db::column<&LockWaitRow::owner_stack>("owner_stack", "Where the owner stood then."),
};
constexpr db::Table<LockWaitRow> kLockWaits = {
    "lock_wait",
    "Every sleep on a futex that others of the process could end, with who held it and where both stood.",
    kLockWaitColumns};

}  // namespace orrery::lens::sched
