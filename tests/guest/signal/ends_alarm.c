// status: 142
// A timer's signal without a handler ends a sleeping program.
#include "check.h"

static void ends_alarm(void) {
  alarm(1);
  for (;;) pause();
}

int main(void) {
  RUN(ends_alarm);
  return 0;
}
