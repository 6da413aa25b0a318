// Fails without a word: only the status tells.
// why: gave up with exit status 3
// why: /root/.nothing-here/data.bin
// why-O0: It exited from main() at exits_quietly.c:{EXITS}
#include <fcntl.h>
#include <unistd.h>

int main(void) {
  int fd = open("/root/.nothing-here/data.bin", O_RDONLY);  // OPENS
  if (fd < 0) _exit(3);                                     // EXITS
  return 0;
}
