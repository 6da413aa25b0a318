// Blocks that are given back by another kind of function than gave them, one a case.
#include <cstdio>
#include <cstdlib>
#include <cstring>

struct Pair {
  long first, second;
};

static void frees_new() {
  Pair* pair = new Pair{1, 2};
  std::free(pair);  // frees_new
}

static void deletes_malloc() {
  char* bytes = static_cast<char*>(std::malloc(40));
  operator delete(bytes);  // deletes_malloc
}

static void deletes_array() {
  long* words = new long[6];
  operator delete(words);  // deletes_array
}

static void frees_array() {
  char* bytes = new char[24];
  std::free(bytes);  // frees_array
}

static void matches() {
  delete new Pair{3, 4};
  delete[] new long[5];
  std::free(std::malloc(6));
}

static const struct {
  const char* name;
  void (*run)();
} cases[] = {{"frees_new", frees_new},
             {"deletes_malloc", deletes_malloc},
             {"deletes_array", deletes_array},
             {"frees_array", frees_array},
             {"matches", matches}};

int main(int argc, char** argv) {
  for (const auto& each : cases) {
    if (argc < 2) std::puts(each.name);
    if (argc > 1 && std::strcmp(argv[1], each.name) == 0) each.run();
  }
}
