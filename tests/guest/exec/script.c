// #! scripts: this program is the interpreter. One argument, none, a chain of scripts, trailing blanks,
// argv[0] lost.
#include "check.h"

static char self[4096];

static void make(const char* path, const char* interpreter, const char* rest) {
  const int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0755);
  CHECK(fd >= 0);
  dprintf(fd, "#!%s%s\nbody\n", interpreter, rest);
  CHECK_EQ(fchmod(fd, 0755), 0);
  close(fd);
}

static void run(const char* path, const char* step) {
  char* arguments[] = {"lost", (char*)step, "tail", NULL};
  extern char** environ;
  execve(path, arguments, environ);
  perror(path);
  CHECK(0);
}

static void expect(int argc, char** argv, int count, const char* const* wanted) {
  for (int i = 0; i < argc && i < count; ++i)
    if (strcmp(argv[i], wanted[i]) != 0) {
      fprintf(stderr, "argument %d is '%s', wanted '%s'\n", i, argv[i], wanted[i]);
      CHECK(0);
    }
  CHECK_EQ(argc, count);
}

int main(int argc, char** argv) {
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  CHECK(length > 0);
  self[length] = '\0';
  CHECK_EQ(symlink(self, "me") == 0 || errno == EEXIST, 1);
  const char* step = argc >= 3 ? argv[argc - 2] : "start";
  char comm[32] = "";
  FILE* file = fopen("/proc/self/comm", "r");
  CHECK(file != NULL && fgets(comm, sizeof comm, file) != NULL);
  fclose(file);

  if (strcmp(step, "start") == 0) {
    make("one", "./me", "");
    run("./one", "one");
  } else if (strcmp(step, "one") == 0) {
    begin_case("name_of_the_script_is_added");
    expect(argc, argv, 4, (const char*[]){"./me", "./one", "one", "tail"});
    CHECK_EQ(strcmp(comm, "one\n"), 0);
    make("two", " ./me", "\t -x  -y z \t ");
    run("two", "two");
  } else if (strcmp(step, "two") == 0) {
    begin_case("rest_of_the_line_is_one_argument");
    expect(argc, argv, 5, (const char*[]){"./me", "-x  -y z", "two", "two", "tail"});
    make("inner", "./me", " deep");
    make("outer", "./inner", " flat");
    run("./outer", "chain");
  } else if (strcmp(step, "chain") == 0) {
    begin_case("script_run_by_a_script");
    expect(argc, argv, 7, (const char*[]){"./me", "deep", "./inner", "flat", "./outer", "chain", "tail"});
    begin_case("six_scripts_are_a_loop");
    // Five scripts in a row are allowed, six are not.
    make("s1", "./me", "");
    make("s2", "./s1", "");
    make("s3", "./s2", "");
    make("s4", "./s3", "");
    make("s5", "./s4", "");
    make("s6", "./s5", "");
    char *arguments[] = {"x", NULL}, *environment[] = {NULL};
    CHECK_ERRNO(execve("./s6", arguments, environment), ELOOP);
    run("./s5", "five");
  } else if (strcmp(step, "five") == 0) {
    begin_case("five_scripts_in_a_row");
    expect(argc, argv, 8, (const char*[]){"./me", "./s1", "./s2", "./s3", "./s4", "./s5", "five", "tail"});
    begin_case("script_of_a_closing_descriptor");
    const int fd = open("s1", O_RDONLY | O_CLOEXEC);
    char *arguments[] = {"x", NULL}, *environment[] = {NULL};
    CHECK_ERRNO(syscall(SYS_execveat, fd, "", arguments, environment, AT_EMPTY_PATH), ENOENT);
    const int open_fd = open("s1", O_RDONLY);
    char* last[] = {"lost", "descriptor", "tail", NULL};
    CHECK_EQ(dup2(open_fd, 77), 77);
    syscall(SYS_execveat, 77, "", last, environment, AT_EMPTY_PATH);
    CHECK(0);
  } else {
    begin_case("script_of_a_descriptor");
    expect(argc, argv, 4, (const char*[]){"./me", "/dev/fd/77", "descriptor", "tail"});
  }
  return 0;
}
