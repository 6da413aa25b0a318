// status: 41
// exit_group with the low eight bits of its argument.
#include "check.h"

static void ends_status(void) { syscall(SYS_exit_group, 0x1229); }

int main(void) {
  RUN(ends_status);
  return 0;
}
