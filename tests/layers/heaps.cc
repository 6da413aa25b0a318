// Blocks of every kind, from known places; "live" lines say which are live, address and size, at a call of
// seen().
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace {

struct Held {
  void* address;
  size_t size;
};
Held held[64];
int held_count;

void* hold(void* address, size_t size) {
  held[held_count++] = {address, size};
  return address;
}

void let_go(void* address) {
  for (int at = 0; at < held_count; ++at)
    if (held[at].address == address) held[at] = held[--held_count];
}

char line[256];
void say(const char* name, const void* address, size_t size) {
  const int length = snprintf(line, sizeof line, "%s %p %zu\n", name, address, size);
  if (write(1, line, length) != length) abort();
}

extern "C" __attribute__((noinline)) void seen(int point) { __asm__ volatile("" : : "r"(point) : "memory"); }

void tell(int point) {
  for (int at = 0; at < held_count; ++at) say("live", held[at].address, held[at].size);
  say("seen", nullptr, static_cast<size_t>(point));
  seen(point);
}

extern "C" __attribute__((noinline)) void* from_malloc(size_t size) { return hold(malloc(size), size); }
extern "C" __attribute__((noinline)) void* from_calloc(size_t count, size_t size) {
  return hold(calloc(count, size), count * size);
}
extern "C" __attribute__((noinline)) void* grown(void* old, size_t size) {
  let_go(old);
  return hold(realloc(old, size), size);
}
extern "C" __attribute__((noinline)) void* aligned(size_t size) {
  void* block = nullptr;
  if (posix_memalign(&block, 256, size) != 0) abort();
  return hold(block, size);
}
extern "C" __attribute__((noinline)) void* recursive(int depth, size_t size) {
  void* const block = depth == 0 ? from_malloc(size) : recursive(depth - 1, size);
  __asm__ volatile("" : : : "memory");
  return block;
}
void give_back(void* block) {
  let_go(block);
  free(block);
}

struct alignas(64) Wide {
  char bytes[192];
};

extern "C" __attribute__((noinline)) int* thrown() {
  try {
    return new int[size_t{1} << 60];
  } catch (const std::bad_alloc&) {
    return new int[3];
  }
}

extern "C" void* work(void*) {
  std::vector<std::unique_ptr<std::string>> strings;
  for (int i = 0; i < 200; ++i) strings.push_back(std::make_unique<std::string>(50 + i, 'x'));
  return malloc(4321);
}

}  // namespace

int main(int argc, char** /*argv*/) {
  void* const first = from_malloc(1000);
  void* second = from_calloc(30, 100);
  aligned(777);
  recursive(5, 1234);
  tell(1);
  second = grown(second, 90000);
  give_back(first);
  Wide* const wide = new Wide;
  hold(wide, sizeof *wide);
  hold(aligned_alloc(4096, 8192), 8192);
  tell(2);
  let_go(wide);
  delete wide;
  if (argc > 1) hold(thrown(), 3 * sizeof(int));
  std::map<int, std::string> words;
  for (int i = 0; i < 300; ++i) words[i] = std::string(20 + i, 'y');
  words.clear();
  pthread_t threads[2];
  for (pthread_t& each : threads) pthread_create(&each, nullptr, work, nullptr);
  for (pthread_t each : threads) {
    void* block = nullptr;
    pthread_join(each, &block);
    free(block);
  }
  for (int i = 0; i < 100; ++i) free(malloc(10 + i));
  tell(3);
  grown(second, 10);
  return 0;
}
