// Moving bytes between descriptors, locks, extended attributes, memory files.
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>

#include "check.h"

static void locks(int fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
  CHECK_EQ(fcntl(fd, F_SETLK, &lock), 0);
  struct flock asked = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
  CHECK_EQ(fcntl(fd, F_GETLK, &asked), 0);
  CHECK_EQ(asked.l_type, F_UNLCK);  // one's own lock is in nobody's way
  int other = open("source", O_RDWR);
  struct flock open_lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
  CHECK_ERRNO(fcntl(other, F_OFD_SETLK, &open_lock), EAGAIN);
  lock.l_type = F_UNLCK;
  CHECK_EQ(fcntl(fd, F_SETLK, &lock), 0);
  CHECK_EQ(flock(fd, LOCK_EX), 0);
  CHECK_ERRNO(flock(other, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  CHECK_EQ(flock(fd, LOCK_UN), 0);
  close(other);
}

static void copying(void) {
  char text[64];
  int from = open("source", O_RDWR | O_CREAT, 0644), to = open("target", O_RDWR | O_CREAT, 0644);
  CHECK_EQ(write(from, "0123456789", 10), 10);
  off_t offset = 2;
  CHECK_EQ(sendfile(to, from, &offset, 4), 4);
  CHECK_EQ(offset, 6);
  CHECK_EQ(pread(to, text, sizeof text, 0), 4);
  CHECK_EQ(memcmp(text, "2345", 4), 0);
  off64_t in = 8, out = 4;
  ssize_t copied = copy_file_range(from, &in, to, &out, 2, 0);
  if (copied >= 0) {
    CHECK_EQ(copied, 2);
    CHECK_EQ(in, 10);
    CHECK_EQ(out, 6);
    CHECK_EQ(pread(to, text, sizeof text, 0), 6);
    CHECK_EQ(memcmp(text, "234589", 6), 0);
  }
  int ends[2], ends2[2];
  CHECK_EQ(pipe(ends), 0);
  CHECK_EQ(pipe2(ends2, O_CLOEXEC), 0);
  loff_t start = 1;
  CHECK_EQ(splice(from, &start, ends[1], NULL, 3, 0), 3);
  CHECK_EQ(start, 4);
  CHECK_EQ(tee(ends[0], ends2[1], 3, 0), 3);
  CHECK_EQ(read(ends[0], text, sizeof text), 3);
  CHECK_EQ(memcmp(text, "123", 3), 0);
  CHECK_EQ(read(ends2[0], text, sizeof text), 3);
  CHECK_EQ(memcmp(text, "123", 3), 0);
  locks(from);
  if (setxattr("source", "user.color", "red", 3, 0) == 0) {
    CHECK_EQ(getxattr("source", "user.color", text, sizeof text), 3);
    CHECK_EQ(memcmp(text, "red", 3), 0);
    CHECK_EQ(getxattr("source", "user.color", NULL, 0), 3);
    CHECK_EQ(removexattr("source", "user.color"), 0);
    CHECK_ERRNO(getxattr("source", "user.color", text, sizeof text), ENODATA);
  }
  int memory = memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK(memory >= 0);
  CHECK_EQ(write(memory, "x", 1), 1);
  CHECK_EQ(fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE), 0);
  CHECK_ERRNO(write(memory, "y", 1), EPERM);
  CHECK_EQ(fcntl(memory, F_GET_SEALS), F_SEAL_WRITE);
  CHECK_EQ(unlink("source"), 0);
  CHECK_EQ(unlink("target"), 0);
}

int main(void) {
  RUN(copying);
  return 0;
}
