// Looks for memory that no map shows, with every call that tells whether an address is there: at the places
// that /proc/self/maps leaves empty, all of them must say that nothing is.
#include <linux/mempolicy.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "check.h"

#define PAGE 4096UL

/// Where a machine may well keep itself: low memory, between libraries, beside the stack, the top.
static unsigned long places[4096];
static int place_count;

struct span {
  unsigned long start, end;
};
static struct span mapped[1024];
static int mapped_count;

static void read_map(void) {
  FILE* file = fopen("/proc/self/maps", "r");
  char line[1024];
  mapped_count = 0;
  while (fgets(line, sizeof line, file) != NULL && mapped_count < 1024) {
    struct span* s = &mapped[mapped_count];
    CHECK_EQ(sscanf(line, "%lx-%lx", &s->start, &s->end), 2);
    if (s->end < 1UL << 47) ++mapped_count;
  }
  fclose(file);
}

static int is_mapped(unsigned long address) {
  for (int i = 0; i < mapped_count; ++i)
    if (address >= mapped[i].start && address < mapped[i].end) return 1;
  return 0;
}

static void add_place(unsigned long address) {
  address &= ~(PAGE - 1);
  if (address < 0x10000 || address >= 0x7fffffffe000 || is_mapped(address) || place_count == 4096) return;
  for (int i = 0; i < mapped_count; ++i)  // the stack grows down to there
    if ((unsigned long)&address >= mapped[i].start && (unsigned long)&address < mapped[i].end &&
        address < mapped[i].end && mapped[i].end - address < 16UL << 20)
      return;
  places[place_count++] = address;
}

static void choose_places(void) {
  read_map();
  place_count = 0;
  for (unsigned long at = 0x10000; at < 0x100000000; at += 0x3ff1000) add_place(at);
  for (unsigned long at = 0x60000000; at < 0x80000000; at += 0x7ff000) add_place(at);
  for (unsigned long at = 1UL << 32; at < 1UL << 47; at += 0x5432100000) add_place(at);
  for (unsigned long at = 0x7ff000000000; at < 0x7ffffffff000; at += 0x7ff123000) add_place(at);
  for (int i = 0; i < mapped_count; ++i) {
    add_place(mapped[i].end);
    add_place(mapped[i].end + 0x100000);
    add_place(mapped[i].start - 0x200000);
  }
  // Where a shadow of code or a cache beside it might lie.
  for (unsigned long at = 0x147000000000; at < 0x147020000000; at += 0x111000) add_place(at);
  for (unsigned long at = 0x700000000000; at < 0x700100000000; at += 0x1111000) add_place(at);
  CHECK(place_count > 500);
}

static void at_each(void (*probe)(void* address)) {
  for (int i = 0; i < place_count; ++i) probe((void*)places[i]);
}

static int pipes[2], zero, null, memory_file;

static void probe_advice(void* at) {
  unsigned char vector[1];
  CHECK_ERRNO(mincore(at, PAGE, vector), ENOMEM);
  CHECK_ERRNO(msync(at, PAGE, MS_ASYNC), ENOMEM);
  CHECK_ERRNO(msync(at, PAGE, MS_SYNC), ENOMEM);
  CHECK_ERRNO(madvise(at, PAGE, MADV_NORMAL), ENOMEM);
  CHECK_ERRNO(madvise(at, PAGE, MADV_DONTNEED), ENOMEM);
  CHECK_ERRNO(madvise(at, PAGE, MADV_WILLNEED), ENOMEM);
  CHECK_ERRNO(madvise(at, PAGE, 22), ENOMEM);  // MADV_POPULATE_READ
  CHECK_ERRNO(madvise(at, PAGE, 23), ENOMEM);
}
static void by_advice(void) { at_each(probe_advice); }

