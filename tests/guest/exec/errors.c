// Every way in which execve refuses before anything is lost, and the program goes on unharmed.
#include <elf.h>

#include "check.h"

static char* arguments[] = {"x", NULL};
static char* environment[] = {NULL};
static volatile uintptr_t wild_address = 8;

static void make(const char* path, const void* bytes, size_t size, int mode) {
  const int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  CHECK(fd >= 0);
  CHECK_EQ(write(fd, bytes, size), size);
  CHECK_EQ(fchmod(fd, mode), 0);
  close(fd);
}

static size_t read_self(char* buffer, size_t size) {
  const int fd = open("/proc/self/exe", O_RDONLY);
  CHECK(fd >= 0);
  const ssize_t count = read(fd, buffer, size);
  CHECK(count > 1000);
  close(fd);
  return (size_t)count;
}

static void exec_is_refused(void) {
  volatile int alive = 1;
  static char elf[1 << 20];
  const size_t size = read_self(elf, sizeof elf);

  CHECK_ERRNO(execve("/does/not/exist", arguments, environment), ENOENT);
  CHECK_ERRNO(execve("", arguments, environment), ENOENT);
  CHECK_ERRNO(execve("/etc/passwd/x", arguments, environment), ENOTDIR);
  CHECK_ERRNO(execve("/tmp", arguments, environment), EACCES);
  CHECK_ERRNO(execve("/dev/null", arguments, environment), EACCES);
  CHECK_ERRNO(execve((char*)wild_address, arguments, environment), EFAULT);
  make("plain", "#!/bin/true\n", 12, 0644);
  CHECK_ERRNO(execve("./plain", arguments, environment), EACCES);
  make("text", "hello\n", 6, 0755);
  CHECK_ERRNO(execve("./text", arguments, environment), ENOEXEC);
  make("empty", "", 0, 0755);
  CHECK_ERRNO(execve("./empty", arguments, environment), ENOEXEC);
  make("script", "#!/no/such/interpreter\n", 23, 0755);
  CHECK_ERRNO(execve("./script", arguments, environment), ENOENT);
  make("blank", "#!   \n", 6, 0755);
  CHECK_ERRNO(execve("./blank", arguments, environment), ENOEXEC);
  make("loop", "#!./loop\n", 9, 0755);
  CHECK_ERRNO(execve("./loop", arguments, environment), ELOOP);

  make("bad", elf, 40, 0755);
  CHECK_ERRNO(execve("./bad", arguments, environment), ENOEXEC);
  Elf64_Ehdr* header = (Elf64_Ehdr*)elf;
  header->e_machine = EM_AARCH64;
  make("arm", elf, size, 0755);
  CHECK_ERRNO(execve("./arm", arguments, environment), ENOEXEC);
  header->e_machine = EM_X86_64;
  header->e_type = ET_REL;
  make("object", elf, size, 0755);
  CHECK_ERRNO(execve("./object", arguments, environment), ENOEXEC);
  header->e_type = ET_DYN;
  const unsigned short entry_bytes = header->e_phentsize;
  header->e_phentsize = 32;
  make("entries", elf, size, 0755);
  CHECK_ERRNO(execve("./entries", arguments, environment), ENOEXEC);
  header->e_phentsize = entry_bytes;

  // The program's interpreter is missing, no program, or of another kind.
  char* interpreter = NULL;
  for (int i = 0; i < header->e_phnum; ++i) {
    Elf64_Phdr* row = (Elf64_Phdr*)(elf + header->e_phoff) + i;
    if (row->p_type == PT_INTERP) interpreter = elf + row->p_offset;
  }
  CHECK(interpreter != NULL);
  strcpy(interpreter, "/no/ld.so");
  make("nointerp", elf, size, 0755);
  CHECK_ERRNO(execve("./nointerp", arguments, environment), ENOENT);
  strcpy(interpreter, "./text");
  make("textinterp", elf, size, 0755);
  const int result = execve("./textinterp", arguments, environment);
  CHECK_EQ(result, -1);
  CHECK(errno == ELIBBAD || errno == EIO);  // a file shorter than a header is EIO

  // Too much to carry over.
  static char big[200000];
  memset(big, 'x', sizeof big - 1);
  char* too_long[] = {"x", big, NULL};
  CHECK_ERRNO(execve("/bin/true", too_long, environment), E2BIG);
  static char* many[400];
  static char piece[100000];
  memset(piece, 'y', sizeof piece - 1);
  for (int i = 0; i < 399; ++i) many[i] = piece;
  CHECK_ERRNO(execve("/bin/true", many, environment), E2BIG);
  CHECK_ERRNO(execve("/bin/true", (char**)wild_address, environment), EFAULT);
  char* wild[] = {"x", (char*)wild_address, NULL};
  CHECK_ERRNO(execve("/bin/true", wild, environment), EFAULT);
  CHECK_EQ(alive, 1);
}

int main(void) {
  RUN(exec_is_refused);
  return 0;
}
