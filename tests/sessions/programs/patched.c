// Calls code that it writes anew each time, and says what it has written: "code ADDRESS", then each number.
// So much is written into that page that its code checks itself.
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int main(void) {
  static const unsigned char kCode[] = {0xb8, 0, 0, 0, 0, 0x01, 0xf8, 0xc3};  // mov eax, N; add eax, edi; ret
  unsigned char* code =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(code, kCode, sizeof kCode);
  printf("code %p\n", (void*)code);
  int sum = 0;
  for (int i = 0; i < 200; ++i) {
    memcpy(code + 1, &i, sizeof i);
    sum += ((int (*)(int))code)(i * 2);
    printf("%d\n", i * 2);
  }
  return sum != 200 * 199 / 2 * 3;
}
