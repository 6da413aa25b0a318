// Accesses that the CPU refuses.
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"

struct Node {
  long value[40];
  struct Node* next;
};

static volatile long sink;

static APART void set(int* at) { *at = 7; }  // at: null_write
static void null_write(void) { set(NULL); }

static APART long value_of(struct Node* node) { return node->value[9]; }  // at: null_field
static void null_field(void) { sink = value_of(NULL); }

static APART struct Node* find(struct Node* list, long wanted) {
  while (list->value[0] != wanted) list = list->next;  // at: end_of_list
  return list;
}
static void end_of_list(void) {
  struct Node last = {{3}, NULL}, first = {{2}, &last};
  sink = find(&first, 4)->value[0];
}

static void null_to_libc(void) {
  const char* name = getenv("NO_SUCH_VARIABLE_AT_ALL");
  OPAQUE(name);
  sink = (long)strlen(name);  // at: null_to_libc
}

static void wild_text(void) {
  struct {
    char name[8];
    long* count;
  } record = {"", NULL};
  char* name = record.name;
  OPAQUE(name);
  strcpy(name, "configuration!!");
  OPAQUE(name);
  sink = *record.count;  // at: wild_text
}

static void wild_bits(void) {
  long* at = (long*)0xdeadbeefcafebabeul;
  OPAQUE(at);
  *at = 1;  // at: wild_bits
}

static void far_away(void) {
  long* at = (long*)0x123456789000ul;
  OPAQUE(at);
  sink = *at;  // at: far_away
}

static void small_number(void) {
  char* at = (char*)4096;
  OPAQUE(at);
  sink = *at;  // at: small_number
}

static void after_unmapping(void) {
  char* at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  at[0] = 1;
  munmap(at, 8192);
  at[5] = 2;  // at: after_unmapping
}

static void guard_page(void) {
  char* at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(at + 4096, 4096, PROT_NONE);
  for (int i = 0; i < 8192; ++i) at[i] = 1;  // at: guard_page
}

static void write_literal(void) {
  char* text = "constant";
  OPAQUE(text);
  text[0] = 'C';  // at: write_literal
}

static void write_protected(void) {
  char* at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(at, 4096, PROT_READ);
  at[7] = 1;  // at: write_protected
}

static void write_code(void) {
  char* at = (char*)write_literal;
  OPAQUE(at);
  *at = 0;  // at: write_code
}

static void null_call(void) {
  void (*volatile callback)(void) = NULL;
  callback();  // at: null_call
  sink = 1;
}

static void jump_to_data(void) {
  static char data[64];
  void (*volatile target)(void) = (void (*)(void))data;
  target();  // at: jump_to_data
  sink = 1;
}

static void jump_to_nowhere(void) {
  void (*volatile target)(void) = (void (*)(void))0x3000000000ul;
  target();  // at: jump_to_nowhere
  sink = 1;
}

static void file_cut(void) {
  char path[] = "/tmp/verdicts.XXXXXX";
  const int fd = mkstemp(path);
  unlink(path);
  if (ftruncate(fd, 8192) != 0) exit(98);
  char* at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  at[5000] = 1;
  if (ftruncate(fd, 100) != 0) exit(98);
  at[5000] = 2;  // at: file_cut
}

static APART long deeper(long depth) {  // at: recursion
  char room[200];
  char* at = room;
  OPAQUE(at);
  return deeper(depth + 1) + at[depth % 200];  // at: recursion
}
static void recursion(void) { sink = deeper(0); }

static APART long huge(void) {
  char room[64 << 20];
  char* at = room;
  OPAQUE(at);
  memset(at, 1, sizeof room);  // at: huge_array
  OPAQUE(at);
  return at[sizeof room / 2];
}
static void huge_array(void) { sink = huge(); }

static APART long ping(long depth);
static APART long pong(long depth) { return ping(depth + 1) + sink; }  // at: mutual_recursion
static APART long ping(long depth) { return pong(depth + 1) * sink; }  // at: mutual_recursion
static void mutual_recursion(void) { sink = ping(0); }

static void* recursing(void* unused) {
  sink = deeper(1);  // at: thread_recursion
  return unused;
}
static void thread_recursion(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, recursing, NULL);
  pthread_join(thread, NULL);
}

static APART int ratio(int all, int count) { return all / count; }  // at: division
static void division(void) { sink = ratio(10, 0); }

static APART int quotient(int all, int by) { return all / by; }  // at: quotient_too_large
static void quotient_too_large(void) { sink = quotient((-2147483647 - 1), -1); }

static void unreachable(void) { __builtin_trap(); }  // at: unreachable

static void breakpoint(void) { __asm__ volatile("int3"); }  // at: breakpoint

static void off_the_end(void) {
  char* at = mmap(NULL, 4096 * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(at + 4096, 4096);
  memset(at, 'x', 4096);
  char* end = at;
  OPAQUE(end);
  while (*end == 'x') ++end;  // at: off_the_end
  sink = end - at;
}

static int by_value(const void* left, const void* right) {
  const struct Node *one = *(struct Node*const*)left, *two = *(struct Node*const*)right;
  return (int)(one->value[0] - two->value[0]);  // at: in_a_callback
}
static void in_a_callback(void) {
  struct Node one = {{1}, NULL};
  struct Node* nodes[] = {&one, NULL};
  qsort(nodes, 2, sizeof nodes[0], by_value);
}

static void freed_pointer(void) {
  struct Node* node = malloc(sizeof *node);
  struct Node* kept = malloc(sizeof *kept);
  node->next = kept;
  OPAQUE(node);
  free(node);
  memset(malloc(sizeof *node), 0x5b, sizeof *node);
  OPAQUE(node);
  sink = node->next->value[3];  // at: freed_pointer
}

static void* writing(void* at) {
  *(long*)at = 4;  // at: in_a_thread
  return NULL;
}
static void in_a_thread(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, writing, NULL);
  pthread_join(thread, NULL);
}

static APART int sum(const int* numbers, long count) {
  int all = 0;
  for (long i = 0; i < count; ++i) all += numbers[i];  // at: index_too_large
  return all;
}
static void index_too_large(void) {
  static int numbers[16];
  sink = sum(numbers, 1l << 40);
}

static APART void privileged(void) { __asm__ volatile("hlt"); }  // at: privileged

MAIN(CASE(null_write), CASE(null_field), CASE(end_of_list), CASE(null_to_libc), CASE(wild_text),
     CASE(wild_bits), CASE(far_away), CASE(small_number), CASE(after_unmapping), CASE(guard_page),
     CASE(write_literal), CASE(write_protected), CASE(write_code), CASE(null_call), CASE(jump_to_data),
     CASE(jump_to_nowhere), CASE(file_cut), CASE(recursion), CASE(huge_array), CASE(mutual_recursion),
     CASE(thread_recursion), CASE(division), CASE(quotient_too_large), CASE(unreachable), CASE(breakpoint),
     CASE(off_the_end), CASE(in_a_callback), CASE(freed_pointer), CASE(in_a_thread), CASE(index_too_large),
     CASE(privileged))