static void probe_protection(void* at) {
  CHECK_ERRNO(mprotect(at, PAGE, PROT_READ), ENOMEM);
  CHECK_ERRNO(mlock(at, PAGE), ENOMEM);
  CHECK_ERRNO(munlock(at, PAGE), ENOMEM);
  CHECK_ERRNO(syscall(SYS_mlock2, at, PAGE, 1), ENOMEM);
  CHECK_ERRNO(syscall(SYS_pkey_mprotect, at, PAGE, PROT_READ, -1), ENOMEM);
  CHECK_ERRNO(mremap(at, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0, EFAULT);
  CHECK_EQ(munmap(at, PAGE), 0);
}
static void by_protection(void) { at_each(probe_protection); }

static void probe_transfers(void* at) {
  struct iovec vector = {at, 8};
  CHECK_ERRNO(write(pipes[1], at, 8), EFAULT);
  CHECK_ERRNO(read(zero, at, 8), EFAULT);
  CHECK_ERRNO(writev(pipes[1], &vector, 1), EFAULT);
  CHECK_ERRNO(readv(zero, &vector, 1), EFAULT);
  CHECK_ERRNO(pwrite(memory_file, at, 8, 0), EFAULT);
  CHECK_ERRNO(open(at, O_RDONLY), EFAULT);
  CHECK_ERRNO(access(at, F_OK), EFAULT);
  CHECK_ERRNO(syscall(SYS_fstat, zero, at), EFAULT);
  CHECK_ERRNO(poll(at, 1, 0), EFAULT);
}
static void by_transfers(void) { at_each(probe_transfers); }

static void probe_small_structures(void* at) {
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, at, NULL, 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, at, 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, at, NULL, 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_sigaltstack, at, NULL), EFAULT);
  CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, at), EFAULT);
  CHECK_ERRNO(syscall(SYS_nanosleep, at, NULL), EFAULT);
  CHECK_ERRNO(syscall(SYS_uname, at), EFAULT);
  CHECK_ERRNO(syscall(SYS_getrlimit, RLIMIT_CORE, at), EFAULT);
  CHECK_ERRNO(syscall(SYS_getrusage, RUSAGE_SELF, at), EFAULT);
  CHECK_ERRNO(syscall(SYS_getcwd, at, 4096), EFAULT);
  CHECK_ERRNO(syscall(SYS_prctl, PR_SET_NAME, at), EFAULT);
  CHECK_ERRNO(syscall(SYS_prctl, PR_GET_NAME, at), EFAULT);
  CHECK_ERRNO(syscall(SYS_pipe, at), EFAULT);
  CHECK_ERRNO(syscall(SYS_getrandom, at, 8, 0), EFAULT);
  CHECK_ERRNO(syscall(SYS_futex, at, 0 /* FUTEX_WAIT */, 0, NULL), EFAULT);
  CHECK_ERRNO(syscall(SYS_get_mempolicy, NULL, NULL, 0, at, MPOL_F_ADDR), EFAULT);
}
static void by_structures(void) { at_each(probe_small_structures); }

static int mem, page_map;

static void probe_files(void* at) {
  char byte;
  uint64_t entry = 0;
  CHECK_ERRNO(pread(mem, &byte, 1, (off_t)at), EIO);
  CHECK_ERRNO(pwrite(mem, "", 1, (off_t)at), EIO);
  const ssize_t got = pread(page_map, &entry, 8, (off_t)((unsigned long)at / PAGE * 8));
  CHECK(got == 8 || got == 0);
  CHECK_EQ(entry, 0);
}
static void by_files(void) {
  mem = open("/proc/self/mem", O_RDWR);
  page_map = open("/proc/self/pagemap", O_RDONLY);
  at_each(probe_files);
  close(mem);
  close(page_map);
}

static void probe_other_process_calls(void* at) {
  char byte;
  struct iovec local = {&byte, 1}, remote = {at, 1};
  CHECK_ERRNO(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), EFAULT);
  CHECK_ERRNO(process_vm_writev(getpid(), &local, 1, &remote, 1, 0), EFAULT);
  CHECK_ERRNO(process_vm_readv(getpid(), &remote, 1, &local, 1, 0), EFAULT);
  void* pages[1] = {at};
  int status[1] = {1};
  if (syscall(SYS_move_pages, 0, 1, pages, NULL, status, 0) == 0)
    CHECK(status[0] == -EFAULT || status[0] == -ENOENT);
}
static void by_process_calls(void) { at_each(probe_other_process_calls); }

