// Programs that give up after a call failed, and what the system ends.
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

static volatile long sink;

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void limit(int which, rlim_t value) {
  const struct rlimit both = {value, value};
  if (setrlimit(which, &both) != 0) fail("setrlimit");
}

static void no_config(void) {
  if (open("/etc/orrery-no-such.conf", O_RDONLY) < 0) fail("/etc/orrery-no-such.conf");  // at: no_config
}

static void no_config_quietly(void) {
  if (open("/var/lib/none/state.db", O_RDWR) < 0) exit(3);  // at: no_config_quietly
}

static void many_places(void) {
  const char* places[] = {"/opt/none/app.ini", "/usr/local/none/app.ini", "/srv/none/app.ini"};
  for (int i = 0; i < 3; ++i) {
    if (open(places[i], O_RDONLY) >= 0) return;  // at: many_places
  }
  fprintf(stderr, "app: no configuration found (app.ini)\n");
  exit(4);
}

static void disk_full(void) {
  const int fd = open("/dev/full", O_WRONLY);
  if (write(fd, "data", 4) < 0) fail("write");  // at: disk_full
}

static void disk_full_stdio(void) {
  FILE* file = fopen("/dev/full", "w");
  fprintf(file, "some words\n");
  if (fclose(file) != 0) fail("saving");  // at: disk_full_stdio
}

static void refused(void) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(1)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0) fail("connect");  // at: refused
}

static void port_taken(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const int first = socket(AF_INET, SOCK_STREAM, 0), second = socket(AF_INET, SOCK_STREAM, 0);
  bind(first, (struct sockaddr*)&address, sizeof address);
  listen(first, 1);
  getsockname(first, (struct sockaddr*)&address, &size);
  if (bind(second, (struct sockaddr*)&address, sizeof address) != 0) fail("bind");  // at: port_taken
}

static void directory_there(void) {
  if (mkdir("/usr", 0755) != 0) fail("cannot make directory");  // at: directory_there
}

static void is_a_directory(void) {
  if (open("/usr/bin", O_WRONLY) < 0) fail("open");  // at: is_a_directory
}

static void not_a_directory(void) {
  if (opendir("/etc/passwd") == NULL) fail("opendir");  // at: not_a_directory
}

static APART int take(void) { return open("/dev/null", O_RDONLY); }  // at: descriptors_leak
static void descriptors_leak(void) {
  limit(RLIMIT_NOFILE, 64);
  for (int i = 0; i < 100; ++i) {
    if (take() < 0) {
      fprintf(stderr, "cannot open the next file\n");
      exit(5);
    }
  }
}

static void pipes_leak(void) {
  limit(RLIMIT_NOFILE, 50);
  int ends[2];
  while (pipe(ends) == 0) close(ends[1]);  // at: pipes_leak
  fail("pipe");
}

static void no_memory(void) {
  limit(RLIMIT_AS, 300 << 20);
  for (;;) {
    char* at = malloc(16 << 20);  // at: no_memory
    if (at == NULL) {
      fprintf(stderr, "out of memory\n");
      exit(6);
    }
    memset(at, 1, 4096);
    OPAQUE(at);
  }
}

static void no_memory_crash(void) {
  limit(RLIMIT_AS, 300 << 20);
  for (;;) {
    char* at = malloc(16 << 20);
    OPAQUE(at);
    at[0] = 1;  // at: no_memory_crash
  }
}

static void* waits(void* unused) {
  pause();
  return unused;
}
static void threads_no_room(void) {
  limit(RLIMIT_AS, 300 << 20);
  pthread_t thread;
  for (;;) {
    const int error = pthread_create(&thread, NULL, waits, NULL);  // at: threads_no_room
    if (error != 0) {
      fprintf(stderr, "no more threads: %s\n", strerror(error));
      exit(7);
    }
  }
}

static void broken_pipe(void) {
  int ends[2];
  if (pipe(ends) != 0) fail("pipe");
  close(ends[0]);
  if (write(ends[1], "x", 1) < 0) fail("write");  // at: broken_pipe
}

