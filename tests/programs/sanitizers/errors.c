// One error for a sanitizer to find, by name.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int global[4];

static int use_after_free(void) {
  int* const cells = malloc(16);
  free(cells);
  return ((volatile int*)cells)[1];
}

static int past_the_end(int index) {
  volatile int cells[4] = {0};
  return cells[index] + global[index];
}

static int overflow(int value) {
  volatile int sum = INT_MAX;
  sum = sum + value;
  return sum & 1;
}

/// A child whose leak the parent does not have.
static int in_child(char** arguments) {
  const pid_t child = fork();
  if (child == 0) {
    arguments[1] = "leak";
    execv("/proc/self/exe", arguments);
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("child: %d\n", WEXITSTATUS(status));
  return 0;
}

static int leak(void) {
  void* volatile lost = malloc(99);
  lost = NULL;
  return lost != NULL;
}

int main(int count, char** arguments) {
  const char* const what = count > 1 ? arguments[1] : "";
  if (strcmp(what, "free") == 0) return use_after_free();
  if (strcmp(what, "end") == 0) return past_the_end(count + 2);
  if (strcmp(what, "overflow") == 0) return overflow(count);
  if (strcmp(what, "leak") == 0) return leak();
  if (strcmp(what, "child") == 0) return in_child(arguments);
  puts("no error");
  return 0;
}
