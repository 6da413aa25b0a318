// C++ programs that do not end.
#include <condition_variable>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <thread>

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

}  // namespace

MAIN(CASE(takes_twice), CASE(crosswise), CASE(never_notified), CASE(never_set), CASE(read_then_write))
