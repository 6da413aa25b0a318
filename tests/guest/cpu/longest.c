// Instructions of 15 bytes, the most there may be, with operands of every kind: rewriting one must not make
// it longer.
#include "check.h"

#define PAGE 4096UL

/// Five idle prefixes; imul eax, [rip + 4096], 3; ret
static const unsigned char kRelative[] = {0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x69, 0x05, 0xf1,
                                          0x0f, 0,    0,    3,    0,    0,    0,    0xc3};
/// The same with the address cut to 32 bits
static const unsigned char kCut[] = {0x67, 0x2e, 0x26, 0x3e, 0x2e, 0x69, 0x05, 0xf1,
                                     0x0f, 0,    0,    3,    0,    0,    0,    0xc3};
/// Nine idle prefixes; jmp [rip + 4096 + 8]
static const unsigned char kJump[] = {0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e,
                                      0x2e, 0xff, 0x25, 0xf9, 0x0f, 0,    0};
/// mov eax, 7; ret
static const unsigned char kTarget[] = {0xb8, 7, 0, 0, 0, 0xc3};

static int run(void* hint, int flags, const unsigned char* code, size_t size) {
  char* at =
      mmap(hint, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  CHECK(at != MAP_FAILED);
  memcpy(at, code, size);
  const int operand = 14;
  memcpy(at + PAGE, &operand, 4);
  memcpy(at + 64, kTarget, sizeof kTarget);
  const char* const target = at + 64;
  memcpy(at + PAGE + 8, &target, 8);
  const int result = ((int (*)(void))(uintptr_t)at)();
  CHECK_EQ(munmap(at, 2 * PAGE), 0);
  return result;
}

static void relative_operand_in_low_memory(void) {
  CHECK_EQ(run(NULL, MAP_32BIT, kRelative, sizeof kRelative), 42);
}
static void relative_operand_far_away(void) {
  CHECK_EQ(run(NULL, 0, kRelative, sizeof kRelative), 42);
  CHECK_EQ(run((void*)0x200000000000, 0, kRelative, sizeof kRelative), 42);
}
static void cut_operand_in_low_memory(void) { CHECK_EQ(run(NULL, MAP_32BIT, kCut, sizeof kCut), 42); }
static void jump_through_memory(void) {
  CHECK_EQ(run(NULL, MAP_32BIT, kJump, sizeof kJump), 7);
  CHECK_EQ(run(NULL, 0, kJump, sizeof kJump), 7);
}

int main(void) {
  RUN(relative_operand_in_low_memory);
  RUN(relative_operand_far_away);
  RUN(cut_operand_in_low_memory);
  RUN(jump_through_memory);
  return 0;
}
