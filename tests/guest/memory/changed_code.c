// Code that changes: stores into executable pages, W^X flips, two views of one memfd, code read in from a
// file, mapped over, moved and discarded. After each change the new code runs.
#include <dlfcn.h>
#include <setjmp.h>

#include "check.h"

#define PAGE 4096UL

typedef int (*function)(void);

/// mov eax, number; ret
static void emit(char* at, int number) {
  at[0] = (char)0xb8;
  memcpy(at + 1, &number, 4);
  at[5] = (char)0xc3;
}
static int call(char* at) { return ((function)at)(); }

static char* map(int protection, int flags, int fd) {
  char* at = mmap(NULL, 2 * PAGE, protection, flags, fd, 0);
  CHECK(at != MAP_FAILED);
  return at;
}

static void stores(void) {
  char* code = map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  for (int i = 0; i < 1000; ++i) {
    emit(code, i);
    CHECK_EQ(call(code), i);
    // One that crosses the page.
    emit(code + PAGE - 3, i + 7);
    CHECK_EQ(call(code + PAGE - 3), i + 7);
    code[1] ^= 1;
    CHECK_EQ(call(code), i ^ 1);
  }
}

static void flips(void) {
  char* code = map(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  for (int i = 0; i < 200; ++i) {
    CHECK_EQ(mprotect(code, PAGE, PROT_READ | PROT_WRITE), 0);
    emit(code, i);
    CHECK_EQ(mprotect(code, PAGE, PROT_READ | PROT_EXEC), 0);
    CHECK_EQ(call(code), i);
  }
  CHECK_EQ(mprotect(code, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
  CHECK_EQ(call(code), 199);
  emit(code, 5);
  CHECK_EQ(call(code), 5);
}

static void two_views(int first_view_late) {
  int fd = memfd_create("code", 0);
  CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
  char* writable = first_view_late ? NULL : map(PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  char* code = map(PROT_READ | PROT_EXEC, MAP_SHARED, fd);
  char bytes[6];
  emit(bytes, 11);
  CHECK_EQ(pwrite(fd, bytes, 6, 0), 6);
  CHECK_EQ(call(code), 11);
  if (writable == NULL) writable = map(PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  for (int i = 0; i < 200; ++i) {
    emit(writable, i);
    CHECK_EQ(call(code), i);
  }
  // Written by a system call, not through any view.
  for (int i = 0; i < 50; ++i) {
    emit(bytes, 5000 + i);
    CHECK_EQ(pwrite(fd, bytes, 6, 0), 6);
    CHECK_EQ(call(code), 5000 + i);
  }
  // The second view made by mremap.
  char* third = mremap(writable, 0, 2 * PAGE, MREMAP_MAYMOVE);
  emit(third, 4321);
  CHECK_EQ(call(code), 4321);
  // Read only at first, writable later.
  char* fourth = map(PROT_READ, MAP_SHARED, fd);
  CHECK_EQ(call(code), 4321);
  CHECK_EQ(mprotect(fourth, PAGE, PROT_READ | PROT_WRITE), 0);
  emit(fourth, 1234);
  CHECK_EQ(call(code), 1234);
}

static void by_system_calls(void) {
  char* code = map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  int pipes[2];
  CHECK_EQ(pipe(pipes), 0);
  char bytes[6];
  for (int i = 0; i < 100; ++i) {
    emit(bytes, i * 3);
    CHECK_EQ(write(pipes[1], bytes, 6), 6);
    CHECK_EQ(read(pipes[0], code, 6), 6);
    CHECK_EQ(call(code), i * 3);
  }
}

static void truncated_by_open(void) {
  int fd = open("code", O_RDWR | O_CREAT | O_TRUNC, 0755);
  CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
  char* code = map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd);
  for (int i = 0; i < 20; ++i) {
    emit(code, i);
    CHECK_EQ(call(code), i);
    int again = open("code", O_RDWR | O_TRUNC);
    CHECK_EQ(ftruncate(again, 2 * PAGE), 0);
    CHECK_EQ(code[0], 0);
    char bytes[6];
    emit(bytes, i + 1000);
    CHECK_EQ(pwrite(again, bytes, 6, 0), 6);
    CHECK_EQ(call(code), i + 1000);
    CHECK_EQ(close(again), 0);
  }
  CHECK_EQ(unlink("code"), 0);
}

static void other_pages(void) {
  char* code = map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  emit(code, 1);
  CHECK_EQ(call(code), 1);
  // Mapped over by another page with other code.
  char* next = map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  emit(next, 2);
  CHECK_EQ(call(next), 2);
  CHECK(mremap(next, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, code) == code);
  CHECK_EQ(call(code), 2);
  CHECK_EQ(munmap(code, PAGE), 0);
  CHECK(mmap(code, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
             0) == code);
  emit(code, 3);
  CHECK_EQ(call(code), 3);
  CHECK_EQ(madvise(code, PAGE, MADV_DONTNEED), 0);
  emit(code, 4);
  CHECK_EQ(call(code), 4);
}

static void two_views_private(void) { two_views(0); }
static void two_views_shared(void) { two_views(1); }

static sigjmp_buf after_fault;
static siginfo_t last_fault;
static void on_fault(int number, siginfo_t* info, void* context) {
  (void)number, (void)context;
  last_fault = *info;
  siglongjmp(after_fault, 1);
}

static char* unmapped;
static void unmap(void) { CHECK_EQ(munmap(unmapped, 2 * PAGE), 0); }

/// The page of the caller is gone when the callee returns to it.
static void unmapped_below_its_callee(void) {
  on_signal(SIGSEGV, on_fault, 0);
  for (int i = 0; i < 100; ++i) {
    unmapped = map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    // sub rsp, 8; call rdi; add rsp, 8; ret
    static const unsigned char kCode[] = {0x48, 0x83, 0xec, 8, 0xff, 0xd7, 0x48, 0x83, 0xc4, 8, 0xc3};
    memcpy(unmapped, kCode, sizeof kCode);
    if (sigsetjmp(after_fault, 1) == 0) {
      ((void (*)(void (*)(void)))(uintptr_t)unmapped)(unmap);
      CHECK(!"code that is gone went on");
    }
    CHECK_EQ(last_fault.si_addr, unmapped + 6);
    CHECK_EQ(last_fault.si_code, SEGV_MAPERR);
  }
}

/// Libraries come and go, often at the same address.
static void library_closed(void) {
  static const struct {
    const char* library;
    const char* name;
  } kLibraries[] = {{"libm.so.6", "trunc"}, {"libresolv.so.2", "ns_get16"}, {"libutil.so.1", NULL}};
  for (int i = 0; i < 30; ++i) {
    void* handle = dlopen(kLibraries[i % 3].library, RTLD_NOW);
    CHECK(handle != NULL);
    if (i % 3 == 0) CHECK_EQ(((double (*)(double))(uintptr_t)dlsym(handle, "trunc"))(3.75), 3);
    if (i % 3 == 1)
      CHECK_EQ(((unsigned (*)(const char*))(uintptr_t)dlsym(handle, "ns_get16"))("\x12\x34"), 0x1234);
    CHECK_EQ(dlclose(handle), 0);
  }
}

int main(void) {
  RUN(stores);
  RUN(flips);
  RUN(two_views_private);
  RUN(two_views_shared);
  RUN(by_system_calls);
  RUN(truncated_by_open);
  RUN(other_pages);
  RUN(unmapped_below_its_callee);
  RUN(library_closed);
  return 0;
}
