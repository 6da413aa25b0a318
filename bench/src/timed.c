/* timed OUT ERR PROG ARGS...: runs a command with its streams in files and prints what it cost:
 * wall, user and system nanoseconds, exit status, peak KiB. In C, so that a 1 ms program is not
 * drowned by an interpreter's fork. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char** environ;

static long long nanoseconds(struct timeval t) { return t.tv_sec * 1000000000LL + t.tv_usec * 1000LL; }

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_addopen(&actions, 2, argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);
  struct timespec start, end;
  pid_t child;
  clock_gettime(CLOCK_MONOTONIC, &start);
  if (posix_spawnp(&child, argv[3], &actions, NULL, argv + 3, environ) != 0) {
    perror(argv[3]);
    return 127;
  }
  int status;
  struct rusage usage;
  if (wait4(child, &status, 0, &usage) != child) return 1;
  clock_gettime(CLOCK_MONOTONIC, &end);
  long long wall = (end.tv_sec - start.tv_sec) * 1000000000LL + end.tv_nsec - start.tv_nsec;
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  printf("%lld %lld %lld %d %ld\n", wall, nanoseconds(usage.ru_utime), nanoseconds(usage.ru_stime), code,
         usage.ru_maxrss);
  return 0;
}
