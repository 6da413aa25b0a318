// status: 134
// abort() with its default action.
#include "check.h"

int main(void) {
  abort();
  return 0;
}
