// Exceptions through several frames, caught and thrown again.
#include <cstdio>
#include <stdexcept>
#include <string>

struct Guard {
  int& count;
  ~Guard() { ++count; }
};

__attribute__((noinline)) static int deep(int depth, int& count) {
  Guard guard{count};
  if (depth == 0) throw std::runtime_error("at the bottom");
  return deep(depth - 1, count) + 1;
}

__attribute__((noinline)) static void again(int depth, int& count) {
  try {
    deep(depth, count);
  } catch (const std::runtime_error& error) {
    if (depth % 2 == 0) throw std::logic_error(std::string(error.what()) + " again");
  }
}

int main() {
  int count = 0, caught = 0;
  for (int i = 0; i < 40; ++i) {
    try {
      again(i % 10, count);
    } catch (const std::logic_error&) {
      ++caught;
    }
  }
  std::printf("%d %d\n", count, caught);
}
