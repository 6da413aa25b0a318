// The address space against the real kernel: random sequences of memory system calls, at the same
// addresses in this process (through AddressSpace) and in a child (directly). After every call the results,
// the maps and the bytes must be equal. Meanwhile random executable pages are watched, as a translator
// would: a page whose bytes differ from those it was watched with must have been announced, and the host's
// protection must catch the next store into it.
//
// A seed is printed with a failure; ORRERY_MEMORY_SEED runs one seed, ORRERY_MEMORY_SEEDS so many.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "memory/address_space.h"
#include "memory/guarded_copy.h"
#include "real_kernel.h"
#include "test_backend.h"

namespace orrery::memory {
namespace {

constexpr u64 kArenaPages = 48;
constexpr u64 kArenaStart = 0x1430'0000'0000;
constexpr u64 kArenaEnd = kArenaStart + kArenaPages * kPageBytes;
constexpr u64 kFilePages = 12;
constexpr int kReadWriteFd = 700, kReadOnlyFd = 701, kWriteOnlyFd = 702;

/// One call, as system call number and arguments.
struct Step {
  long number = 0;
  u64 args[6] = {};
};

std::string to_string(const Step& step) {
  const char* name = "?";
  switch (step.number) {
    case SYS_mmap:
      name = "mmap";
      break;
    case SYS_munmap:
      name = "munmap";
      break;
    case SYS_mprotect:
      name = "mprotect";
      break;
    case SYS_mremap:
      name = "mremap";
      break;
    case SYS_madvise:
      name = "madvise";
      break;
    case SYS_mlock:
      name = "mlock";
      break;
    case SYS_munlock:
      name = "munlock";
      break;
    default:
      break;
  }
  std::string text = name;
  for (const u64 arg : step.args) {
    char hex[24];
    std::snprintf(hex, sizeof hex, " %#llx", static_cast<unsigned long long>(arg));
    text += hex;
  }
  return text;
}

/// Where we differ from the kernel on purpose. When a row applies, the kernel's call is undone by making
/// both sides forget the range.
struct KnownDifference {
  const char* reason;
  bool (*applies)(const Step& step, i64 ours, i64 kernels, const std::vector<MapLine>& kernel_lines);
};
/// Whether the kernel keeps two VMAs where its map shows the same on both sides.
bool has_hidden_boundary(const std::vector<MapLine>& lines, u64 from, u64 to) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const MapLine& line) { return line.start > from && line.start < to; });
}
constexpr KnownDifference kKnownDifferences[] = {
    {"MREMAP_DONTUNMAP of a private file mapping is EINVAL, as before Linux 5.13 (remap.cc)",
     [](const Step& step, i64 ours, i64, const std::vector<MapLine>&) {
       return step.number == SYS_mremap && (step.args[3] & MREMAP_DONTUNMAP) != 0 && ours == -EINVAL;
     }},
    {"the kernel does not merge regions whose pages were touched apart, and mremap fails across them",
     [](const Step& step, i64 ours, i64 kernels, const std::vector<MapLine>& lines) {
       const u64 bytes = std::min(page_ceil(step.args[1]), page_ceil(step.args[2]));
       return step.number == SYS_mremap && ours != -EFAULT && kernels == -EFAULT &&
              has_hidden_boundary(lines, step.args[0], step.args[0] + bytes);
     }},
};

