// status: 41
// exit_group with the low eight bits of its argument.
#include "check.h"

int main(void) {
  syscall(SYS_exit_group, 0x1229);
  return 0;
}
