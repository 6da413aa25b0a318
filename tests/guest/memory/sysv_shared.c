// SysV shared memory within one process: segments, attachments, what they show to each other, their life.
#include <sys/ipc.h>
#include <sys/shm.h>

#include "check.h"

#define PAGE 4096UL

static void two_views(void) {
  const int id = shmget(IPC_PRIVATE, 3 * PAGE + 100, IPC_CREAT | 0600);
  CHECK(id >= 0);
  char* one = shmat(id, NULL, 0);
  const char* other = shmat(id, NULL, SHM_RDONLY);
  CHECK(one != (void*)-1 && other != (void*)-1 && one != other);
  CHECK_EQ(one[3 * PAGE + 200], 0);
  strcpy(one + PAGE, "seen twice");
  CHECK_EQ(strcmp(other + PAGE, "seen twice"), 0);
  struct shmid_ds state;
  CHECK_EQ(shmctl(id, IPC_STAT, &state), 0);
  CHECK_EQ(state.shm_nattch, 2);
  CHECK_EQ(state.shm_segsz, 3 * PAGE + 100);
  CHECK_EQ(state.shm_perm.mode & 0777, 0600);
  CHECK_EQ(state.shm_cpid, getpid());
  CHECK_EQ(shmdt(one), 0);
  CHECK_ERRNO(shmdt(one), EINVAL);
  CHECK_EQ(shmdt(other), 0);
  other = shmat(id, NULL, 0);  // what was written stays
  CHECK_EQ(strcmp(other + PAGE, "seen twice"), 0);
  CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
  CHECK_EQ(shmctl(id, IPC_STAT, &state), 0);
  CHECK((state.shm_perm.mode & SHM_DEST) != 0);
  CHECK_EQ(strcmp(other + PAGE, "seen twice"), 0);
  CHECK_EQ(shmdt(other), 0);
  CHECK_ERRNO(shmctl(id, IPC_STAT, &state), EINVAL);
}