static void file_too_large(void) {
  limit(RLIMIT_FSIZE, 1000);
  char path[] = "/tmp/verdicts.XXXXXX";
  const int fd = mkstemp(path);
  unlink(path);
  static char data[1000];
  for (int i = 0; i < 3; ++i) sink = write(fd, data, sizeof data);  // at: file_too_large
}

static void alarm_rings(void) {
  alarm(1);
  for (;;) pause();  // at: alarm_rings
}

static void program_missing(void) {
  const pid_t child = fork();
  if (child == 0) {
    execl("/usr/bin/no-such-helper", "no-such-helper", (char*)NULL);  // at: program_missing
    perror("/usr/bin/no-such-helper");
    _exit(127);
  }
  int status;
  waitpid(child, &status, 0);
  exit(WEXITSTATUS(status));
}

static void child_crashed(void) {
  const pid_t child = fork();
  if (child == 0) {
    int* at = NULL;
    OPAQUE(at);
    *at = 1;  // at: child_crashed
  }
  int status;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) exit(128 + WTERMSIG(status));
}

static void no_plugin(void) {
  if (dlopen("/usr/lib/none/plugin.so", RTLD_NOW) == NULL) {  // at: no_plugin
    fprintf(stderr, "plugin: %s\n", dlerror());               // at: no_plugin
    exit(8);
  }
}

static void symbol_is_null(void) {
  int (*entry)(void) = (int (*)(void))dlsym(dlopen(NULL, RTLD_NOW), "no_such_entry");
  OPAQUE(entry);
  sink = entry();  // at: symbol_is_null
}

static void bad_words(void) {
  fprintf(stderr, "line 12: expected a number, got \"x\"\n");  // at: bad_words
  exit(2);
}

static void says_nothing(void) { exit(9); }  // at: says_nothing

static void file_unchecked(void) {
  FILE* file = fopen("/no/such/words.txt", "r");
  char line[80];
  sink = fgets(line, sizeof line, file) != NULL;  // at: file_unchecked
}

static void killed_self(void) { kill(getpid(), SIGKILL); }  // at: killed_self

static void killed_by_child(void) {
  if (fork() == 0) {
    kill(getppid(), SIGKILL);  // at: killed_by_child
    _exit(0);
  }
  for (;;) pause();
}

static void cpu_time(void) {
  limit(RLIMIT_CPU, 1);
  for (;;) sink = sink + 1;  // at: cpu_time
}

/// As the kernel kills when memory runs out: nobody of the recording does.
static void killed_after_growing(void) {
  limit(RLIMIT_CPU, 1);
  for (int i = 0; i < 12; ++i) memset(malloc(16 << 20), 1, 16 << 20);
  sink = write(1, "grown\n", 6);
  for (;;) sink = sink + 1;
}

static void symbolic_loop(void) {
  char folder[] = "/tmp/verdicts.XXXXXX", path[64];
  sink = mkdtemp(folder) != NULL && chdir(folder) == 0;
  sink = symlink("loop", "loop");
  const int fd = open("loop", O_RDONLY);  // at: symbolic_loop
  const int error = errno;
  unlink("loop");
  snprintf(path, sizeof path, "%s", folder);
  rmdir(path);
  errno = error;
  if (fd < 0) fail("loop");
}

MAIN(CASE(no_config), CASE(no_config_quietly), CASE(many_places), CASE(disk_full), CASE(disk_full_stdio),
     CASE(refused), CASE(port_taken), CASE(directory_there), CASE(is_a_directory), CASE(not_a_directory),
     CASE(descriptors_leak), CASE(pipes_leak), CASE(no_memory), CASE(no_memory_crash), CASE(threads_no_room),
     CASE(broken_pipe), CASE(file_too_large), CASE(alarm_rings), CASE(program_missing), CASE(child_crashed),
     CASE(no_plugin), CASE(symbol_is_null), CASE(bad_words), CASE(says_nothing), CASE(file_unchecked),
     CASE(killed_self), CASE(killed_by_child), CASE(cpu_time), CASE(killed_after_growing),
     CASE(symbolic_loop))
