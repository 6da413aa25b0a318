// The file is mapped and as large as it can get from the start, with holes: write(2) and a later ftruncate(2)
// would be subject to the program's RLIMIT_FSIZE.
#include "host/shown_view.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cstring>

#include "host/raw_syscall.h"
#include "memory/layout.h"

namespace orrery::host {
namespace {

constexpr memory::layout::Range kPlace = memory::layout::kShownView;
constexpr u64 kNowAndThenTsc = 4'000'000;  ///< a millisecond or two

}  // namespace

bool ShownView::is_due(bool settled) const {
  return !is_refused_ && (settled || __builtin_ia32_rdtsc() - shown_at_tsc_ > kNowAndThenTsc);
}

bool ShownView::open(int fd) {
  rlimit file_size{};
  raw_syscall(__NR_prlimit64, 0, RLIMIT_FSIZE, nullptr, &file_size);
  if (file_size.rlim_cur < kPlace.size_bytes()) return false;
  const i64 file = raw_syscall(__NR_memfd_create, "orrery-view", MFD_CLOEXEC);
  if (file < 0) return false;
  raw_syscall(__NR_dup3, file, fd, O_CLOEXEC);
  raw_syscall(__NR_close, file);
  if (raw_syscall(__NR_ftruncate, fd, kPlace.size_bytes()) < 0) return false;
  const i64 mapped = raw_syscall(__NR_mmap, kPlace.start, kPlace.size_bytes(), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0);
  return mapped == static_cast<i64>(kPlace.start);
}

void ShownView::show(int fd, std::span<const u8> view) {
  is_open_ = is_open_ || open(fd);
  is_refused_ = !is_open_;
  if (is_refused_) return;
  shown_at_tsc_ = __builtin_ia32_rdtsc();
  if (view.size() <= kPlace.size_bytes())
    std::memcpy(reinterpret_cast<void*>(kPlace.start), view.data(), view.size());
}

}  // namespace orrery::host
