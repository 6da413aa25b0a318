// why: ended well: exit status 0
#include <stdio.h>
int main(void) {
  puts("fine");
  return 0;
}
