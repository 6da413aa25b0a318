// Requests to files, terminals and sockets, those with arrays and pointers above all; and what is none of
// theirs.
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/random.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "check.h"

static int file(void) {
  char name[] = "ioctls.XXXXXX";
  const int fd = mkstemp(name);
  CHECK_EQ(unlink(name), 0);
  static char block[65536];
  memset(block, 7, sizeof block);
  CHECK_EQ(write(fd, block, sizeof block), sizeof block);
  return fd;
}

static void extents_of_a_file(void) {
  const int fd = file();
  struct {
    struct fiemap head;
    struct fiemap_extent extents[4];
  } map;
  memset(&map, 0, sizeof map);
  map.head.fm_length = ~0UL;
  map.head.fm_flags = FIEMAP_FLAG_SYNC;
  map.head.fm_extent_count = 4;
  if (ioctl(fd, FS_IOC_FIEMAP, &map) != 0) {
    CHECK_EQ(errno, EOPNOTSUPP);
    SKIP("no extents here");
  }
  CHECK(map.head.fm_mapped_extents >= 1);
  CHECK_EQ(map.extents[0].fe_logical, 0);
  CHECK(map.extents[0].fe_length != 0);
  // What came is used in a call, so that a replay without it would differ.
  const off_t used = (off_t)(map.extents[0].fe_physical >> 12 & 0xffffff);
  CHECK_EQ(lseek(fd, used, SEEK_SET), used);
  close(fd);
}

static void attributes(void) {
  const int fd = file();
  int flags = -1, block = 0;
  if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) CHECK_EQ(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
  CHECK_EQ(ioctl(fd, FIGETBSZ, &block), 0);
  CHECK(block >= 512);
  int left = 0;
  CHECK_EQ(lseek(fd, 65530, SEEK_SET), 65530);
  CHECK_EQ(ioctl(fd, FIONREAD, &left), 0);
  CHECK_EQ(left, 6);
  CHECK_EQ(ioctl(fd, FIOCLEX), 0);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(ioctl(fd, FIONCLEX), 0);
  CHECK_EQ(fcntl(fd, F_GETFD), 0);
  int on = 1;
  CHECK_EQ(ioctl(fd, FIONBIO, &on), 0);
  CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  CHECK_ERRNO(ioctl(fd, FIGETBSZ, (int*)8), EFAULT);
  struct termios settings;
  CHECK_ERRNO(tcgetattr(fd, &settings), ENOTTY);
  struct winsize size_of_window;
  CHECK_ERRNO(ioctl(fd, TIOCGWINSZ, &size_of_window), ENOTTY);
  CHECK_ERRNO(ioctl(999, TIOCGWINSZ, &size_of_window), EBADF);
  unsigned long sectors;
  CHECK_ERRNO(ioctl(fd, BLKGETSIZE, &sectors), ENOTTY);
  close(fd);
}

static void same_bytes(void) {
  const int one = file(), other = file();
  const int cloned = ioctl(other, FICLONE, one);
  if (cloned != 0) CHECK(errno == EOPNOTSUPP || errno == EINVAL || errno == ENOTTY);
  CHECK_ERRNO(ioctl(other, FICLONE, 999), EBADF);
  for (int fd = 65500; fd < 65560; ++fd) CHECK_ERRNO(ioctl(other, FICLONE, fd), EBADF);
  close(one);
  close(other);
}

static void network(void) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq entries[16];
  memset(entries, 0, sizeof entries);
  struct ifconf list = {.ifc_len = sizeof entries, .ifc_req = entries};
  CHECK_EQ(ioctl(fd, SIOCGIFCONF, &list), 0);
  CHECK(list.ifc_len % (int)sizeof(struct ifreq) == 0);
  for (int i = 0; i < list.ifc_len / (int)sizeof(struct ifreq); ++i) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, entries[i].ifr_name);
    CHECK_EQ(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    CHECK_EQ(ioctl(fd, SIOCGIFINDEX, &request), 0);
    const int index = request.ifr_ifindex;
    CHECK_EQ(ioctl(fd, SIOCGIFNAME, &request), 0);
    CHECK_EQ(strcmp(request.ifr_name, entries[i].ifr_name), 0);
    printf("%s is %d\n", request.ifr_name, index);
  }
  list = (struct ifconf){.ifc_len = 0, .ifc_req = NULL};
  CHECK_EQ(ioctl(fd, SIOCGIFCONF, &list), 0);
  list = (struct ifconf){.ifc_len = sizeof entries, .ifc_buf = (char*)8};
  const int wild = ioctl(fd, SIOCGIFCONF, &list);
  if (list.ifc_len > 0 && wild != 0) CHECK_EQ(errno, EFAULT);
  CHECK_ERRNO(ioctl(fd, SIOCGIFCONF, (struct ifconf*)8), EFAULT);
  close(fd);
}

static void devices(void) {
  const int random = open("/dev/urandom", O_RDONLY);
  int bits = -1;
  CHECK_EQ(ioctl(random, RNDGETENTCNT, &bits), 0);
  CHECK(bits >= 0);
  close(random);
}

/// Requests that would show pages of the machine's are as on a kernel that has them not, or show only the
/// program's.
static void maps_and_pages(void) {
  const int maps = open("/proc/self/maps", O_RDONLY), pages = open("/proc/self/pagemap", O_RDONLY);
  char unused[256] = {0};
  CHECK(ioctl(maps, 0xc0686611 /* PROCMAP_QUERY */, unused) != 0);
  CHECK(ioctl(pages, 0xc0606610 /* PAGEMAP_SCAN */, unused) != 0);
  close(maps);
  close(pages);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  RUN(extents_of_a_file);
  RUN(attributes);
  RUN(same_bytes);
  RUN(network);
  RUN(devices);
  RUN(maps_and_pages);
  return 0;
}
