// Finds accesses that no program may make, and blocks that it gives back wrongly, in the stream of suspects,
// or of all accesses, with the entries and returns of allocator functions (translate/access_stream.h).
//
// While a task is in an allocator function its accesses are the allocator's own, and not looked at; nor are
// those of code between such functions, which is the allocator's too: what glibc does to the cache of
// released blocks when a thread ends.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "lens/errors/heap_blocks.h"
#include "lens/errors/heap_shadow.h"
#include "lens/heap/allocator_functions.h"
#include "translate/access_stream.h"

namespace orrery::lens::errors {

enum class ErrorKind : u8 {
  invalid_read,
  invalid_write,
  invalid_argument,  ///< the kernel was given an address to read or write at
  double_free,
  invalid_free,     ///< of an address that no block begins at
  mismatched_free,  ///< by another kind of function than gave it
  undefined_jump,   ///< an undefined value decides where the program goes on
  undefined_address,
  undefined_argument,  ///< of a system call, or memory that it reads
};

/// An error, and how often it was made at the same place.
struct MemoryError {
  ErrorKind kind = ErrorKind::invalid_read;
  Place place{};        ///< the first time
  u64 called_from = 0;  ///< of a wrong free: in the call instruction; 0 if it is not known
  u64 address = 0, size_bytes = 0;
  bool writes = false;  ///< of an argument: the kernel wrote there
  /// Some bytes of the access may be touched, and it is aligned, or others within its kWideReadBytes are:
  /// what fast string functions read beyond the end and do not look at. Of words, these or those before.
  bool partly_allowed = false;
  u64 count = 1;
  std::optional<Neighbour> neighbour{};
};

/// String functions read in units up to this, aligned.
inline constexpr u64 kWideReadBytes = 256;

class ErrorFinder {
 public:
  ErrorFinder() = default;
  /// Of a process that this one forks: it has the same heap, and has made no error yet.
  std::unique_ptr<ErrorFinder> forked() const;

  /// Functions that are watched from here on.
  void watch(const heap::FileFunctions& file);
  /// The code of the allocators themselves.
  std::span<const memory::layout::Range> allocators() const { return allocators_; }
  /// The task is in a call that makes a process: what the kernel writes then is what a vforked child has left
  /// in the memory that it borrowed, and no argument. Its blocks are the task's too, and nobody knows them.
  void makes_process(i32 task, bool does) { does ? (void)makers_.insert(task) : (void)makers_.erase(task); }
  /// The process's own memory changes: the kernel gave memory (to an allocator, if the task is in one, and
  /// that is what it returns), or took it.
  bool mapped(i32 task, u64 address, u64 size_bytes);
  void unmapped(u64 address, u64 size_bytes) { shadow_.let_go(address, size_bytes); }

  void read(std::span<const u64> records, std::span<const translate::AccessPoint> points) {
    reader_.read(records, points, *this);
  }

  /// In the order in which they were first made.
  const std::vector<MemoryError>& errors() const { return errors_; }
  const HeapBlocks& blocks() const { return blocks_; }
  const HeapShadow& shadow() const { return shadow_; }

  // --- what the reader shows ---
  void block(translate::AccessHeader, const translate::AccessPoint&) {}
  void access(const translate::Access& access) {
    if (shadow_.allows(access.address, access.size_bytes)) [[likely]]
      return;
    if (pending().rsp == 0) suspect(access);
  }
  void entered(const translate::EnteredAllocator& entered);
  /// From the function that was entered with this stack pointer. `given`: the block's address, wherever the
  /// function left it; 0 if it gave none.
  void returned(u64 rsp, u64 rax, u64 given);
  /// `kind`: translate::UndefinedUse::Kind. `origin`: where the value was loaded from.
  void undefined(u64 pc, u64 kind, u64 origin);

 private:
  /// The allocator function that a task is in; the outermost, if it calls others.
  struct Pending {
    u64 rsp = 0;  ///< points at the return address; 0: in none
    u32 function = 0;
    u64 arguments[3] = {};
    Place place{};
    u64 called_from = 0;
  };
  struct Watched {
    heap::AllocatorFunction function;
    Family family;
  };

  ErrorFinder(const HeapShadow& shadow, const HeapBlocks& blocks) : shadow_(shadow), blocks_(blocks) {}
  Pending& pending() {
    if (pending_of_ != reader_.task || pending_now_ == nullptr) {
      pending_of_ = reader_.task;
      pending_now_ = &pending_[pending_of_];
    }
    return *pending_now_;
  }
  Place place(u64 pc) const { return {reader_.event, reader_.task, reader_.ticks, pc}; }
  void give(const Pending& by, u64 address);
  void take_back(const Pending& by, u64 address);
  void measured(u64 address, u64 size_bytes);
  bool is_allocators(u64 pc) const;
  void suspect(const translate::Access& access);
  void borrowed(u64 address, u64 size_bytes);
  bool add(MemoryError error, u64 same);

  HeapShadow shadow_;
  HeapBlocks blocks_;
  translate::AccessReader reader_;
  HashMap<u32> functions_;  ///< number by address
  std::vector<Watched> by_number_;
  std::vector<memory::layout::Range> allocators_;  ///< code between the functions of a file
  std::unordered_map<i32, Pending> pending_;       ///< by task
  i32 pending_of_ = 0;                             ///< the task that ran last, and its own
  Pending* pending_now_ = nullptr;
  std::set<i32> makers_;          ///< tasks that are making a process
  std::set<u64> borrowed_pages_;  ///< in which a vforked child has given blocks, or taken some back
  std::vector<MemoryError> errors_;
  std::map<std::pair<ErrorKind, u64>, std::size_t> numbers_;  ///< of errors, by kind and place
};

}  // namespace orrery::lens::errors
