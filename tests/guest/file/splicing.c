// Bytes moved between descriptors past the program's memory, also to its own output and out of /proc.
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "check.h"

static int file_with(const char* text) {
  char name[] = "splicing.XXXXXX";
  const int fd = mkstemp(name);
  CHECK_EQ(unlink(name), 0);
  CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  return fd;
}

static void sendfile_to_output(void) {
  const int fd = file_with("from a file to standard output\n");
  off_t offset = 7;
  CHECK_EQ(sendfile(1, fd, &offset, 6), 6);
  CHECK_EQ(offset, 13);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
  CHECK_EQ(sendfile(1, fd, NULL, 1000), 31);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 31);
  CHECK_EQ(sendfile(1, fd, NULL, 1000), 0);
  int pipes[2];
  CHECK_EQ(pipe(pipes), 0);
  CHECK_ERRNO(sendfile(1, pipes[0], NULL, 1), EINVAL);
  CHECK_ERRNO(sendfile(1, 999, NULL, 1), EBADF);
  CHECK_ERRNO(sendfile(1, fd, (off_t*)8, 1), EFAULT);
  offset = -1;
  CHECK_ERRNO(sendfile(1, fd, &offset, 1), EINVAL);
  CHECK_EQ(write(1, "\n", 1), 1);
}

static void splice_to_output(void) {
  int pipes[2];
  CHECK_EQ(pipe(pipes), 0);
  CHECK_EQ(write(pipes[1], "through a pipe\n", 15), 15);
  CHECK_EQ(splice(pipes[0], NULL, 1, NULL, 10, 0), 10);
  CHECK_EQ(splice(pipes[0], NULL, 1, NULL, 100, SPLICE_F_NONBLOCK), 5);
  off_t offset = 0;
  CHECK_ERRNO(splice(pipes[0], &offset, 1, NULL, 1, 0), ESPIPE);
  CHECK_EQ(splice(pipes[0], NULL, 1, NULL, 0, 0), 0);
  CHECK_ERRNO(splice(pipes[0], NULL, 999, NULL, 1, 0), EBADF);
}

static void copy_to_output(void) {
  const int fd = file_with("copied from file to file\n");
  struct stat status;
  CHECK_EQ(fstat(1, &status), 0);
  off_t offset = 7;
  const ssize_t done = copy_file_range(fd, &offset, 1, NULL, 5, 0);
  if (!S_ISREG(status.st_mode)) return;
  CHECK(done == 5 || (done == -1 && errno == EXDEV));
  CHECK_EQ(offset, done == 5 ? 12 : 7);
  CHECK_ERRNO(copy_file_range(fd, NULL, 1, NULL, 5, 1), EINVAL);
}

/// The files of a process in /proc cannot be spliced.
static void out_of_proc(void) {
  const int comm = open("/proc/self/comm", O_RDONLY), fd = file_with("");
  int pipes[2];
  CHECK_EQ(pipe(pipes), 0);
  CHECK_ERRNO(sendfile(fd, comm, NULL, 100), EINVAL);
  CHECK_ERRNO(splice(comm, NULL, pipes[1], NULL, 100, 0), EINVAL);
  CHECK_ERRNO(copy_file_range(comm, NULL, fd, NULL, 100, 0), EXDEV);
}

static void vmsplice_copies(void) {
  int pipes[2];
  CHECK_EQ(pipe(pipes), 0);
  char first[] = "gathered ", second[] = "bytes", got[32] = {0};
  struct iovec parts[2] = {{first, 9}, {second, 5}};
  CHECK_EQ(vmsplice(pipes[1], parts, 2, 0), 14);
  CHECK_EQ(read(pipes[0], got, sizeof got), 14);
  CHECK_EQ(strcmp(got, "gathered bytes"), 0);
  CHECK_EQ(write(pipes[1], "back", 4), 4);
  struct iovec into = {got, sizeof got};
  CHECK_EQ(vmsplice(pipes[0], &into, 1, 0), 4);
  CHECK_EQ(memcmp(got, "back", 4), 0);
  CHECK_EQ(vmsplice(pipes[1], parts, 0, 0), 0);
  CHECK_ERRNO(vmsplice(open("/dev/null", O_WRONLY), parts, 1, 0), EBADF);
  CHECK_ERRNO(vmsplice(999, parts, 1, 0), EBADF);
  CHECK_ERRNO(vmsplice(pipes[1], parts, 1, 0x100), EINVAL);
  parts[0].iov_base = (void*)8;
  CHECK_ERRNO(vmsplice(pipes[1], parts, 1, 0), EFAULT);
  CHECK_ERRNO(vmsplice(pipes[1], (void*)8, 1, 0), EFAULT);
}

static void tee_between_pipes(void) {
  int one[2], other[2];
  CHECK_EQ(pipe(one), 0);
  CHECK_EQ(pipe(other), 0);
  CHECK_EQ(write(one[1], "twice", 5), 5);
  CHECK_EQ(tee(one[0], other[1], 100, 0), 5);
  char got[8];
  CHECK_EQ(read(one[0], got, 8), 5);
  CHECK_EQ(read(other[0], got, 8), 5);
  CHECK_EQ(memcmp(got, "twice", 5), 0);
}

int main(void) {
  RUN(sendfile_to_output);
  RUN(splice_to_output);
  RUN(copy_to_output);
  RUN(out_of_proc);
  RUN(vmsplice_copies);
  RUN(tee_between_pipes);
  return 0;
}
