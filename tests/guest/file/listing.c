// Reading directories, also one of more entries than a buffer holds.
#include <dirent.h>

#include "check.h"

static void directory_is_listed(void) {
  enum { kFiles = 700 };
  char name[32];
  CHECK_EQ(mkdir("many", 0755), 0);
  for (int i = 0; i < kFiles; i++) {
    snprintf(name, sizeof name, "many/file-%d", i);
    int fd = open(name, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0);
    close(fd);
  }
  char seen[kFiles] = {0};
  int count = 0;
  DIR* directory = opendir("many");
  CHECK(directory != NULL);
  for (struct dirent* entry; (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    int number = atoi(entry->d_name + 5);
    CHECK(number >= 0 && number < kFiles && !seen[number]);
    seen[number] = 1;
    count++;
  }
  closedir(directory);
  CHECK_EQ(count, kFiles);
  int fd = open("many", O_RDONLY | O_DIRECTORY);
  CHECK_ERRNO(syscall(SYS_getdents64, fd, name, 3), EINVAL);
  CHECK_ERRNO(syscall(SYS_getdents64, fd, (void*)8, 4096), EFAULT);
  for (int i = 0; i < kFiles; i++) {
    snprintf(name, sizeof name, "many/file-%d", i);
    CHECK_EQ(unlink(name), 0);
  }
  CHECK_EQ(rmdir("many"), 0);
}

int main(void) {
  RUN(directory_is_listed);
  return 0;
}
