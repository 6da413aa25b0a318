// A child releases what its parent allocated, and reads it then; the parent's own is still its.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile long sink;

int main(void) {
  char* volatile shared = malloc(40);
  memset(shared, 1, 40);
  const pid_t child = fork();
  if (child == 0) {
    free(shared);
    sink += *(volatile long*)(shared + 8);  // IN THE CHILD
    char* volatile own = malloc(70);
    sink += *(volatile char*)(own + 70);  // OF ITS OWN
    _exit(0);
  }
  waitpid(child, NULL, 0);
  sink += *(volatile long*)(shared + 8);
  free(shared);
  return 0;
}
