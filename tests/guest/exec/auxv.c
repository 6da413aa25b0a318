// The first stack: argc, argv, envp, auxv, strings, in the kernel's order and places.
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include "check.h"

extern char** environ;

static int argc;
static char** argv;
static const Elf64_auxv_t* auxv;
static size_t auxv_count;

static void order_of_the_first_stack(void) {
  CHECK_EQ(((long*)argv)[-1], argc);
  CHECK_EQ((uintptr_t)(argv - 1) % 16, 0);
  CHECK(argv[argc] == NULL);
  CHECK(environ == argv + argc + 1);
  char** end = environ;
  while (*end != NULL) ++end;
  auxv = (Elf64_auxv_t*)(end + 1);
  // The order of fs/binfmt_elf.c; AT_SYSINFO_EHDR may be left out.
  static const unsigned long order[] = {AT_HWCAP, AT_PAGESZ, AT_CLKTCK, AT_PHDR,   AT_PHENT,  AT_PHNUM,
                                        AT_BASE,  AT_FLAGS,  AT_ENTRY,  AT_UID,    AT_EUID,   AT_GID,
                                        AT_EGID,  AT_SECURE, AT_RANDOM, AT_HWCAP2, AT_EXECFN, AT_PLATFORM};
  size_t at = 0, count = 0;
  for (const Elf64_auxv_t* a = auxv; a->a_type != AT_NULL; ++a, ++count)
    if (at < sizeof order / sizeof *order && a->a_type == order[at]) ++at;
  CHECK_EQ(at, sizeof order / sizeof *order);
  CHECK(count >= at && count <= at + 6);
  auxv_count = count;
}

static void values_of_the_vector(void) {
  CHECK_EQ(getauxval(AT_PAGESZ), 4096);
  CHECK_EQ(getauxval(AT_CLKTCK), sysconf(_SC_CLK_TCK));
  CHECK_EQ(getauxval(AT_UID), getuid());
  CHECK_EQ(getauxval(AT_EGID), getegid());
  CHECK_EQ(getauxval(AT_SECURE), 0);
  CHECK_EQ(getauxval(AT_FLAGS), 0);
  CHECK_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
  CHECK_EQ(strcmp((char*)getauxval(AT_PLATFORM), "x86_64"), 0);
  CHECK_EQ(strcmp((char*)getauxval(AT_EXECFN), argv[0]), 0);
  CHECK(getauxval(51 /* AT_MINSIGSTKSZ */) >= 1000);
  const Elf64_Phdr* headers = (Elf64_Phdr*)getauxval(AT_PHDR);
  CHECK(headers != NULL && headers[0].p_type == PT_PHDR);
  const uintptr_t bias = (uintptr_t)headers - headers[0].p_vaddr;
  const Elf64_Ehdr* header = (Elf64_Ehdr*)bias;
  CHECK_EQ(memcmp(header, ELFMAG, SELFMAG), 0);
  CHECK_EQ(getauxval(AT_ENTRY), bias + header->e_entry);
  CHECK_EQ(getauxval(AT_PHNUM), header->e_phnum);
  CHECK_EQ(memcmp((void*)getauxval(AT_BASE), ELFMAG, SELFMAG), 0);
}

/// From high to low: path, environment, arguments, platform, random bytes, tables.
static void places_of_the_strings(void) {
  const char* execfn = (char*)getauxval(AT_EXECFN);
  CHECK_EQ(*(const long*)(execfn + strlen(execfn) + 1), 0);
  CHECK_EQ((uintptr_t)(execfn + strlen(execfn) + 1 + 8) % 4096, 0);
  CHECK(argv[0] < environ[0] && environ[0] < execfn);
  CHECK(argv[0] + strlen(argv[0]) + 1 == (argc > 1 ? argv[1] : environ[0]));
  CHECK((char*)getauxval(AT_PLATFORM) < argv[0]);
  CHECK_EQ(getauxval(AT_PLATFORM) - getauxval(AT_RANDOM), 16);
}

static void random_bytes_are_given(void) {
  unsigned char zero[16] = {0};
  CHECK(memcmp((void*)getauxval(AT_RANDOM), zero, 16) != 0);
}

static void proc_shows_the_vector(void) {
  const int fd = open("/proc/self/auxv", O_RDONLY);
  char copy[1024];
  const ssize_t bytes = read(fd, copy, sizeof copy);
  CHECK(bytes >= (ssize_t)((auxv_count + 1) * sizeof *auxv));
  CHECK_EQ(memcmp(copy, auxv, (auxv_count + 1) * sizeof *auxv), 0);
}

int main(int count, char** values) {
  argc = count;
  argv = values;
  RUN(order_of_the_first_stack);
  RUN(values_of_the_vector);
  RUN(places_of_the_strings);
  RUN(random_bytes_are_given);
  RUN(proc_shows_the_vector);
  return 0;
}