bool is_placed(const Step& step) {
  if (step.number == SYS_mmap) return (step.args[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;
  return step.number != SYS_mremap || (step.args[3] & MREMAP_FIXED) != 0;
}

bool in_arena(i64 address) {
  return static_cast<u64>(address) >= kArenaStart && static_cast<u64>(address) < kArenaEnd;
}

void open_files(int memfd) {
  ::dup2(memfd, kReadWriteFd);
  const std::string path = "/proc/self/fd/" + std::to_string(memfd);
  for (const auto& [fd, flags] : {std::pair{kReadOnlyFd, O_RDONLY}, std::pair{kWriteOnlyFd, O_WRONLY}}) {
    const int opened = ::open(path.c_str(), flags);
    ::dup2(opened, fd);
    ::close(opened);
  }
}

int make_file() {
  const int fd = ::memfd_create("property", 0);
  EXPECT_EQ(::ftruncate(fd, kFilePages * kPageBytes - 100), 0);
  for (u64 page = 0; page < kFilePages; ++page) {
    const u64 word = 0xf11e'0000 + page;
    EXPECT_EQ(::pwrite(fd, &word, sizeof word, static_cast<off_t>(page * kPageBytes)), ssize_t{sizeof word});
  }
  return fd;
}

u64 inode_of(int fd) {
  struct stat status {};
  EXPECT_EQ(::fstat(fd, &status), 0);
  return status.st_ino;
}

int child_file = -1;

void on_fault(int, siginfo_t*, void* context) {
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const u64 resume = guarded_copy_resume(static_cast<u64>(registers[REG_RIP]));
  if (resume == 0) ::_exit(98);
  registers[REG_RIP] = static_cast<greg_t>(resume);
}

class Comparison {
 public:
  explicit Comparison(u64 seed) : random_(seed), space_(backend_) {
    const int own = make_file();
    child_file = make_file();
    file_inode_[0] = inode_of(own);
    file_inode_[1] = inode_of(child_file);
    kernel_.emplace(kArenaStart, kArenaEnd, [] { open_files(child_file); });
    open_files(own);
    file_ = space_.add_file({.path = {'f'}, .inode = file_inode_[0]});
    ::close(own);
    ::close(child_file);
  }
  ~Comparison() {
    space_.clear();
    for (const int fd : {kReadWriteFd, kReadOnlyFd, kWriteOnlyFd}) ::close(fd);
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE("step " + std::to_string(i));
      const u64 kind = random_() % 100;
      last_.clear();
      if (kind < 14)
        store();
      else if (kind < 24)
        watch();
      else
        perform(random_call());
      SCOPED_TRACE(last_);
      take_announcements();
      check_maps();
      if (i % 3 == 0) check_bytes();
      check_watched();
    }
  }
  u64 agreed_errors = 0, agreed_successes = 0;

 private:
  u64 page() { return kArenaStart + random_() % kArenaPages * kPageBytes; }
  u64 address() { return page() + (random_() % 24 == 0 ? 1 + random_() % 4095 : 0); }
  u64 length_at(u64 at) {
    switch (random_() % 24) {
      case 0:
        return 0;
      case 1:
        return ~u64{0} - random_() % 8192;
      default:
        break;
    }
    const u64 most = (kArenaEnd - page_floor(at)) / kPageBytes;
    const u64 bytes = (1 + random_() % (random_() % 4 == 0 ? most : std::min<u64>(most, 6))) * kPageBytes;
    return random_() % 8 == 0 ? bytes - random_() % 4096 : bytes;
  }
  int protection() {
    constexpr int kCommon[] = {PROT_NONE,
                               PROT_READ,
                               PROT_READ | PROT_WRITE,
                               PROT_READ | PROT_EXEC,
                               PROT_READ | PROT_WRITE | PROT_EXEC,
                               PROT_READ | PROT_WRITE};
    return random_() % 8 == 0 ? static_cast<int>(random_() % 8) : kCommon[random_() % std::size(kCommon)];
  }

  Step random_call() {
    const u64 kind = random_() % 100;
    if (kind < 34) return random_mmap();
    const u64 at = address();
    if (kind < 44) return {SYS_munmap, {at, length_at(at)}};
    if (kind < 66) return random_mprotect(at);
    if (kind < 82) return random_mremap(at);
    if (kind < 95) return random_madvise(at);
    return {random_() % 2 == 0 ? SYS_mlock : SYS_munlock, {at, length_at(at)}};
  }

  Step random_mmap() {
    const u64 at = address();
    int flags = random_() % 3 == 0 ? MAP_SHARED : MAP_PRIVATE;
    if (random_() % 24 == 0) flags = static_cast<int>(random_() % 4);
    const u64 placing = random_() % 10;
    if (placing < 7) flags |= MAP_FIXED;
    if (placing == 7) flags |= MAP_FIXED_NOREPLACE;
    int fd = -1;
    u64 offset = 0;
    if (random_() % 5 < 2) {
      fd = random_() % 4 != 0 ? kReadWriteFd : kReadOnlyFd + static_cast<int>(random_() % 2);
      offset = random_() % (kFilePages + 2) * kPageBytes;
    } else {
      flags |= MAP_ANONYMOUS;
    }
    constexpr int kOdd[] = {MAP_GROWSDOWN, MAP_LOCKED,  MAP_POPULATE, MAP_STACK,
                            MAP_DENYWRITE, MAP_HUGETLB, 0x80000};
    if (random_() % 12 == 0) flags |= kOdd[random_() % std::size(kOdd)];
    // Where huge pages could lie, the kernel unmaps 2 MiB before it finds that it has none; we leave them.
    if (at == kArenaStart) flags &= ~MAP_HUGETLB;
    return {SYS_mmap,
            {at, length_at(at), static_cast<u64>(protection()), static_cast<u64>(flags), static_cast<u64>(fd),
             offset}};
  }

  Step random_mprotect(u64 at) {
    int wanted = protection();
    if (random_() % 20 == 0) wanted |= static_cast<int>(random_() % 16);
    if (random_() % 20 == 0) wanted |= random_() % 2 == 0 ? PROT_GROWSDOWN : PROT_GROWSUP;
    return {SYS_mprotect, {at, length_at(at), static_cast<u64>(wanted)}};
  }

  Step random_mremap(u64 at) {
    u64 flags = random_() % 4 == 0 ? random_() % 8 : std::array<u64, 4>{0, 1, 3, 3}[random_() % 4];
    if (random_() % 40 == 0) flags |= 8;
    const u64 target = random_() % 30 == 0 ? address() : page();
    const u64 old_bytes = length_at(at);
    u64 new_bytes = random_() % 2 == 0 ? old_bytes : length_at(at);
    // A target must end within the arena.
    if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0 && new_bytes <= kTaskBytes)
      new_bytes = std::min(new_bytes, kArenaEnd - page_floor(target));
    if (random_() % 2 == 0)
      return {SYS_mremap, {at, std::min(old_bytes, new_bytes), new_bytes, flags, target}};
    return {SYS_mremap, {at, old_bytes, new_bytes, flags, target}};
  }

  Step random_madvise(u64 at) {
    constexpr int kAdvices[] = {MADV_NORMAL,
                                MADV_RANDOM,
                                MADV_SEQUENTIAL,
                                MADV_WILLNEED,
                                MADV_DONTNEED,
                                MADV_DONTNEED,
                                MADV_DONTNEED,
                                8,
                                MADV_REMOVE,
                                MADV_DONTFORK,
                                MADV_DOFORK,
                                MADV_WIPEONFORK,
                                MADV_KEEPONFORK,
                                MADV_DONTDUMP,
                                MADV_DODUMP,
                                MADV_COLD,
                                MADV_PAGEOUT,
                                MADV_POPULATE_READ,
                                MADV_POPULATE_WRITE,
                                24,
                                7,
                                99,
                                -1};
    return {SYS_madvise, {at, length_at(at), static_cast<u64>(kAdvices[random_() % std::size(kAdvices)])}};
  }

  i64 ours(const Step& step) {
    const u64* const a = step.args;
    switch (step.number) {
      case SYS_mmap: {
        const int fd = static_cast<int>(a[4]);
        const bool is_file = (a[3] & MAP_ANONYMOUS) == 0;
        return space_.mmap({.address = a[0],
                            .size_bytes = a[1],
                            .protection = static_cast<int>(a[2]),
                            .flags = static_cast<int>(a[3]),
                            .fd = fd,
                            .offset = a[5],
                            .file = is_file ? file_ : 0,
                            .file_readable = fd != kWriteOnlyFd,
                            .file_writable = fd != kReadOnlyFd});
      }
      case SYS_munmap:
        return space_.munmap(a[0], a[1]);
      case SYS_mprotect:
        return space_.mprotect(a[0], a[1], static_cast<int>(a[2]));
      case SYS_mremap:
        return space_.mremap(a[0], a[1], a[2], static_cast<int>(a[3]), a[4]);
      case SYS_madvise:
        return space_.madvise(a[0], a[1], static_cast<int>(a[2]));
      case SYS_mlock:
        return space_.lock(a[0], a[1], kLocked);
      case SYS_munlock:
        return space_.lock(a[0], a[1], 0);
      default:
        return -ENOSYS;
    }
  }

  void perform(const Step& step) {
    last_ = to_string(step);
    SCOPED_TRACE(last_);
    const u64* const a = step.args;
    if (step.number == SYS_mprotect && (a[2] & PROT_GROWSDOWN) != 0 && kernel_splits_below(a[0])) return;
    const i64 mine = ours(step);
    const i64 theirs = kernel_->call(step.number, a[0], a[1], a[2], a[3], a[4], a[5]);
    (mine < 0 ? agreed_errors : agreed_successes) += 1;
    if (mine == theirs) {
      if (step.number == SYS_madvise && a[2] == kFree) finish_freeing(step, mine);
      return;
    }
    if (mine > 0 && theirs > 0 && !is_placed(step) && !in_arena(mine) && !in_arena(theirs)) {
      const u64 bytes = step.number == SYS_mmap ? a[1] : a[2];
      ASSERT_EQ(space_.munmap(static_cast<u64>(mine), bytes), 0);
      ASSERT_EQ(kernel_->call(SYS_munmap, static_cast<u64>(theirs), bytes), 0);
      return;
    }
    for (const KnownDifference& difference : kKnownDifferences) {
      if (!difference.applies(step, mine, theirs, kernel_lines_)) continue;
      if (mine > 0 && !in_arena(mine)) (void)space_.munmap(static_cast<u64>(mine), a[2]);
      start_afresh(theirs, a[2]);
      return;
    }
    FAIL() << "ours " << mine << ", the kernel's " << theirs << "\nour map\n"
           << orrery::memory::to_string(our_maps());
  }

  /// Whether the kernel's VMA at `at` begins above our region there: it does not merge regions whose pages
  /// were touched apart, and PROT_GROWSDOWN goes down to where the VMA begins.
  bool kernel_splits_below(u64 at) const {
    const Region* const region = std::as_const(space_).find(at);
    return region != nullptr && has_hidden_boundary(kernel_lines_, region->start, page_floor(at) + 1);
  }

  /// MADV_FREE leaves it to chance when the kernel drops the pages; we drop them at once, and have it do so.
  void finish_freeing(const Step& step, i64 result) {
    if (result == 0 || result == -ENOMEM)
      (void)kernel_->call(SYS_madvise, step.args[0], step.args[1], MADV_DONTNEED);
    else
      start_afresh(0, 0);
  }

  void start_afresh(i64 moved_to, u64 bytes) {
    if (moved_to > 0 && !in_arena(moved_to))
      (void)kernel_->call(SYS_munmap, static_cast<u64>(moved_to), bytes);
    (void)kernel_->call(SYS_munmap, kArenaStart, kArenaEnd - kArenaStart);
    (void)space_.munmap(kArenaStart, kArenaEnd - kArenaStart);
  }

  std::vector<MapLine> our_maps() const {
    std::vector<MapLine> lines;
    for (const Region& region : space_.regions())
      lines.push_back({region.start, region.end, region.protection, region.shared(),
                       region.private_anonymous() ? 0 : region.offset,
                       region.file != 0 ? file_inode_[0] : region.object});
    return lines;
  }

  /// Joined, and then with inodes made comparable: 1 is the file, 2 is shared anonymous memory.
  static std::vector<MapLine> comparable(std::vector<MapLine> lines, u64 file_inode) {
    lines = canonical(std::move(lines));
    for (MapLine& line : lines)
      if (line.inode != 0) line.inode = line.inode == file_inode ? 1 : 2;
    return lines;
  }

  void check_maps() {
    const auto mine = comparable(our_maps(), file_inode_[0]);
    kernel_lines_ = kernel_->maps();
    const auto theirs = comparable(kernel_lines_, file_inode_[1]);
    ASSERT_EQ(mine, theirs) << "ours\n"
                            << orrery::memory::to_string(mine) << "the kernel's\n"
                            << orrery::memory::to_string(theirs);
    for (const MapLine& line : read_maps(kArenaStart, kArenaEnd)) {
      for (u64 at = line.start; at < line.end; at += kPageBytes) {
        const Region* const region = space_.find(at);
        ASSERT_NE(region, nullptr) << std::hex << at;
        const bool may_be_watched =
            line.protection == AddressSpace::host_protection(region->protection, true) && region->watched;
        ASSERT_TRUE(line.protection == AddressSpace::host_protection(region->protection, false) ||
                    may_be_watched)
            << std::hex << at << " has host protection " << line.protection << " guest "
            << region->protection;
      }
    }
  }

  void check_bytes() {
    const std::vector<u64> theirs = kernel_->words();
    for (u64 i = 0; i < kArenaPages; ++i) {
      const u64 at = kArenaStart + i * kPageBytes;
      const Region* const region = space_.find(at);
      if (region == nullptr || (region->protection & PROT_READ) == 0) continue;
      ASSERT_EQ(first_word(at), theirs[i]) << std::hex << at << "\n" << orrery::memory::to_string(our_maps());
    }
  }

  void store() {
    const u64 at = page();
    const u64 value = random_();
    SCOPED_TRACE("store");
    const bool theirs = kernel_->store(at, value);
    bool mine = false;
    // Stacks grow for the guest's own accesses, not for the child's process_vm_writev: only mapped pages
    // count.
    if (!std::as_const(space_).accessible(at, 8, Access::write)) {
      mine = false;
    } else if (random_() % 3 == 0) {
      mine = space_.write_value(at, value);
    } else {
      // As the guest itself would: a fault on a watched page is resolved, the store repeated.
      mine = guarded_copy(reinterpret_cast<void*>(at), &value, 8) == 8;
      if (!mine && space_.handle_write_fault(at))
        mine = guarded_copy(reinterpret_cast<void*>(at), &value, 8) == 8;
    }
    ASSERT_EQ(mine, theirs) << std::hex << at << "\n" << orrery::memory::to_string(our_maps());
  }

  // --- the translator's part ---
  void watch() {
    const u64 at = page();
    if (!std::as_const(space_).accessible(at, 8, Access::execute) || first_word(at) == ~u64{0}) return;
    if (random_() % 3 == 0) {
      space_.watch_code_mapping(at);
      mapping_watched_.insert(at);
    } else {
      space_.watch_code(at);
      watched_[at] = first_word(at);
    }
  }
  void take_announcements() {
    for (const CodeChange& change : space_.code().take()) {
      const u64 start = page_floor(change.start);
      watched_.erase(watched_.lower_bound(start), watched_.lower_bound(change.end));
      mapping_watched_.erase(mapping_watched_.lower_bound(start), mapping_watched_.lower_bound(change.end));
    }
  }
  void check_watched() {
    for (const auto& [at, word] : watched_) {
      ASSERT_TRUE(std::as_const(space_).accessible(at, 8, Access::execute))
          << std::hex << at << " lost its code unannounced";
      ASSERT_EQ(first_word(at), word) << std::hex << at << " changed unannounced";
    }
    for (const u64 at : mapping_watched_)
      ASSERT_TRUE(std::as_const(space_).accessible(at, 8, Access::execute))
          << std::hex << at << " lost its mapping unannounced";
  }

  static constexpr u64 kFree = 8;
  static constexpr u64 kTaskBytes = 0x7fff'ffff'f000;
  std::mt19937_64 random_;
  u64 file_inode_[2] = {};
  std::optional<RealKernel> kernel_;
  TestBackend backend_;
  AddressSpace space_;
  u32 file_ = 0;
  std::string last_;
  std::vector<MapLine> kernel_lines_;  ///< as the kernel keeps them
  std::map<u64, u64> watched_;         ///< page -> its word when it was watched
  std::set<u64> mapping_watched_;      ///< pages whose bytes are of no interest
};

