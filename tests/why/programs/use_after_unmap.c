// Memory is read after it was given back.
// why: read from memory it had given back
// why: unmapped by munmap(
// why: called from main() at use_after_unmap.c:{UNMAPS}
// why: `text` is
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

__attribute__((noinline)) static char* load(void) {
  char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(page, "settings");
  return page;
}

__attribute__((noinline)) char first_letter(const char* text) {
  return text[0];  // CRASH
}

int main(void) {
  char* text = load();
  munmap(text, 4096);  // UNMAPS
  printf("%c\n", first_letter(text));
  return 0;
}
