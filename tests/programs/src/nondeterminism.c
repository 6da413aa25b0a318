/* Prints what a run cannot compute by itself: each mode asks one source many times over. Two native
 * runs print different text; a replay must print what its recording printed. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <fcntl.h>
#include <immintrin.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

static void clocks(void) {
  static const clockid_t all[] = {CLOCK_REALTIME,          CLOCK_MONOTONIC,     CLOCK_PROCESS_CPUTIME_ID,
                                  CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
                                  CLOCK_MONOTONIC_COARSE,  CLOCK_BOOTTIME};
  for (int round = 0; round < 50; round++) {
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
      struct timespec now;
      clock_gettime(all[i], &now);
      printf("%ld.%09ld ", (long)now.tv_sec, now.tv_nsec);
    }
    struct timeval day;
    gettimeofday(&day, NULL);
    printf("%ld.%06ld %ld %ld\n", (long)day.tv_sec, (long)day.tv_usec, (long)time(NULL), (long)clock());
  }
  struct tms cpu;
  struct rusage usage;
  clock_t ticks = times(&cpu);
  getrusage(RUSAGE_SELF, &usage);
  printf("%ld %ld %ld %ld\n", (long)ticks, (long)cpu.tms_utime, usage.ru_minflt,
         (long)usage.ru_stime.tv_usec);
}

static void sleeps(void) {
  for (int i = 0; i < 5; i++) {
    struct timespec before, after, pause = {0, 2000000};
    clock_gettime(CLOCK_MONOTONIC, &before);
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_MONOTONIC, &after);
    printf("slept %ld ns\n", (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec);
  }
}

static void pids(void) {
  printf("%d %d %ld %d %d\n", getpid(), getppid(), syscall(SYS_gettid), getpgrp(), getsid(0));
  char target[64] = {0};
  if (readlink("/proc/self", target, sizeof target - 1) > 0) printf("/proc/self -> %s\n", target);
  char name[64];
  snprintf(name, sizeof name, "/proc/%d/comm", getpid());
  FILE* comm = fopen(name, "r");
  if (comm && fgets(name, sizeof name, comm)) printf("comm %s", name);
  if (comm) fclose(comm);
}

static void random_bytes(void) {
  unsigned char bytes[48];
  for (int round = 0; round < 20; round++) {
    if (round % 2) {
      if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) exit(1);
    } else {
      int fd = open("/dev/urandom", O_RDONLY);
      if (fd < 0 || read(fd, bytes, sizeof bytes) != sizeof bytes) exit(1);
      close(fd);
    }
    for (unsigned i = 0; i < sizeof bytes; i++) printf("%02x", bytes[i]);
    printf("\n");
  }
  const unsigned char* at_random = (const unsigned char*)getauxval(AT_RANDOM);
  for (int i = 0; i < 16; i++) printf("%02x", at_random[i]);
  printf("\n");
}

static int in_data;

static void addresses(void) {
  int on_stack;
  void* small = malloc(24);
  void* large = malloc(1 << 20);
  printf("stack %p text %p data %p heap %p mmap %p libc %p brk %p vdso %#lx\n", (void*)&on_stack,
         (void*)addresses, (void*)&in_data, small, large, (void*)printf, sbrk(0), getauxval(AT_SYSINFO_EHDR));
  free(small);
  free(large);
  FILE* maps = fopen("/proc/self/maps", "r");
  char line[512];
  while (maps && fgets(line, sizeof line, maps)) fputs(line, stdout);
  if (maps) fclose(maps);
}

static void cpuid_leaves(void) {
  unsigned a, b, c, d;
  for (unsigned leaf = 0; leaf <= 0x1f; leaf++)
    for (unsigned subleaf = 0; subleaf < 4; subleaf++) {
      __cpuid_count(leaf, subleaf, a, b, c, d);
      printf("%08x.%x %08x %08x %08x %08x\n", leaf, subleaf, a, b, c, d);
    }
  for (unsigned leaf = 0x80000000; leaf <= 0x80000008; leaf++) {
    __cpuid(leaf, a, b, c, d);
    printf("%08x %08x %08x %08x %08x\n", leaf, a, b, c, d);
  }
  printf("hwcap %lx %lx\n", getauxval(AT_HWCAP), getauxval(AT_HWCAP2));
}

static void time_stamps(void) {
  unsigned long long last = 0;
  for (int i = 0; i < 2000; i++) {
    unsigned long long now = __rdtsc();
    printf("%llu %d\n", now, now > last);
    last = now;
  }
  unsigned where;
  printf("rdtscp %llu", (unsigned long long)__rdtscp(&where));
  printf(" on %u\n", where);
}

__attribute__((target("rdrnd,rdseed"))) static void hardware_random(void) {
  unsigned a, b, c, d;
  __cpuid(1, a, b, c, d);
  unsigned has_rdrand = c & bit_RDRND;
  __cpuid_count(7, 0, a, b, c, d);
  unsigned has_rdseed = b & bit_RDSEED;
  printf("rdrand %s, rdseed %s\n", has_rdrand ? "yes" : "no", has_rdseed ? "yes" : "no");
  for (int i = 0; i < 100; i++) {
    unsigned long long value = 0;
    unsigned short small = 0;
    int good = has_rdrand ? _rdrand64_step(&value) : -1;
    printf("%d %llx ", good, value);
    value = 0;
    good = has_rdseed ? _rdseed64_step(&value) : -1;
    printf("%d %llx ", good, value);
    good = has_rdrand ? _rdrand16_step(&small) : -1;
    printf("%d %x\n", good, small);
  }
}

static void host(void) {
  struct sysinfo info;
  sysinfo(&info);
  unsigned cpu = 0, node = 0;
  syscall(SYS_getcpu, &cpu, &node, NULL);
  cpu_set_t set;
  sched_getaffinity(0, sizeof set, &set);
  printf("uptime %ld free %lu procs %u cpu %u of %d\n", info.uptime, info.freeram, info.procs, cpu,
         CPU_COUNT(&set));
  struct stat status;
  if (stat("/proc/self/exe", &status) == 0)
    printf("inode %lu mtime %ld.%09ld\n", (unsigned long)status.st_ino, (long)status.st_mtim.tv_sec,
           status.st_mtim.tv_nsec);
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*print)(void);
  } modes[] = {{"clocks", clocks},       {"sleeps", sleeps},          {"pids", pids},
               {"random", random_bytes}, {"addresses", addresses},    {"cpuid", cpuid_leaves},
               {"rdtsc", time_stamps},   {"rdrand", hardware_random}, {"host", host}};
  int ran = 0;
  for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    if (argc == 2 && strcmp(argv[1], "all") != 0 && strcmp(argv[1], modes[i].name) != 0) continue;
    modes[i].print();
    ran++;
  }
  return ran == 0;
}
