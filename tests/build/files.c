// Writes files in every way a tool may: each must come out of the recording as it is on disk.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int good, const char* what) {
  if (!good) {
    perror(what);
    exit(1);
  }
}

static int make(const char* path) {
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  must(fd >= 0, path);
  return fd;
}

static void put(int fd, const char* text) {
  must(write(fd, text, strlen(text)) == (ssize_t)strlen(text), text);
}

static void offsets(void) {
  int fd = make("offsets");
  put(fd, "0123456789");
  must(lseek(fd, 4, SEEK_SET) == 4, "lseek");
  put(fd, "four");
  must(pwrite(fd, "P", 1, 20) == 1, "pwrite");
  put(fd, "eight");
  struct iovec pieces[3] = {{"one ", 4}, {"two ", 4}, {"three", 5}};
  must(writev(fd, pieces, 3) == 13, "writev");
  must(pwritev(fd, pieces, 2, 100) == 8, "pwritev");
  must(ftruncate(fd, 105) == 0, "ftruncate");
  must(ftruncate(fd, 300) == 0, "ftruncate");
}

static void shared_position(void) {
  int fd = make("shared");
  int other = dup(fd);
  put(fd, "parent ");
  pid_t child = fork();
  if (child == 0) {
    put(other, "child ");
    must(fcntl(fd, F_DUPFD, 50) == 50, "F_DUPFD");
    put(50, "fifty ");
    _exit(0);
  }
  must(waitpid(child, NULL, 0) == child, "waitpid");
  put(other, "parent again");
  close(fd);
  put(other, " and again");
}

static void appended(void) {
  int fd = make("appended");
  int end = open("appended", O_WRONLY | O_APPEND);
  put(end, "first ");
  put(fd, "FI");
  put(end, "second");
  must(lseek(end, 0, SEEK_SET) == 0, "lseek");
  put(end, " third");
}

static void mapped(void) {
  int fd = make("mapped");
  must(ftruncate(fd, 10000) == 0, "ftruncate");
  char* all = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  must(all != MAP_FAILED, "mmap");
  close(fd);
  memset(all, 'a', 5000);
  must(munmap(all, 4096) == 0, "munmap");
  memset(all + 4096, 'b', 10000 - 4096);
  fd = make("left_mapped");
  must(ftruncate(fd, 100) == 0, "ftruncate");
  char* left = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  must(left != MAP_FAILED, "mmap");
  strcpy(left + 90, "the end of it");
}

static void copied(void) {
  int from = open("offsets", O_RDONLY), to = make("copied");
  must(lseek(from, 3, SEEK_SET) == 3, "lseek");
  must(sendfile(to, from, NULL, 9) == 9, "sendfile");
  off_t at = 2;
  must(sendfile(to, from, &at, 5) == 5, "sendfile");
  loff_t out = 40, in = 6;
  must(copy_file_range(from, &in, to, &out, 12, 0) == 12, "copy_file_range");
  put(to, "|");
}

static void named(void) {
  put(make("name.tmp"), "renamed");
  put(make("name"), "is gone");
  must(rename("name.tmp", "name") == 0, "rename");
  must(link("name", "second_name") == 0, "link");
  must(unlink("name") == 0, "unlink");
  put(make("removed"), "is removed");
  must(unlink("removed") == 0, "unlink");
  put(make("removed"), "is there again");
  must(chdir("below") == 0, "chdir");
  put(make("../below/./inside"), "inside");
  int directory = open("..", O_RDONLY | O_DIRECTORY);
  int fd = openat(directory, "beside", O_WRONLY | O_CREAT | O_EXCL, 0644);
  put(fd, "beside");
}

int main(void) {
  offsets();
  shared_position();
  appended();
  mapped();
  copied();
  named();
  return 0;
}