static void places(void) {
  const int id = shmget(IPC_PRIVATE, 2 * PAGE, 0600);
  char* area = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK_ERRNO(shmat(id, area, 0), EINVAL);  // taken
  CHECK_ERRNO(shmat(id, area + 100, 0), EINVAL);
  CHECK_EQ((long)shmat(id, area + PAGE, SHM_REMAP), (long)(area + PAGE));
  area[PAGE] = 'x';
  munmap(area, PAGE);
  munmap(area + 3 * PAGE, PAGE);
  CHECK_EQ(munmap(area + PAGE, PAGE), 0);  // the first half of the attachment
  CHECK_EQ(area[2 * PAGE], 0);
  CHECK_ERRNO(shmdt(area), EINVAL);
  CHECK_EQ(shmdt(area + PAGE), 0);  // what is left of it
  CHECK_ERRNO(shmdt(area + PAGE), EINVAL);
  CHECK_EQ((long)shmat(id, area + 100, SHM_RND), (long)area);
  CHECK_EQ(area[0], 'x');
  CHECK_EQ(shmdt(area), 0);
  CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

static void keys(void) {
  const key_t key = 0x4f520000 + getpid() % 0xffff;
  CHECK_ERRNO(shmget(key, PAGE, 0600), ENOENT);
  const int id = shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600);
  CHECK(id >= 0);
  CHECK_EQ(shmget(key, PAGE, 0600), id);
  CHECK_EQ(shmget(key, 0, 0), id);
  CHECK_ERRNO(shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
  CHECK_ERRNO(shmget(key, 2 * PAGE, 0600), EINVAL);
  CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
  CHECK_ERRNO(shmget(key, PAGE, 0600), ENOENT);
  CHECK_ERRNO(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
}

static void malformed(void) {
  struct shmid_ds state;
  CHECK_ERRNO(shmat(-1, NULL, 0), EINVAL);
  CHECK_ERRNO(shmdt((void*)1), EINVAL);
  CHECK_ERRNO(shmdt(&state), EINVAL);
  CHECK_ERRNO(shmctl(-1, IPC_STAT, &state), EINVAL);
  const int id = shmget(IPC_PRIVATE, PAGE, 0600);
  CHECK_ERRNO(syscall(SYS_shmctl, id, IPC_STAT, 8), EFAULT);
  CHECK_ERRNO(syscall(SYS_shmctl, id, 99, &state), EINVAL);
  CHECK_EQ(shmctl(id, IPC_STAT, &state), 0);
  state.shm_perm.mode = 0640;
  CHECK_EQ(shmctl(id, IPC_SET, &state), 0);
  CHECK_EQ(shmctl(id, IPC_STAT, &state), 0);
  CHECK_EQ(state.shm_perm.mode, 0640);
  CHECK_EQ(shmctl(id, SHM_LOCK, NULL), 0);
  CHECK_EQ(shmctl(id, SHM_UNLOCK, NULL), 0);
  struct shminfo limits;
  CHECK(shmctl(0, IPC_INFO, (void*)&limits) >= 0);
  CHECK_EQ(limits.shmmin, 1);
  struct shm_info usage;
  CHECK(shmctl(0, SHM_INFO, (void*)&usage) >= 0);
  CHECK(usage.used_ids >= 1 && usage.shm_tot >= 1);
  CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

static void shown_in_maps(void) {
  const int id = shmget(IPC_PRIVATE, PAGE, 0600);
  char* at = shmat(id, NULL, 0);
  char line[512], wanted[64];
  snprintf(wanted, sizeof wanted, "%lx-%lx rw-s 00000000 ", (long)at, (long)at + PAGE);
  FILE* maps = fopen("/proc/self/maps", "r");
  int found = 0;
  while (fgets(line, sizeof line, maps) != NULL) {
    if (strncmp(line, wanted, strlen(wanted)) != 0) continue;
    found = 1;
    CHECK(strstr(line, "/SYSV00000000 (deleted)\n") != NULL);
    CHECK(strtol(line + strlen(wanted) + 6, NULL, 10) == id);
  }
  fclose(maps);
  CHECK(found);
  CHECK_EQ(shmdt(at), 0);
  CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

static void read_only_attachments_stay_so(void) {
  const int id = shmget(IPC_PRIVATE, PAGE, 0600);
  char* at = shmat(id, NULL, SHM_RDONLY);
  CHECK(at != (void*)-1);
  CHECK_ERRNO(mprotect(at, PAGE, PROT_READ | PROT_WRITE), EACCES);
  CHECK_EQ(shmdt(at), 0);
  at = shmat(id, NULL, 0);
  CHECK_EQ(mprotect(at, PAGE, PROT_READ), 0);
  CHECK_EQ(mprotect(at, PAGE, PROT_READ | PROT_WRITE), 0);
  at[7] = 'y';
  CHECK_EQ(shmdt(at), 0);
  CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

static void code_runs_from_a_segment(void) {
  const int id = shmget(IPC_PRIVATE, PAGE, 0700);
  unsigned char* writable = shmat(id, NULL, 0);
  const unsigned char* executable = shmat(id, NULL, SHM_EXEC | SHM_RDONLY);
  CHECK(writable != (void*)-1 && executable != (void*)-1);
  for (unsigned char value = 1; value < 20; ++value) {
    const unsigned char code[] = {0xb8, value, 0, 0, 0, 0xc3};  // mov $value, %eax; ret
    memcpy(writable, code, sizeof code);
    CHECK_EQ(((int (*)(void))(uintptr_t)executable)(), value);
  }
  CHECK_EQ(shmdt(writable), 0);
  CHECK_EQ(shmdt(executable), 0);
  CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

static void attachments_move_and_end_like_maps(void) {
  const int id = shmget(IPC_PRIVATE, 2 * PAGE, 0600);
  char* at = shmat(id, NULL, 0);
  at[PAGE] = 'm';
  char* area = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* moved = mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area);
  CHECK_EQ((long)moved, (long)area);
  CHECK_EQ(moved[PAGE], 'm');
  struct shmid_ds state;
  CHECK_EQ(shmctl(id, IPC_STAT, &state), 0);
  CHECK_EQ(state.shm_nattch, 1);
  CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
  CHECK_EQ(munmap(moved, 2 * PAGE), 0);
  CHECK_ERRNO(shmctl(id, IPC_STAT, &state), EINVAL);  // gone with its last page
}

static void permissions(void) {
  if (geteuid() != 0) SKIP("only root can become somebody else");
  const int id = shmget(IPC_PRIVATE, PAGE, 0644);
  struct shmid_ds state;
  CHECK_EQ(seteuid(65534), 0);
  CHECK_ERRNO(shmat(id, NULL, 0), EACCES);
  char* at = shmat(id, NULL, SHM_RDONLY);
  CHECK(at != (void*)-1);
  CHECK_EQ(shmdt(at), 0);
  CHECK_EQ(shmctl(id, IPC_STAT, &state), 0);
  CHECK_EQ(state.shm_perm.uid, 0);
  CHECK_ERRNO(shmctl(id, IPC_SET, &state), EPERM);
  CHECK_ERRNO(shmctl(id, SHM_LOCK, NULL), EPERM);
  CHECK_ERRNO(shmctl(id, IPC_RMID, NULL), EPERM);
  CHECK_EQ(seteuid(0), 0);
  state.shm_perm.uid = 65534;
  state.shm_perm.mode = 0600;
  CHECK_EQ(shmctl(id, IPC_SET, &state), 0);
  CHECK_EQ(seteuid(65534), 0);
  at = shmat(id, NULL, 0);  // the owner now
  CHECK(at != (void*)-1);
  CHECK_EQ(shmdt(at), 0);
  CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
  CHECK_EQ(seteuid(0), 0);
}

int main(void) {
  RUN(two_views);
  RUN(places);
  RUN(keys);
  RUN(malformed);
  RUN(shown_in_maps);
  RUN(read_only_attachments_stay_so);
  RUN(code_runs_from_a_segment);
  RUN(attachments_move_and_end_like_maps);
  RUN(permissions);
  return 0;
}
