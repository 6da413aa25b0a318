#include <stdio.h>

int sky(void);

int main(void) {
  printf("%d\n", sky());
  return sky() != 6;
}
