// Extended attributes in all their forms, where the file system has them.
#include <sys/xattr.h>

#include "check.h"

static void extended_attributes(void) {
  char text[256];
  int fd = creat("a", 0600);
  if (fsetxattr(fd, "user.k", "v1", 2, XATTR_CREATE) != 0) {
    CHECK_EQ(errno, EOPNOTSUPP);
    SKIP("a file system without user attributes");
  }
  CHECK_ERRNO(fsetxattr(fd, "user.k", "v1", 2, XATTR_CREATE), EEXIST);
  CHECK_EQ(fgetxattr(fd, "user.k", text, sizeof text), 2);
  CHECK_ERRNO(fgetxattr(fd, "user.k", text, 1), ERANGE);
  CHECK_EQ(flistxattr(fd, text, sizeof text), 7);
  CHECK_EQ(memcmp(text, "user.k", 7), 0);
  CHECK_EQ(listxattr("a", text, sizeof text), 7);
  CHECK_EQ(llistxattr("a", NULL, 0), 7);
  CHECK_EQ(lsetxattr("a", "user.l", "w", 1, 0), 0);
  CHECK_EQ(lgetxattr("a", "user.l", text, sizeof text), 1);
  CHECK_EQ(lremovexattr("a", "user.l"), 0);
  CHECK_EQ(fremovexattr(fd, "user.k"), 0);
  CHECK_ERRNO(getxattr("a", "user.k", text, sizeof text), ENODATA);
  CHECK_EQ(unlink("a"), 0);
}

int main(void) {
  RUN(extended_attributes);
  return 0;
}
