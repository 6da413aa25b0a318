// A function called by a process, by its child, and by the same program after an exec: "work ADDRESS".
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) void work(long argument) { __asm__ volatile("" ::"r"(argument)); }

int main(int count, char** words) {
  if (count > 1) {
    work(7);
    return 0;
  }
  printf("work %p\n", (void*)work);
  fflush(stdout);
  work(1);
  if (fork() == 0) {
    work(2);
    work(3);
    _exit(0);
  }
  wait(NULL);
  work(4);
  execl(words[0], words[0], "again", NULL);
  return 1;
}
