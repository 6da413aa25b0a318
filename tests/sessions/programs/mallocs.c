// Blocks of sizes that nobody else asks for: "malloc ADDRESS", then each size.
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  void* (*volatile allocate)(size_t) = malloc;
  printf("malloc %p\n", (void*)allocate);
  void* blocks[40];
  for (size_t i = 0; i < 40; ++i) {
    blocks[i] = allocate(0x51000 + i * 8);
    printf("%zu\n", 0x51000 + i * 8);
  }
  for (size_t i = 0; i < 40; ++i) free(blocks[i]);
  return 0;
}
