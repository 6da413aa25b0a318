// Correct: what a vforked child asks its allocator for is its parent's too.
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char* volatile given;
static char* volatile taken;

int main(void) {
  taken = malloc(300);
  char* const first = malloc(40);
  const int child = vfork();
  if (child == 0) {
    given = malloc(700);
    memset(given, 1, 700);
    free(taken);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  memset(given, 2, 700);
  given = realloc(given, 900);
  memset(given, 3, 900);
  free(given);
  free(first);
  return 0;
}
