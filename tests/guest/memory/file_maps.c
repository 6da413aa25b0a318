// File mappings: private and shared views, a descriptor that is closed, the rest of the last page, SIGBUS
// beyond the end and after a truncation, for the program itself and for system calls.
#include <setjmp.h>

#include "check.h"

#define PAGE 4096UL

static sigjmp_buf back;
static siginfo_t seen;

static void on_fault(int number, siginfo_t* info, void* context) {
  seen = *info;
  siglongjmp(back, number);
}
static int load_faults(volatile char* at) {
  int number = sigsetjmp(back, 1);
  if (number != 0) return number;
  (void)*at;
  return 0;
}

static void file_maps(void) {
  on_signal(SIGBUS, on_fault, 0);
  on_signal(SIGSEGV, on_fault, 0);
  char name[] = "file_maps.XXXXXX";
  int fd = mkstemp(name);
  CHECK_EQ(write(fd, "0123456789", 10), 10);
  CHECK_EQ(ftruncate(fd, 3 * PAGE + 10), 0);
  char* shared = mmap(NULL, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char* private = mmap(NULL, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(shared != MAP_FAILED && private != MAP_FAILED);
  CHECK_EQ(memcmp(shared, "0123456789", 10), 0);

  shared[0] = 'S';
  CHECK_EQ(private[0], 'S');
  private[1] = 'P';
  CHECK_EQ(shared[1], '1');
  shared[2] = 'T';
  CHECK_EQ(private[2], '2');
  CHECK_EQ(pwrite(fd, "W", 1, 3), 1);
  CHECK_EQ(shared[3], 'W');
  char bytes[4];
  CHECK_EQ(pread(fd, bytes, 4, 0), 4);
  CHECK_EQ(memcmp(bytes, "S1TW", 4), 0);
  CHECK_EQ(msync(shared, PAGE, MS_SYNC), 0);

  CHECK_EQ(shared[3 * PAGE + 10], 0);
  CHECK_EQ(shared[4 * PAGE - 1], 0);
  CHECK_EQ(load_faults(shared + 4 * PAGE), SIGBUS);
  CHECK_EQ(seen.si_code, BUS_ADRERR);
  CHECK(seen.si_addr == shared + 4 * PAGE);
  CHECK_EQ(load_faults(private + 5 * PAGE + 3), SIGBUS);

  // The kernel's own access to such a page is EFAULT, after what could be copied.
  int pipes[2];
  CHECK_EQ(pipe(pipes), 0);
  CHECK_ERRNO(write(pipes[1], shared + 4 * PAGE, 10), EFAULT);
  CHECK_ERRNO(open(shared + 4 * PAGE, O_RDONLY), EFAULT);
  CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_REALTIME, shared + 4 * PAGE), EFAULT);
  CHECK_EQ(write(pipes[1], "abc", 3), 3);
  CHECK_ERRNO(read(pipes[0], shared + 4 * PAGE, 3), EFAULT);

  private[2 * PAGE] = 'x';
  CHECK_EQ(ftruncate(fd, PAGE), 0);
  CHECK_EQ(load_faults(shared + PAGE), SIGBUS);
  CHECK_EQ(load_faults(private + 2 * PAGE), SIGBUS);
  CHECK_EQ(private[1], 'P');
  CHECK_EQ(ftruncate(fd, 3 * PAGE), 0);
  CHECK_EQ(shared[2 * PAGE], 0);
  CHECK_EQ(load_faults(private + 2 * PAGE), 0);
  CHECK_EQ(close(fd), 0);
  CHECK_EQ(shared[0], 'S');
  CHECK_EQ(unlink(name), 0);
  shared[1] = 'q';
  CHECK_EQ(shared[1], 'q');
  CHECK_EQ(munmap(shared, 6 * PAGE), 0);
  CHECK_EQ(load_faults(shared), SIGSEGV);
  CHECK_EQ(seen.si_code, SEGV_MAPERR);
}

int main(void) {
  RUN(file_maps);
  return 0;
}
