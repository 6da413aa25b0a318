// Terminal requests on a pseudo-terminal of one's own, and the errors of ioctl.
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "check.h"

static void pseudo_terminal(void) {
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0) SKIP("no pseudo-terminals");
  CHECK_EQ(unlockpt(master), 0);
  char name[64];
  CHECK_EQ(ptsname_r(master, name, sizeof name), 0);
  int slave = open(name, O_RDWR | O_NOCTTY);
  CHECK(slave >= 0);
  CHECK(isatty(slave));
  struct winsize size = {25, 81, 0, 0}, got;
  CHECK_EQ(ioctl(master, TIOCSWINSZ, &size), 0);
  CHECK_EQ(ioctl(slave, TIOCGWINSZ, &got), 0);
  CHECK_EQ(got.ws_row, 25);
  CHECK_EQ(got.ws_col, 81);
  struct termios modes;
  CHECK_EQ(tcgetattr(slave, &modes), 0);
  modes.c_lflag &= ~(unsigned)(ECHO | ICANON);
  CHECK_EQ(tcsetattr(slave, TCSANOW, &modes), 0);
  struct termios again;
  CHECK_EQ(tcgetattr(slave, &again), 0);
  CHECK_EQ(again.c_lflag, modes.c_lflag);
  CHECK_EQ(write(master, "hi", 2), 2);
  char text[8];
  CHECK_EQ(read(slave, text, sizeof text), 2);
  int count = 77;
  CHECK_EQ(ioctl(slave, FIONREAD, &count), 0);
  CHECK_EQ(count, 0);
  int on = 1;
  CHECK_EQ(ioctl(slave, FIONBIO, &on), 0);
  CHECK_ERRNO(read(slave, text, sizeof text), EAGAIN);
  CHECK_EQ(ioctl(slave, FIOCLEX), 0);
  CHECK_EQ(fcntl(slave, F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(ioctl(slave, TCGETS, 8), EFAULT);
  int plain = open("/dev/null", O_RDONLY);
  CHECK_ERRNO(ioctl(plain, TCGETS, &modes), ENOTTY);
  CHECK_ERRNO(ioctl(plain, 0x12345678, 0), ENOTTY);
  CHECK_ERRNO(ioctl(999, TCGETS, &modes), EBADF);
}

int main(void) {
  RUN(pseudo_terminal);
  return 0;
}
