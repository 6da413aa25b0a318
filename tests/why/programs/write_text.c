// A function is written to as if it were data.
// why: it wrote to read-only memory
// why: lies in code of write_text
// why: `code` is
#include <stdint.h>

__attribute__((noinline)) int answer(void) { return 42; }

__attribute__((noinline)) void patch(unsigned char* code) {
  *code = 0xc3;  // CRASH
}

int main(void) {
  patch((unsigned char*)(uintptr_t)&answer);
  return answer();
}
