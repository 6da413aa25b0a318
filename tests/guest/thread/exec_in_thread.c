// execve by a thread that is no leader: the others are gone, and the new program is the leader.
#include <pthread.h>

#include "check.h"

static char** arguments;
static void* sleep_on(void* unused) {
  pause();
  return unused;
}
static void* run_again(void* unused) {
  char* again[] = {arguments[0], (char*)"again", NULL};
  execv("/proc/self/exe", again);
  return unused;
}

int main(int argc, char** argv) {
  arguments = argv;
  if (argc > 1) {
    begin_case("exec_of_a_thread");
    CHECK_EQ(syscall(SYS_gettid), getpid());
    return 0;
  }
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, sleep_on, NULL), 0);
  CHECK_EQ(pthread_create(&thread, NULL, run_again, NULL), 0);
  pthread_join(thread, NULL);
  return 1;
}
