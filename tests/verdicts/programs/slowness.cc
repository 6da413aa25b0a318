// C++ programs that end well and take a second or more; or are their correct twins.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "cases.h"

namespace {

using std::chrono::milliseconds;
using std::this_thread::sleep_for;

std::mutex accounts;
std::shared_mutex table;
std::condition_variable arrived;
volatile unsigned long sink;

void lock_over_sleep() {
  std::thread holder([] {
    const std::lock_guard lock(accounts);
    sleep_for(milliseconds(1500));  // at: lock_over_sleep
  });
  sleep_for(milliseconds(50));
  {
    const std::lock_guard lock(accounts);  // at: lock_over_sleep
    sink += 1;
  }
  sleep_for(milliseconds(100));  // so that it is not the thread's end that is waited for
  holder.join();
}

/// Each time it gives the lock back it takes it again at once: whoever waits comes too late.
void always_retaken() {
  std::atomic<bool> done = false;
  std::thread greedy([&] {
    for (int i = 0; i < 6; ++i) {
      const std::lock_guard lock(accounts);
      sleep_for(milliseconds(250));  // at: always_retaken
    }
    done = true;
  });
  sleep_for(milliseconds(50));
  {
    const std::lock_guard lock(accounts);  // at: always_retaken
    sink += done;
  }
  sleep_for(milliseconds(100));
  greedy.join();
}

/// Its twin lets others have the lock.
void given_to_others() {
  std::thread generous([] {
    for (int i = 0; i < 6; ++i) {
      {
        const std::lock_guard lock(accounts);
        sink += 1;
      }
      sleep_for(milliseconds(20));
    }
  });
  for (int i = 0; i < 6; ++i) {
    const std::lock_guard lock(accounts);
    sink += 1;
  }
  generous.join();
}

void writer_keeps_the_readers_out() {
  std::thread writer([] {
    const std::unique_lock lock(table);
    sleep_for(milliseconds(1500));  // at: writer_keeps_the_readers_out
  });
  sleep_for(milliseconds(50));
  {
    const std::shared_lock lock(table);  // at: writer_keeps_the_readers_out
    sink += 1;
  }
  sleep_for(milliseconds(100));
  writer.join();
}

void nobody_notifies() {
  std::unique_lock lock(accounts);
  for (int i = 0; i < 4; ++i) arrived.wait_for(lock, milliseconds(400));  // at: nobody_notifies
}

void sleeps_between() {
  for (int i = 0; i < 12; ++i) {
    sink += i;
    sleep_for(milliseconds(120));  // at: sleeps_between
  }
}

void syncs_each_line() {
  std::string path = "journal-" + std::to_string(getpid());
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  const auto end = std::chrono::steady_clock::now() + milliseconds(1300);
  while (std::chrono::steady_clock::now() < end) {
    const std::string line(4096, 'x');
    sink += write(file, line.data(), line.size());
    fsync(file);  // at: syncs_each_line
  }
  close(file);
  unlink(path.c_str());
}

APART int count_pairs(const std::string& text) {
  int pairs = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (std::size_t j = i + 1; j < text.size(); ++j) {
      pairs += text[i] == text[j];  // at: compares_all
    }
    sink += 1;
  }
  return pairs;
}
void compares_all() {
  const auto end = std::chrono::steady_clock::now() + milliseconds(1500);
  const std::string text(20000, 'x');
  while (std::chrono::steady_clock::now() < end) sink += count_pairs(text);
}

void quick() {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int j = 0; j < 1000; ++j) {
        const std::lock_guard lock(accounts);
        sink += j;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

MAIN(CASE(lock_over_sleep), CASE(always_retaken), CASE(given_to_others), CASE(writer_keeps_the_readers_out),
     CASE(nobody_notifies), CASE(sleeps_between), CASE(syncs_each_line), CASE(compares_all), CASE(quick))