u64 number_from_environment(const char* name, u64 otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

TEST(MemoryProperty, RandomCallsGiveTheKernelsResultsMapsAndBytes) {
  struct sigaction action {
  }, old_segv{}, old_bus{};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, &old_segv);
  ::sigaction(SIGBUS, &action, &old_bus);
  const u64 only = number_from_environment("ORRERY_MEMORY_SEED", 0);
  const u64 count = number_from_environment("ORRERY_MEMORY_SEEDS", 40);
  u64 errors = 0, successes = 0;
  for (u64 seed = only == 0 ? 1 : only; seed <= (only == 0 ? count : only) && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Comparison comparison(seed);
    comparison.run(250);
    errors += comparison.agreed_errors;
    successes += comparison.agreed_successes;
  }
  ::sigaction(SIGSEGV, &old_segv, nullptr);
  ::sigaction(SIGBUS, &old_bus, nullptr);
  EXPECT_GT(successes, errors / 4) << "the generator hits too little";
  RecordProperty("successes", static_cast<int>(successes));
  RecordProperty("errors", static_cast<int>(errors));
  std::printf("%llu calls succeeded, %llu failed as the kernel's did\n",
              static_cast<unsigned long long>(successes), static_cast<unsigned long long>(errors));
}

}  // namespace
}  // namespace orrery::memory
