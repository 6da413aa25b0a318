// Reads of every size in, around and long after blocks of the heap, by chance: what a test of accesses must
// not miss. Where the functions lie comes first.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kSlots = 200, kSteps = 20000 };
static unsigned long state = 88172645463325252UL;
static unsigned long sum;
static struct {
  char* at;
  size_t size;
  int live;
} slots[kSlots];

static unsigned long below(unsigned long most) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state % most;
}

static void read_at(const char* at, unsigned how) {
  unsigned long word = 0;
  char bytes[64];
  unsigned long count = 1 + below(40);
  switch (how) {
    case 0:
      word = *(const volatile unsigned char*)at;
      break;
    case 1:
      word = *(const volatile unsigned short*)at;
      break;
    case 2:
      word = *(const volatile unsigned*)at;
      break;
    case 3:
      word = *(const volatile unsigned long*)at;
      break;
    case 4:
      __asm__ volatile("movups %1, %%xmm0\n movq %%xmm0, %0"
                       : "=r"(word)
                       : "m"(*(const char(*)[16])at)
                       : "xmm0");
      break;
    case 5:
      __asm__ volatile("movq (%1,%2,4), %0" : "=r"(word) : "r"(at - 4 * count), "r"(count));
      break;
    case 6: {
      void* to = bytes;
      __asm__ volatile("rep movsb" : "+S"(at), "+D"(to), "+c"(count) : : "memory");
      break;
    }
    case 7:
      __asm__ volatile("repne scasb" : "+D"(at), "+c"(count) : "a"(0xa5) : "cc", "memory");
      word = count;
      break;
    case 8:
      memcpy(bytes, at, 8 + count % 3);
      word = (unsigned char)bytes[0];
      break;
    case 9:
      word = (unsigned long)memchr(at, 0xa5, count) & 15;
      break;
    case 10:
      __asm__ volatile("cmpb $0, (%0)" : : "r"(at) : "cc");
      break;
    case 11:
      __asm__ volatile("fldt (%0)\n fstp %%st(0)" : : "r"(at));
      break;
  }
  sum += word;
}

static void change(int slot) {
  const size_t size = below(8) == 0 ? 1000 + below(60000) : 1 + below(200);
  if (slots[slot].live && below(4) != 0) {
    free(slots[slot].at);
    slots[slot].live = 0;
    return;
  }
  char* at;
  if (slots[slot].live)
    at = realloc(slots[slot].at, size);
  else if (below(3) == 0)
    at = calloc(1, size);
  else if (below(9) == 0)
    at = aligned_alloc(64, size);
  else
    at = malloc(size);
  memset(at, (int)below(256), size);
  slots[slot].at = at;
  slots[slot].size = size;
  slots[slot].live = 1;
}

int main(void) {
  static const struct {
    const char* name;
    void* at;
  } functions[] = {{"malloc", malloc},
                   {"calloc", calloc},
                   {"realloc", realloc},
                   {"free", free},
                   {"aligned_alloc", aligned_alloc},
                   {"main", main}};
  for (unsigned i = 0; i < sizeof functions / sizeof *functions; ++i)
    printf("%s %p\n", functions[i].name, functions[i].at);
  fflush(stdout);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);  // what was given back can still be read
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  free(malloc(10));
  for (unsigned long step = 0; step < kSteps; ++step) {
    const int slot = (int)below(kSlots);
    if (below(3) == 0) {
      change(slot);
    } else if (slots[slot].at != 0) {
      long offset = (long)below(slots[slot].size + 32) - 16;
      if (below(2) == 0) offset = (long)slots[slot].size - (long)below(20);
      read_at(slots[slot].at + offset, (unsigned)below(12));
    }
  }
  return sum == 1;
}
