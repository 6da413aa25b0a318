// A program run natively, a step at a time.
#pragma once

#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "base/types.h"

namespace orrery::testing {

class Stepped {
 public:
  explicit Stepped(const std::string& program, const std::string& argument) {
    pid_ = fork();
    if (pid_ == 0) {
      ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      if (std::freopen("/dev/null", "w", stdout) == nullptr) _exit(127);
      execl(program.c_str(), program.c_str(), argument.c_str(), nullptr);
      _exit(127);
    }
    waitpid(pid_, &status_, 0);
  }
  ~Stepped() {
    kill(pid_, SIGKILL);
    waitpid(pid_, &status_, 0);
  }
  Stepped(const Stepped&) = delete;
  Stepped& operator=(const Stepped&) = delete;

  /// Runs to `address` by a breakpoint of its own.
  void run_to(u64 address) {
    const long word = ptrace(PTRACE_PEEKTEXT, pid_, address, nullptr);
    ptrace(PTRACE_POKETEXT, pid_, address, (word & ~0xffL) | 0xcc);
    ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
    waitpid(pid_, &status_, 0);
    ptrace(PTRACE_POKETEXT, pid_, address, word);
    user_regs_struct regs = registers();
    EXPECT_EQ(regs.rip, address + 1);
    regs.rip = address;
    ptrace(PTRACE_SETREGS, pid_, nullptr, &regs);
  }

  /// Instructions done on the way to `address`. A stop for a signal, and the one at the beginning of its
  /// handler, is for no instruction; that of a repeated string instruction with elements left is for a part
  /// of one. `stepped` is shown the registers before each instruction or part, once it is done.
  template <class Done>
  u64 steps_to(u64 address, const Done& stepped) {
    u64 steps = 0;
    long signal = 0;
    user_regs_struct before = registers();
    while (before.rip != address) {
      ptrace(PTRACE_SINGLESTEP, pid_, nullptr, signal);
      waitpid(pid_, &status_, 0);
      if (!WIFSTOPPED(status_)) return 0;
      const bool delivered = signal != 0;
      signal = WSTOPSIG(status_) == SIGTRAP ? 0 : WSTOPSIG(status_);
      const user_regs_struct now = registers();
      if (!delivered && signal == 0) {
        if (now.rip != before.rip) ++steps;
        stepped(before);
      }
      before = now;
    }
    return steps;
  }
  u64 steps_to(u64 address) {
    return steps_to(address, [](const user_regs_struct&) {});
  }

  u64 word(u64 address) const { return static_cast<u64>(ptrace(PTRACE_PEEKTEXT, pid_, address, nullptr)); }
  user_regs_struct registers() const {
    user_regs_struct regs{};
    ptrace(PTRACE_GETREGS, pid_, nullptr, &regs);
    return regs;
  }

 private:
  pid_t pid_;
  int status_ = 0;
};

}  // namespace orrery::testing
