// Where the parts of a process lie, and a call three deep. See docs/process.md.
#include <stdio.h>
#include <stdlib.h>

const char in_rodata[] = "constant";
int in_data = 42;
int in_bss[1000];

int inner(int number) {
  int doubled = 2 * number;
  return doubled + 1;
}

int middle(int number) {
  int inside = inner(number + 1);
  return inside + 1;
}

int outer(int number) {
  int inside = middle(number + 1);
  return inside + 1;
}

void before(void) {}
void after(void) {}

int main(void) {
  int local = 1;
  void* const block = malloc(100);
  printf("local  %p\nheap   %p\nmain   %p\ndata   %p\nrodata %p\nbss    %p\n", (void*)&local, block,
         (void*)main, (void*)&in_data, (const void*)in_rodata, (void*)in_bss);
  fflush(stdout);
  before();
  local = outer(local);
  after();
  printf("%d\n", local);
  free(block);
  return 0;
}