static volatile sig_atomic_t faults;
static void* fault_address;
static void step_over(int number, siginfo_t* info, void* context) {
  ucontext_t* at = context;
  ++faults;
  fault_address = info->si_addr;
  CHECK_EQ(info->si_code, SEGV_MAPERR);
  at->uc_mcontext.gregs[REG_RIP] += 2;  // mov al, [rdi]; mov [rdi], al
}

__attribute__((noinline)) static void load(void* at) {
  __asm__ volatile(".byte 0x8a, 0x07" : : "D"(at) : "rax", "memory");
}
__attribute__((noinline)) static void store(void* at) {
  __asm__ volatile(".byte 0x88, 0x07" : : "D"(at), "a"(0) : "memory");
}

static void probe_accesses(void* at) {
  faults = 0;
  load(at);
  CHECK_EQ(faults, 1);
  CHECK_EQ((long)fault_address, (long)at);
  store(at);
  CHECK_EQ(faults, 2);
  CHECK_EQ((long)fault_address, (long)at);
}
/// Loads and stores beside what is mapped fault as at any place that is not.
static void by_accesses(void) {
  on_signal(SIGSEGV, step_over, 0);
  for (int i = 0; i < mapped_count; ++i)
    if (!is_mapped(mapped[i].end)) probe_accesses((void*)mapped[i].end);
  signal(SIGSEGV, SIG_DFL);
}

/// Everything the map shows can be read at least by the kernel, and the map has no holes inside.
static void what_is_mapped_is_there(void) {
  read_map();
  unsigned char vector[16];
  for (int i = 0; i < mapped_count; ++i) {
    CHECK_EQ(mincore((void*)mapped[i].start, PAGE, vector), 0);
    CHECK_EQ(mincore((void*)(mapped[i].end - PAGE), PAGE, vector), 0);
    CHECK_EQ(madvise((void*)mapped[i].start, mapped[i].end - mapped[i].start, MADV_NORMAL), 0);
  }
  char* two = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(two + PAGE, PAGE);
  two[0] = 1;
  memset(vector, 9, sizeof vector);
  CHECK_ERRNO(mincore(two, 3 * PAGE, vector), ENOMEM);
  CHECK_EQ(vector[0] & 1, 1);
  CHECK_EQ(vector[2], 9);
  CHECK_ERRNO(mincore(two + 1, PAGE, vector), EINVAL);
  CHECK_ERRNO(mincore(two, PAGE, (void*)8), EFAULT);
  munmap(two, 3 * PAGE);
}

/// A reservation at such a place can be had, or is refused as where something lies; none is given twice.
static void reservations(void) {
  for (int i = 0; i < place_count; i += 7) {
    void* at = mmap((void*)places[i], PAGE, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK_EQ((long)at, places[i]);
    unsigned char vector[1];
    CHECK_EQ(mincore(at, PAGE, vector), 0);
    CHECK_EQ(vector[0] & 1, 0);
    CHECK_ERRNO(write(pipes[1], at, 1), EFAULT);
    CHECK_EQ(munmap(at, PAGE), 0);
    CHECK_ERRNO(mincore(at, PAGE, vector), ENOMEM);
  }
}

int main(void) {
  CHECK_EQ(pipe(pipes), 0);
  zero = open("/dev/zero", O_RDWR);
  null = open("/dev/null", O_RDWR);
  memory_file = (int)syscall(SYS_memfd_create, "probes", 0);
  choose_places();
  RUN(by_advice);
  RUN(by_protection);
  RUN(by_transfers);
  RUN(by_structures);
  RUN(by_files);
  RUN(by_process_calls);
  RUN(by_accesses);
  RUN(what_is_mapped_is_there);
  RUN(reservations);
  return 0;
}
