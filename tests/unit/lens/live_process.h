// A real process, stopped by ptrace, as a StoppedMachine: the oracle that needs no machine of ours.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "elf/stopped_machine_hosted.h"

namespace orrery::testing {

class LiveProcess : public elf::StoppedMachine {
 public:
  /// Runs `program` until a signal that would end it.
  explicit LiveProcess(const std::vector<std::string>& words) {
    pid_ = fork();
    if (pid_ == 0) {
      ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      const int quiet = open("/dev/null", O_WRONLY);
      dup2(quiet, 2);
      std::vector<char*> arguments;
      for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
      arguments.push_back(nullptr);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    int status = 0;
    waitpid(pid_, &status, 0);  // the stop at exec
    while (true) {
      ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
      waitpid(pid_, &status, 0);
      if (!WIFSTOPPED(status)) return;
      signal_ = WSTOPSIG(status);
      if (signal_ == SIGSEGV || signal_ == SIGABRT || signal_ == SIGFPE || signal_ == SIGILL) break;
    }
    stopped_ = true;
    user_regs_struct host{};
    ptrace(PTRACE_GETREGS, pid_, nullptr, &host);
    registers_ = {.gpr = {host.rax, host.rcx, host.rdx, host.rbx, host.rsp, host.rbp, host.rsi, host.rdi,
                          host.r8, host.r9, host.r10, host.r11, host.r12, host.r13, host.r14, host.r15},
                  .rip = host.rip,
                  .rflags = host.eflags,
                  .fs_base = host.fs_base,
                  .gs_base = host.gs_base};
    regions_ = maps_of(pid_);
  }
  ~LiveProcess() override {
    if (!stopped_) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  bool stopped() const { return stopped_; }
  int signal() const { return signal_; }
  const elf::MachineRegisters& registers() override { return registers_; }
  const std::vector<elf::MappedRegion>& regions() override { return regions_; }
  u64 read(u64 address, std::span<u8> out) override {
    const int fd = open(("/proc/" + std::to_string(pid_) + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
    const ssize_t got = pread(fd, out.data(), out.size(), static_cast<off_t>(address));
    close(fd);
    return got > 0 ? static_cast<u64>(got) : 0;
  }

  static std::vector<elf::MappedRegion> maps_of(pid_t pid) {
    std::vector<elf::MappedRegion> regions;
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    std::string line;
    while (std::getline(maps, line)) {
      elf::MappedRegion region;
      char protection[5] = {};
      unsigned long start = 0, end = 0, offset = 0;
      int path_at = 0;
      std::sscanf(line.c_str(), "%lx-%lx %4s %lx %*s %*s %n", &start, &end, protection, &offset, &path_at);
      region.start = start;
      region.end = end;
      region.offset = offset;
      region.protection = (protection[0] == 'r' ? PROT_READ : 0) | (protection[1] == 'w' ? PROT_WRITE : 0) |
                          (protection[2] == 'x' ? PROT_EXEC : 0);
      region.path = line.substr(static_cast<std::size_t>(path_at));
      if (!region.path.empty() && region.path[0] == '/') region.kept_file = region.path;
      regions.push_back(region);
    }
    return regions;
  }

 private:
  pid_t pid_ = -1;
  int signal_ = 0;
  bool stopped_ = false;
  elf::MachineRegisters registers_;
  std::vector<elf::MappedRegion> regions_;
};

}  // namespace orrery::testing
