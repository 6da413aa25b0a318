// C++ programs that do not end.
#include <unistd.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <queue>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "cases.h"

namespace {

std::mutex accounts;
std::mutex journal;
std::condition_variable arrived;
bool done = false;

void takes_twice() {
  const std::lock_guard first(accounts);
  const std::lock_guard second(accounts);  // at: takes_twice
}

void crosswise() {
  std::thread other([] {
    const std::lock_guard first(journal);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::lock_guard second(accounts);  // at: crosswise
  });
  const std::lock_guard first(accounts);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const std::lock_guard second(journal);  // at: crosswise
  other.join();
}

void never_notified() {
  std::unique_lock lock(accounts);
  arrived.wait(lock, [] { return done; });  // at: never_notified
}

void never_set() {
  std::promise<int> answer;
  answer.get_future().wait();  // at: never_set
}

void read_then_write() {
  std::shared_mutex table;
  table.lock_shared();
  table.lock();  // at: read_then_write
}

/// Jobs that wait for jobs of the same pool, until every worker of it does.
class Pool {
 public:
  explicit Pool(int workers) {
    for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
  }
  std::future<void> add(std::function<void()> job) {
    std::packaged_task<void()> task(std::move(job));
    std::future<void> done = task.get_future();
    const std::lock_guard lock(mutex_);
    jobs_.push(std::move(task));
    filled_.notify_one();
    return done;
  }

 private:
  void work() {
    for (;;) {
      std::packaged_task<void()> task;
      {
        std::unique_lock lock(mutex_);
        filled_.wait(lock, [this] { return !jobs_.empty(); });
        task = std::move(jobs_.front());
        jobs_.pop();
      }
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable filled_;
  std::queue<std::packaged_task<void()>> jobs_;
  std::vector<std::thread> threads_;
};

void workers_wait_for_jobs() {
  static Pool pool(4);
  std::vector<std::future<void>> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(pool.add([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      pool.add([] {}).wait();  // at: workers_wait_for_jobs
    }));
  }
  for (std::future<void>& each : all) each.wait();  // at: workers_wait_for_jobs
}

/// All workers ask one who never answers.
void workers_ask_the_silent() {
  static int ends[2];
  if (pipe(ends) != 0) return;
  static Pool pool(4);
  std::vector<std::future<void>> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(pool.add([] {
      char byte = 0;
      if (read(ends[0], &byte, 1) < 0) abort();  // at: workers_ask_the_silent
    }));
  }
  for (std::future<void>& each : all) each.wait();  // at: workers_ask_the_silent
}

/// The twin: the workers have nothing to do, and the main thread waits for input.
void workers_are_idle() {
  static int ends[2];
  if (pipe(ends) != 0) return;
  static Pool pool(4);
  pool.add([] {}).wait();
  char byte = 0;
  if (read(ends[0], &byte, 1) < 0) abort();  // at: workers_are_idle
}

}  // namespace

MAIN(CASE(takes_twice), CASE(crosswise), CASE(never_notified), CASE(never_set), CASE(read_then_write),
     CASE(workers_wait_for_jobs), CASE(workers_ask_the_silent), CASE(workers_are_idle))
