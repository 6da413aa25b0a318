// An exception that nobody catches.
// why: nobody caught an exception of type std::invalid_argument
// why: "nothing to parse"
#include <cstdio>
#include <stdexcept>
#include <string>

__attribute__((noinline)) int parse(const std::string& text) {
  if (text.empty()) throw std::invalid_argument("nothing to parse");  // CRASH
  return std::stoi(text);
}

int main() {
  std::printf("%d\n", parse("12"));
  std::printf("%d\n", parse(""));
  return 0;
}
