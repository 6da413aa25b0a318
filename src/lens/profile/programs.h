// The programs that a process runs one after another, each looked at by a `Program`: what the lens and the
// report of a span do alike at system calls that change which code is mapped.
//
// A Program has: Rows, with set_program(u32 process, u32 program); Status look_at_files(ReplaySession&),
// after code was mapped; Status before_unmapping(ReplaySession&, u64 start, u64 end); Status
// finish(ReplaySession&), what there is if it ends here, and it may go on; Rows rows() const; and a function
// template ask(ReplaySession&, current) that has the session hand its notes to the Program that current()
// gives. If it has Status look_at_map(ReplaySession&), that is called when anything else was mapped,
// unmapped, or made a thread of.
#pragma once

#include <asm/unistd.h>
#include <sys/mman.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "lens/replay_session.h"

namespace orrery::lens::profile {

template <class Program>
class Programs {
 public:
  using Make = std::function<std::unique_ptr<Program>()>;
  static constexpr bool kLooksAtMap = requires(Program & program, ReplaySession& session) {
    program.look_at_map(session);
  };
  explicit Programs(Make make) : make_(std::move(make)), program_(make_()) {}

  /// The calls that matter.
  static std::vector<u64> calls() {
    std::vector<u64> all{__NR_execve, __NR_execveat, __NR_mmap, __NR_mprotect, __NR_munmap};
    if (kLooksAtMap)
      for (const u64 number : {__NR_mremap, __NR_brk, __NR_shmat, __NR_shmdt, __NR_clone, __NR_clone3})
        all.push_back(number);
    return all;
  }

  Status begin(ReplaySession& session) {
    TRY(Program::ask(session, [this]() -> Program& { return *program_; }));
    return program_->look_at_files(session);
  }

  /// At the entry of a system call.
  Status enter(ReplaySession& session, u64 number, const u64* arguments) {
    constexpr int kMapFlags = 3;
    if (number == __NR_execve || number == __NR_execveat) return program_->finish(session);
    const bool fixed = number == __NR_mmap && (arguments[kMapFlags] & MAP_FIXED) != 0;
    if (number != __NR_munmap && !fixed) return Nothing{};
    return program_->before_unmapping(session, arguments[0], arguments[0] + arguments[1]);
  }

  /// Behind it. `replaced`: another program runs now.
  Status leave(ReplaySession& session, u64 number, const u64* arguments, bool replaced) {
    constexpr int kProtection = 2;
    if (replaced) {
      rows_.push_back(program_->rows());
      program_ = make_();
    }
    const bool maps = number == __NR_mmap || number == __NR_mprotect;
    const bool maps_code = maps && (arguments[kProtection] & PROT_EXEC) != 0;
    if (replaced || maps_code) return program_->look_at_files(session);
    if constexpr (kLooksAtMap)
      if (std::ranges::count(calls(), number) != 0) return program_->look_at_map(session);
    return Nothing{};
  }

  /// The process ends here, or what is asked about does.
  Status finish(ReplaySession& session) {
    TRY(program_->finish(session));
    rows_.push_back(program_->rows());
    return Nothing{};
  }

  /// Of each program, in their order; after finish().
  const std::vector<typename Program::Rows>& rows() const { return rows_; }

 private:
  Make make_;
  std::unique_ptr<Program> program_;
  std::vector<typename Program::Rows> rows_;
};

}  // namespace orrery::lens::profile
