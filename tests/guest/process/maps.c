// /proc/self/maps is the guest's own map in the kernel's format, and nothing of the engine's is in it.
#include "check.h"

struct line {
  unsigned long start, end, offset, inode;
  char rights[5];
  unsigned major, minor;
  char name[512];
};

static struct line lines[512];
static int count;

static void read_maps(void) {
  FILE* file = fopen("/proc/self/maps", "r");
  CHECK(file != NULL);
  char text[1024];
  unsigned long last = 0;
  for (count = 0; count < 512 && fgets(text, sizeof text, file) != NULL; ++count) {
    struct line* l = &lines[count];
    int used = 0;
    l->name[0] = '\0';
    CHECK(sscanf(text, "%lx-%lx %4s %lx %x:%x %lu%n", &l->start, &l->end, l->rights, &l->offset, &l->major,
                 &l->minor, &l->inode, &used) == 7);
    CHECK(text[used] == ' ');
    const size_t length = strlen(text);
    CHECK(text[length - 1] == '\n');
    if (length > 73) {
      CHECK(text[72] == ' ' && text[73] != ' ');
      text[length - 1] = '\0';
      strcpy(l->name, text + 73);
    } else {
      CHECK_EQ(used + 2, length);
    }
    CHECK(l->start >= last && l->end > l->start);
    last = l->end;
  }
  fclose(file);
}

static const struct line* find(const void* address) {
  for (int i = 0; i < count; ++i)
    if ((unsigned long)address >= lines[i].start && (unsigned long)address < lines[i].end) return &lines[i];
  return NULL;
}

static const char constant[] = "constant";

int main(void);

static void maps_are_told(void) {
  int local;
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  CHECK(length > 0);
  self[length] = '\0';
  sbrk(8192);
  char* anonymous = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK_EQ(mprotect(anonymous + 4096, 4096, PROT_NONE), 0);
  const int fd = open("/proc/self/exe", O_RDONLY);
  char* shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
  CHECK(shared != MAP_FAILED);
  read_maps();

  const struct line* l = find((void*)&main);
  CHECK(l != NULL && strcmp(l->rights, "r-xp") == 0);
  CHECK_EQ(strcmp(l->name, self), 0);
  struct stat status;
  CHECK_EQ(stat(self, &status), 0);
  CHECK_EQ(l->inode, status.st_ino);
  l = find(constant);
  CHECK(l != NULL && strcmp(l->rights, "r--p") == 0 && strcmp(l->name, self) == 0);
  l = find(&local);
  CHECK(l != NULL && strcmp(l->name, "[stack]") == 0 && strncmp(l->rights, "rw-p", 4) == 0);
  l = find((char*)sbrk(0) - 1);
  CHECK(l != NULL && strcmp(l->name, "[heap]") == 0);
  l = find(anonymous + 4096);
  CHECK(l != NULL && strcmp(l->rights, "---p") == 0 && l->name[0] == '\0');
  CHECK_EQ(l->end - l->start, 4096);
  l = find(shared);
  CHECK(l != NULL && strcmp(l->rights, "r--s") == 0 && l->offset == 4096 && strcmp(l->name, self) == 0);
  l = find((void*)&printf);
  CHECK(l != NULL && strstr(l->name, "libc") != NULL);

  CHECK_EQ(munmap(anonymous, 3 * 4096), 0);
  read_maps();
  CHECK(find(anonymous) == NULL);

  // All that is said to be readable can be read.
  const int null = open("/dev/null", O_WRONLY);
  int pipe_fds[2];
  CHECK_EQ(pipe(pipe_fds), 0);
  for (int i = 0; i < count; ++i) {
    if (lines[i].rights[0] != 'r' || lines[i].name[0] == '[' || lines[i].rights[3] == 's') continue;
    char byte;
    CHECK_EQ(write(pipe_fds[1], (void*)lines[i].start, 1), 1);
    CHECK_EQ(read(pipe_fds[0], &byte, 1), 1);
  }
  close(null);
}

int main(void) {
  RUN(maps_are_told);
  return 0;
}
