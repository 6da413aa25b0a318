// The library's string functions, which it chooses by the processor, and repeated string instructions.
#include <stdio.h>
#include <string.h>

static char from[9000], to[9000];

__attribute__((noinline)) static void repeated(unsigned long count) {
  const char* source = from;
  char* target = to;
  unsigned long left = count;
  __asm__ volatile("rep movsb" : "+S"(source), "+D"(target), "+c"(left)::"memory");
  target = to;
  left = count / 8;
  __asm__ volatile("rep stosq" : "+D"(target), "+c"(left) : "a"(0x4141414141414141) : "memory");
  target = to;
  left = count;
  __asm__ volatile("repne scasb" : "+D"(target), "+c"(left) : "a"(0) : "memory", "cc");
  source = from, target = to, left = count;
  __asm__ volatile("repe cmpsb" : "+S"(source), "+D"(target), "+c"(left)::"memory", "cc");
}

int main(void) {
  unsigned long sum = 0;
  for (int length = 0; length < 3000; length += 37) {
    memset(from, 'a' + length % 26, (size_t)length);
    from[length] = 0;
    memcpy(to, from, (size_t)length + 1);
    sum += strlen(to) + (strchr(to, 'z') != NULL) + (unsigned)memcmp(from, to, (size_t)length) +
           (strstr(to, "ab") != NULL);
    memmove(to + 5, to, (size_t)length);
    strncpy(to, from, 100);
    sum += (unsigned char)to[strcspn(to, "xyz")];
    repeated((unsigned long)length);
  }
  repeated(0);
  printf("%lu\n", sum);
  return 0;
}
