// What C++ has for threads, each a function of its own: those that race do so on the lines that say so.
#include <atomic>
#include <barrier>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <future>
#include <latch>
#include <memory>
#include <mutex>
#include <queue>
#include <semaphore>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#define NOINLINE __attribute__((noinline))

namespace {

std::mutex lock;
std::shared_mutex shared;
std::condition_variable changed;
std::once_flag done;
std::atomic<bool> ready{false};
std::atomic<long> users{0};
std::atomic<long*> published{nullptr};
std::atomic_flag spin = ATOMIC_FLAG_INIT;
std::counting_semaphore<4> items{0};
std::vector<int> numbers;
std::string text;
std::queue<int> queue;
long counter, data;
thread_local long own;

NOINLINE void add() { counter++; }
NOINLINE long look() {
  __asm__ volatile("");  // so that the call is not left out
  return counter;
}
NOINLINE void fill() { data = 42; }
NOINLINE long take() {
  __asm__ volatile("");
  return data;
}

template <class A, class B>
void run2(A a, B b) {
  std::thread first(a), second(b);
  first.join();
  second.join();
}

void missing_lock() { run2(add, add); }
void with_mutex() {
  const auto locked = [] {
    const std::lock_guard held(lock);
    add();
  };
  run2(locked, locked);
}
void with_shared_mutex() {
  run2(
      [] {
        const std::unique_lock held(shared);
        add();
      },
      [] {
        const std::shared_lock held(shared);
        look();
      });
}
void shared_for_writing() {
  const auto wrong = [] {
    const std::shared_lock held(shared);
    add();
  };
  run2(wrong, wrong);
}
void atomic_count() {
  run2([] { users++; }, [] { users.fetch_add(2, std::memory_order_relaxed); });
}
void release_acquire() {
  run2(
      [] {
        fill();
        ready.store(true, std::memory_order_release);
      },
      [] {
        while (!ready.load(std::memory_order_acquire)) std::this_thread::yield();
        take();
      });
}
void sequential() {
  run2(
      [] {
        while (!ready) std::this_thread::yield();
        take();
      },
      [] {
        fill();
        ready = true;
      });
}
void pointer() {
  run2([] { published.store(new long(7), std::memory_order_release); },
       [] {
         long* found;
         while ((found = published.load(std::memory_order_acquire)) == nullptr) std::this_thread::yield();
         data = *found;
       });
}
void flag_lock() {
  const auto locked = [] {
    while (spin.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
    add();
    spin.clear(std::memory_order_release);
  };
  run2(locked, locked);
}
void call_once() {
  const auto both = [] {
    std::call_once(done, fill);
    take();
  };
  run2(both, both);
}
long& local() {
  static long* made = new long(take());
  return *made;
}
void static_local() {
  const auto both = [] { return local() + local(); };
  run2(both, both);
}
void own_counter() {
  const auto both = [] { own++; };
  run2(both, both);
}
void condition() {
  run2(
      [] {
        std::unique_lock held(lock);
        changed.wait(held, [] { return !queue.empty(); });
        queue.pop();
      },
      [] {
        const std::lock_guard held(lock);
        queue.push(1);
        changed.notify_one();
      });
}
void queue_without_lock() {
  run2([] { queue.push(1); }, [] { queue.push(2); });
}
void vector_without_lock() {
  run2([] { numbers.push_back(1); }, [] { numbers.push_back(2); });
}
void string_without_lock() {
  run2([] { text += "abc"; }, [] { text += "def"; });
}
void promise() {
  std::promise<int> made;
  std::thread maker([&] {
    fill();
    made.set_value(1);
  });
  made.get_future().get();
  take();
  maker.join();
}
void async() {
  std::future<int> found = std::async(std::launch::async, [] {
    fill();
    return 1;
  });
  found.get();
  take();
}
void shared_pointer() {
  auto held = std::make_shared<long>(1);
  run2([held] { return *held; }, [held] { return *held; });
}
void barrier() {
  std::barrier meeting(2);
  run2(
      [&] {
        fill();
        meeting.arrive_and_wait();
      },
      [&] {
        meeting.arrive_and_wait();
        take();
      });
}
void latch() {
  std::latch open(1);
  run2(
      [&] {
        open.wait();
        take();
      },
      [&] {
        fill();
        open.count_down();
      });
}
void semaphore() {
  run2(
      [] {
        items.acquire();
        take();
      },
      [] {
        fill();
        items.release();
      });
}
void mixed() {
  run2([] { users++; }, [] { ++*reinterpret_cast<long*>(&users); });
}

struct Case {
  const char* name;
  void (*run)();
};
#define CASE(name) \
  { #name, name }
constexpr Case kCases[] = {
    CASE(missing_lock),
    CASE(with_mutex),
    CASE(with_shared_mutex),
    CASE(shared_for_writing),
    CASE(atomic_count),
    CASE(release_acquire),
    CASE(sequential),
    CASE(pointer),
    CASE(flag_lock),
    CASE(call_once),
    CASE(static_local),
    CASE(own_counter),
    CASE(condition),
    CASE(queue_without_lock),
    CASE(vector_without_lock),
    CASE(string_without_lock),
    CASE(promise),
    CASE(async),
    CASE(shared_pointer),
    CASE(barrier),
    CASE(latch),
    CASE(semaphore),
    CASE(mixed),
};

}  // namespace

int main(int count, char** words) {
  for (const Case& each : kCases) {
    if (count == 1) std::puts(each.name);
    if (count == 2 && std::strcmp(words[1], each.name) == 0) each.run();
  }
}
