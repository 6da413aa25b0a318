// A program whose stack may have 16 KiB: it is mapped no larger than that (setup_arg_pages).
#include <sys/resource.h>

#include "check.h"

int main(int argc, char** argv) {
  const struct rlimit small = {16 << 10, 16 << 10};
  if (argc == 1) {
    CHECK_EQ(setrlimit(RLIMIT_STACK, &small), 0);
    char* arguments[] = {argv[0], "again", NULL};
    char* environment[] = {NULL};
    CHECK_EQ(execve(argv[0], arguments, environment), 0);
  }
  begin_case("stack_of_16_kib");
  unsigned long start = 0, end = 0;
  const int fd = open("/proc/self/maps", O_RDONLY);
  // Without stdio, which needs more stack than there is.
  static char text[1 << 16];
  size_t size = 0;
  for (ssize_t got; (got = read(fd, text + size, sizeof text - 1 - size)) > 0;) size += (size_t)got;
  const char* stack = strstr(text, "[stack]");
  CHECK(stack != NULL);
  while (stack > text && stack[-1] != '\n') --stack;
  start = strtoul(stack, (char**)&stack, 16);
  end = strtoul(stack + 1, NULL, 16);
  CHECK_EQ(end - start, 16 << 10);
  CHECK((unsigned long)&start > start && (unsigned long)&end < end);
  return 0;
}
