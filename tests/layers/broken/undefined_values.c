// Each case, named by the first argument, uses a value that nobody has given, or does what looks like it and
// is right. Without an argument the names are printed.
#include <alloca.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile long sink;
#define NEVER_INLINE __attribute__((noinline))

NEVER_INLINE static void* block(size_t size) {
  void* volatile made = malloc(size);
  return made;
}
NEVER_INLINE static void use(void* at) { __asm__ volatile("" : : "r"(at) : "memory"); }
NEVER_INLINE static void decide(long value) {
  if (value > 3) ++sink;
}
NEVER_INLINE static void decide_bit(unsigned value) {
  if ((value & 0x10) != 0) ++sink;
}

// --- undefined ---

static void jumps_by_heap(void) {
  int* words = block(40);
  if (words[3] == 7) ++sink;
}
static void jumps_by_stack(void) {
  volatile int words[16];
  use((void*)words);
  words[2] = 1;
  if (words[5] == 7) ++sink;
}
static void jumps_later(void) {
  long* words = block(64);
  long sum = 1;
  for (int i = 0; i < 8; ++i) sum += words[i] * 3;
  decide(sum);
}
static void jumps_by_a_copy(void) {
  char* from = block(100);
  char* to = block(100);
  memset(from, 1, 50);
  memcpy(to, from, 100);
  for (int i = 0; i < 100; ++i)
    if (to[i] == 9) ++sink;
}
static void switches(void) {
  static const char* volatile kNames[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
  unsigned* word = block(8);
  sink += kNames[*word & 7][0];
}
static void reads_there(void) {
  long** pointer = block(8);
  *(int32_t*)pointer = 0;
  long* local[4];
  use(local);
  unsigned char* index = block(1);
  sink += (long)local + ((volatile char*)&sink)[*index & 7];
}
static void writes_by_index(void) {
  unsigned char* index = block(4);
  static volatile char table[256];
  table[index[2]] = 1;
}
static void calls(void) {
  static void (*volatile functions[2])(long) = {decide, decide};
  unsigned char* which = block(4);
  functions[*which & 1](1);
}
static void writes_out(void) {
  char* text = block(64);
  memset(text, 'x', 40);
  sink += write(open("/dev/null", 1), text, 64);
}
static void asks(void) {
  int* descriptor = block(4);
  sink += lseek(*descriptor | 0x4000, 0, 0);
}
static void after_realloc(void) {
  char* text = block(16);
  memset(text, 1, 16);
  text = realloc(text, 2000);
  for (int i = 0; i < 20; ++i)
    if (text[i] == 5) ++sink;
}
static void by_a_bit(void) {
  unsigned* flags = block(4);
  *flags |= 0x0f;
  decide_bit(*flags & 0x0f);
  decide_bit(*flags);
}
static void in_a_float(void) {
  double* numbers = block(32);
  numbers[0] = 1.5;
  if (numbers[0] < 2) ++sink;
  if (numbers[1] + numbers[0] < 2) ++sink;
}
static void by_alloca(void) {
  for (int i = 0; i < 3; ++i) {
    char* room = alloca(100 + 16 * i);
    use(room);
    if (room[50] == 3) ++sink;
  }
}
static void compares(void) {
  char* text = block(32);
  memset(text, 'a', 10);
  if (memcmp(text, "aaaaaaaaaaaaaaaa", 16) == 0) ++sink;
}
static void measures(void) {
  char* text = block(20);
  memset(text, 'a', 10);
  if (strlen(text) == 15) ++sink;
}
static int recursive(int depth) {
  volatile int local[8];
  use((void*)local);
  if (depth > 0) return recursive(depth - 1);
  return local[3] == 4;
}
static void deep(void) { sink += recursive(5); }

// --- defined ---

struct padded {
  char small;
  long large;
};
static void copies_padding(void) {
  struct padded one = {1, 2}, two;
  use(&one);
  two = one;
  use(&two);
  struct padded* kept = block(sizeof *kept);
  *kept = two;
  if (kept->small == 1 && kept->large == 2) ++sink;
}
static void finds_the_end(void) {
  char* text = block(200);
  strcpy(text, "hello, world");
  sink += (long)strlen(text) + (strchr(text, 'w') - text) + (long)(intptr_t)memchr(text, 'o', 13) +
          strcmp(text, "hello, there") + (long)(intptr_t)strstr(text, "wor") +
          strncmp(text, "hello, world", 100) + (strrchr(text, 'l') - text) + (long)strcspn(text, "w") +
          (long)strspn(text, "helo");
  char* other = strdup(text);
  if (strcmp(text, other) != 0 || memcmp(text, other, 13) != 0) ++sink;
}
static void clears(void) {
  long* words = calloc(100, 8);
  for (int i = 0; i < 100; ++i)
    if (words[i] != 0) ++sink;
  int* undefined = block(16);
  *undefined ^= *undefined;
  if (*undefined != 0) ++sink;
}
static void masks(void) {
  unsigned char* byte = block(4);
  byte[0] = 0x80;
  byte[1] = 3;
  uint32_t word;
  memcpy(&word, byte, 4);
  if ((word & 0x80) != 0 && (uint8_t)(word >> 8) == 3) ++sink;
  struct {
    unsigned a : 3, b : 5;
  } fields;
  use(&fields);
  fields.a = 5;
  if (fields.a == 5) ++sink;
}
static void shifts_out(void) {
  struct {
    unsigned a : 15;
    int b : 16;
    unsigned c : 1;
  }* fields = block(4);
  fields->b = -1;
  if (fields->b == -1) ++sink;
  if (fields->c) ++sink;
}
static void prints(void) {
  char* text = block(300);
  sprintf(text, "%d %s %g %p %5.2f", 17, "seventeen", 17.5, (void*)text, 3.25);
  FILE* out = fopen("/dev/null", "w");
  fprintf(out, "%s %ld\n", text, sink);
  fclose(out);
}
static int by_number(const void* a, const void* b) { return *(const int*)a - *(const int*)b; }
static void sorts(void) {
  int* numbers = block(400);
  for (int i = 0; i < 100; ++i) numbers[i] = i * 7919 % 101;
  qsort(numbers, 100, sizeof *numbers, by_number);
  if (numbers[50] != 50) ++sink;
}

/// Moves in a row, of which the second stores to a page that has code: its first store is a fault of the
/// host's.
static void moves_to_code(void) {
  char* words = block(32);
  memset(words + 16, 7, 16);
  char* code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) return;
  code[0] = (char)0xc3;  // ret
  ((void (*)(void))code)();
  char other[16];
  __asm__ volatile(
      "movups (%0), %%xmm0\n movups %%xmm0, 64(%1)\n movups %%xmm0, (%2)\n movups 16(%0), %%xmm0\n"
      "movups %%xmm0, 128(%1)"
      :
      : "r"(words), "r"(code), "r"(other)
      : "xmm0", "memory");
  if (code[128] == 7) ++sink;
  if (code[64] == 7) ++sink;  // undefined
  if (other[3] == 7) ++sink;  // undefined
}

static const struct {
  const char* name;
  void (*run)(void);
} kCases[] = {
#define CASE(name) \
  { #name, name }
    CASE(jumps_by_heap), CASE(jumps_by_stack), CASE(jumps_later),     CASE(jumps_by_a_copy),
    CASE(switches),      CASE(reads_there),    CASE(writes_by_index), CASE(calls),
    CASE(writes_out),    CASE(asks),           CASE(after_realloc),   CASE(by_a_bit),
    CASE(in_a_float),    CASE(by_alloca),      CASE(compares),        CASE(measures),
    CASE(deep),          CASE(copies_padding), CASE(finds_the_end),   CASE(clears),
    CASE(masks),         CASE(shifts_out),     CASE(prints),          CASE(sorts),
    CASE(moves_to_code),
};

int main(int count, char** words) {
  for (size_t i = 0; i < sizeof kCases / sizeof kCases[0]; ++i) {
    if (count < 2)
      puts(kCases[i].name);
    else if (strcmp(words[1], kCases[i].name) == 0)
      kCases[i].run();
  }
  return 0;
}
