// What a terminal makes of what is typed, in its modes. The test is both user and program.
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "check.h"

static int user, program;
static struct termios at_first;

static void open_terminal(void) {
  user = posix_openpt(O_RDWR | O_NOCTTY);
  CHECK(user >= 0);
  CHECK_EQ(grantpt(user) | unlockpt(user), 0);
  char name[64];
  CHECK_EQ(ptsname_r(user, name, sizeof name), 0);
  program = open(name, O_RDWR | O_NOCTTY);
  CHECK(program >= 0);
  CHECK_EQ(tcgetattr(program, &at_first), 0);
  CHECK_EQ(strcmp(ttyname(program), name), 0);
}

static void type(const char* text) { CHECK_EQ(write(user, text, strlen(text)), strlen(text)); }

static void change(tcflag_t local_off, tcflag_t output_off, int least, int tenths) {
  struct termios mode = at_first;
  mode.c_lflag &= ~local_off;
  mode.c_oflag &= ~output_off;
  mode.c_cc[VMIN] = (cc_t)least;
  mode.c_cc[VTIME] = (cc_t)tenths;
  CHECK_EQ(tcsetattr(program, TCSANOW, &mode), 0);
}

static void wait_for_input(int fd) {
  struct pollfd entry = {fd, POLLIN, 0};
  CHECK_EQ(poll(&entry, 1, 30000), 1);
}

/// What the program reads next.
static void expect_read(int fd, const char* wanted) {
  char text[64] = "";
  size_t size = 0;
  do {  // what is typed or written arrives by and by
    const ssize_t got = read(fd, text + size, sizeof text - 1 - size);
    CHECK(got >= 0);
    size += (size_t)got;
    if (got == 0) break;
  } while (size < strlen(wanted));
  CHECK_EQ(strcmp(text, wanted), 0);
}

static void lines_are_edited(void) {
  change(ECHO, 0, 1, 0);
  type("abX\177c\nrest");
  expect_read(program, "abc\n");
  struct pollfd entry = {program, POLLIN, 0};
  CHECK_EQ(poll(&entry, 1, 0), 0);  // no line yet
  type("\025whole\n");              // ^U takes the line back
  expect_read(program, "whole\n");
  type("end\004\004");  // ^D ends a line, and an empty one is the end of the file
  expect_read(program, "end");
  expect_read(program, "");
}

static void what_is_typed_is_shown(void) {
  change(0, 0, 1, 0);
  type("a\001\n");
  expect_read(program, "a\001\n");
  expect_read(user, "a^A\r\n");
  CHECK_EQ(write(program, "1\n2", 3), 3);
  expect_read(user, "1\r\n2");
  change(ECHO, OPOST, 1, 0);
  CHECK_EQ(write(program, "1\n2", 3), 3);
  expect_read(user, "1\n2");
}

static void single_characters(void) {
  change(ECHO | ICANON, 0, 4, 0);
  type("ab");
  struct pollfd entry = {program, POLLIN, 0};
  CHECK_EQ(poll(&entry, 1, 0), 0);  // VMIN are four
  type("\177d");
  expect_read(program, "ab\177d");
  change(ECHO | ICANON, 0, 0, 0);
  expect_read(program, "");
  change(ECHO | ICANON, 0, 0, 1);
  expect_read(program, "");  // after a tenth of a second
  type("z");
  wait_for_input(program);
  expect_read(program, "z");
}

static void queues(void) {
  int count = -1;
  change(ECHO | ICANON, 0, 1, 0);
  type("four");
  wait_for_input(program);
  CHECK_EQ(ioctl(program, FIONREAD, &count), 0);
  CHECK_EQ(count, 4);
  CHECK_EQ(tcflush(program, TCIFLUSH), 0);
  CHECK_EQ(ioctl(program, FIONREAD, &count), 0);
  CHECK_EQ(count, 0);
  CHECK_EQ(write(program, "out", 3), 3);
  wait_for_input(user);
  CHECK_EQ(ioctl(user, FIONREAD, &count), 0);
  CHECK_EQ(count, 3);
  expect_read(user, "out");
  CHECK_EQ(tcdrain(program), 0);
  CHECK_ERRNO(tcflush(program, 99), EINVAL);
}

static void packets(void) {
  int on = 1;
  CHECK_EQ(ioctl(user, TIOCPKT, &on), 0);
  CHECK_EQ(write(program, "x", 1), 1);
  char text[8] = "";
  CHECK_EQ(read(user, text, sizeof text), 2);
  CHECK_EQ(text[0], TIOCPKT_DATA);
  CHECK_EQ(text[1], 'x');
  CHECK_EQ(tcflush(program, TCIFLUSH), 0);
  CHECK_EQ(read(user, text, sizeof text), 1);
  CHECK((text[0] & TIOCPKT_FLUSHREAD) != 0);
  on = 0;
  CHECK_EQ(ioctl(user, TIOCPKT, &on), 0);
}

static void window_and_speed(void) {
  struct winsize size = {33, 77, 0, 0}, got = {0};
  CHECK_EQ(ioctl(user, TIOCSWINSZ, &size), 0);
  CHECK_EQ(ioctl(program, TIOCGWINSZ, &got), 0);
  CHECK_EQ(got.ws_row, 33);
  CHECK_EQ(got.ws_col, 77);
  struct termios mode = at_first;
  CHECK_EQ(cfsetspeed(&mode, B9600), 0);
  CHECK_EQ(tcsetattr(program, TCSADRAIN, &mode), 0);
  CHECK_EQ(tcgetattr(program, &mode), 0);
  CHECK_EQ(cfgetospeed(&mode), B9600);
  int number = -1;
  CHECK_EQ(ioctl(user, TIOCGPTN, &number), 0);
  CHECK(number >= 0);
  CHECK_ERRNO(ioctl(program, TIOCGPTN, &number), ENOTTY);
  CHECK_ERRNO(tcgetattr(open("/dev/null", O_RDONLY), &mode), ENOTTY);
}

static void hang_up(void) {
  close(program);
  char byte;
  CHECK_ERRNO(read(user, &byte, 1), EIO);
  struct pollfd entry = {user, POLLIN, 0};
  CHECK_EQ(poll(&entry, 1, 0), 1);
  CHECK((entry.revents & POLLHUP) != 0);
  close(user);
}

int main(void) {
  open_terminal();
  RUN(lines_are_edited);
  RUN(what_is_typed_is_shown);
  RUN(single_characters);
  RUN(queues);
  RUN(packets);
  RUN(window_and_speed);
  RUN(hang_up);
  return 0;
}
