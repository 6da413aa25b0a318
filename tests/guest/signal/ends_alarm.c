// status: 142
// A timer's signal without a handler ends a sleeping program.
#include "check.h"

int main(void) {
  alarm(1);
  for (;;) pause();
  return 0;
}
