// status: 134
// abort() with its default action.
#include "check.h"

static void ends_abort(void) { abort(); }

int main(void) {
  RUN(ends_abort);
  return 0;
}
