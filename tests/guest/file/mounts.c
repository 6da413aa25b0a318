// statmount, listmount (Linux 6.8), and the security modules' lists: what they say agrees with statx, or the
// kernel is too old for them.
#include "check.h"

static uint64_t root_mount(void) {
  struct statx status;
  CHECK_EQ(statx(AT_FDCWD, "/", 0, 0x4000 /* STATX_MNT_ID_UNIQUE */, &status), 0);
  return (status.stx_mask & 0x4000) != 0 ? *(uint64_t*)((char*)&status + 0x90) : 0;
}

static void one_mount(void) {
  struct {
    uint32_t size, spare;
    uint64_t mount, parameter;
  } request = {24, 0, root_mount(), 1 /* STATMOUNT_SB_BASIC */};
  if (request.mount == 0) SKIP("no unique mount ids");
  static char answer[4096];
  const long result = syscall(457 /* statmount */, &request, answer, sizeof answer, 0);
  if (result < 0 && errno == ENOSYS) SKIP("no statmount");
  CHECK_EQ(result, 0);
  struct stat status;
  CHECK_EQ(stat("/", &status), 0);
  CHECK_ERRNO(syscall(457, &request, 8, sizeof answer, 0), EFAULT);
  CHECK_ERRNO(syscall(457, 8, answer, sizeof answer, 0), EFAULT);
  request.size = 8;
  CHECK_ERRNO(syscall(457, &request, answer, sizeof answer, 0), EINVAL);
}

static void all_mounts(void) {
  struct {
    uint32_t size, spare;
    uint64_t mount, parameter;
  } request = {24, 0, ~0UL /* LSMT_ROOT */, 0};
  uint64_t ids[256];
  const long count = syscall(458 /* listmount */, &request, ids, 256, 0);
  if (count < 0 && errno == ENOSYS) SKIP("no listmount");
  CHECK(count > 0);
  for (long i = 0; i < count; ++i) CHECK(ids[i] != 0);
  CHECK_ERRNO(syscall(458, 8, ids, 256, 0), EFAULT);
}

static void security_modules(void) {
  uint64_t ids[64];
  uint32_t size = sizeof ids;
  const long count = syscall(461 /* lsm_list_modules */, ids, &size, 0);
  if (count < 0 && errno == ENOSYS) SKIP("no lsm_list_modules");
  CHECK(count >= 0);
  CHECK_EQ(size, count * 8);
  CHECK_ERRNO(syscall(461, ids, &size, 1), EINVAL);
  CHECK_ERRNO(syscall(461, ids, 8, 0), EFAULT);
  char context[4096];
  size = sizeof context;
  const long got = syscall(459 /* lsm_get_self_attr */, 100, context, &size, 0);
  CHECK(got >= 0 || errno == EOPNOTSUPP);
  CHECK_ERRNO(syscall(460 /* lsm_set_self_attr */, 100, context, 4, 0), EINVAL);
}

int main(void) {
  RUN(one_mount);
  RUN(all_mounts);
  RUN(security_modules);
  return 0;
}
