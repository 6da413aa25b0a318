// An engine for tests of the control protocol's client: it "replays" by running the program under ptrace
// in a process of its own, each system call being one event. What the lens sees of it is the real
// kernel's truth, which a replay must equal.
#pragma once

#include <asm/prctl.h>
#include <elf.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>

#include "cpu/registers.h"
#include "live_process.h"
#include "machine/control.h"

namespace orrery::testing {

class LiveEngine {
 public:
  /// Starts it; the control socket's other end. The engine goes when that is closed.
  static int start(const std::vector<std::string>& words) {
    int sockets[2];
    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets);
    if (fork() == 0) {
      close(sockets[0]);
      LiveEngine(sockets[1], words).serve();
      _exit(0);
    }
    close(sockets[1]);
    return sockets[0];
  }

 private:
  using Reason = machine::StopReason;

  LiveEngine(int socket, const std::vector<std::string>& words) : socket_(socket) {
    pid_ = fork();
    if (pid_ == 0) {
      personality(ADDR_NO_RANDOMIZE);
      ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      const int quiet = open("/dev/null", O_WRONLY);
      dup2(quiet, 1);
      dup2(quiet, 2);
      std::vector<char*> arguments;
      for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
      arguments.push_back(nullptr);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    waitpid(pid_, nullptr, 0);
    ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
  }

  void serve() {
    machine::ControlRequest request;
    while (read(socket_, &request, sizeof request) == static_cast<ssize_t>(sizeof request)) {
      reply_.payload_bytes = 0;
      reply_.error = 0;
      switch (request.op) {
        case machine::ControlOp::hello:
          reply_.value = machine::kControlVersion;
          break;
        case machine::ControlOp::run:
          run(request.argument);
          break;
        case machine::ControlOp::registers:
          registers();
          break;
        case machine::ControlOp::read_memory:
          memory(request.argument, request.size_bytes);
          break;
        case machine::ControlOp::regions:
          regions(request.argument);
          break;
        default:
          kill(pid_, SIGKILL);
          return;
      }
      std::vector<u8> packet(sizeof reply_ + reply_.payload_bytes);
      std::memcpy(packet.data(), &reply_, sizeof reply_);
      std::memcpy(packet.data() + sizeof reply_, payload_, reply_.payload_bytes);
      send(socket_, packet.data(), packet.size(), MSG_NOSIGNAL);
    }
  }

  void run(u64 before) {
    do {
      step();
    } while (!ended_ && reply_.event < before);
    user_regs_struct host{};
    ptrace(PTRACE_GETREGS, pid_, nullptr, &host);
    reply_.pc = host.rip;
  }

  /// To the next entry or return of a system call, or to the end.
  void step() {
    ptrace(PTRACE_SYSCALL, pid_, nullptr, pass_);
    pass_ = 0;
    int status = 0;
    waitpid(pid_, &status, 0);
    if (WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      in_call_ = !in_call_;
      reply_.stop = in_call_ ? Reason::system_call : Reason::event;
      if (!in_call_) ++reply_.event;
    } else if (WIFSTOPPED(status) && status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXIT << 8))) {
      unsigned long code = 0;
      ptrace(PTRACE_GETEVENTMSG, pid_, nullptr, &code);
      end(Reason::exit, code >> 8);
    } else if (WIFSTOPPED(status)) {
      signal_stop(WSTOPSIG(status));
    } else {
      end(Reason::trace_end, 0);
    }
  }

  void signal_stop(int signal) {
    siginfo_t info{};
    ptrace(PTRACE_GETSIGINFO, pid_, nullptr, &info);
    const bool fatal =
        signal == SIGSEGV || signal == SIGFPE || signal == SIGILL || signal == SIGABRT || signal == SIGBUS;
    if (!fatal) {
      pass_ = signal;
      return;
    }
    if (info.si_code > 0) {
      reply_.fault_signal = signal;
      reply_.fault_code = info.si_code;
      reply_.fault_address = reinterpret_cast<u64>(info.si_addr);
      reply_.fault_error = fault_error(info);
    }
    end(Reason::fatal_signal, static_cast<u64>(signal));
  }

  /// ptrace does not show the error code. A store is told by the instruction's opcode, as far as the
  /// programs of these tests have some.
  u64 fault_error(const siginfo_t& info) {
    user_regs_struct host{};
    ptrace(PTRACE_GETREGS, pid_, nullptr, &host);
    if (reinterpret_cast<u64>(info.si_addr) == host.rip) return 1 << 4;
    u8 code[4] = {};
    iovec local{code, sizeof code}, remote{reinterpret_cast<void*>(host.rip), sizeof code};
    process_vm_readv(pid_, &local, 1, &remote, 1, 0);
    const u8* at = code + ((code[0] & 0xf0) == 0x40 ? 1 : 0);
    const bool store =
        at[0] == 0x88 || at[0] == 0x89 || at[0] == 0xc6 || at[0] == 0xc7 || at[0] == 0x01 || at[0] == 0x80;
    return store ? 2 : 0;
  }

  void end(Reason reason, u64 value) {
    ended_ = true;
    reply_.stop = reason;
    reply_.value = value;
  }

  void registers() {
    user_regs_struct host{};
    ptrace(PTRACE_GETREGS, pid_, nullptr, &host);
    const bool entry = reply_.stop == Reason::system_call;
    const u64 gpr[16] = {entry ? host.orig_rax : host.rax,
                         host.rcx,
                         host.rdx,
                         host.rbx,
                         host.rsp,
                         host.rbp,
                         host.rsi,
                         host.rdi,
                         host.r8,
                         host.r9,
                         host.r10,
                         host.r11,
                         host.r12,
                         host.r13,
                         host.r14,
                         host.r15};
    cpu::CpuState state;
    std::memcpy(state.regs.gpr, gpr, sizeof gpr);
    state.regs.rip = host.rip;
    state.regs.rflags = host.eflags;
    state.regs.fs_base = host.fs_base;
    state.regs.gs_base = host.gs_base;
    std::memcpy(payload_, &state, sizeof state);
    reply_.payload_bytes = sizeof state;
  }

  void memory(u64 address, u64 size_bytes) {
    const int fd = open(("/proc/" + std::to_string(pid_) + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
    const ssize_t got = pread(fd, payload_, size_bytes, static_cast<off_t>(address));
    close(fd);
    reply_.payload_bytes = got > 0 ? static_cast<u32>(got) : 0;
  }

  void regions(u64 first) {
    const std::vector<elf::MappedRegion> all = LiveProcess::maps_of(pid_);
    for (u64 i = first;
         i < all.size() && reply_.payload_bytes + sizeof(machine::ControlRegion) <= sizeof payload_; ++i) {
      machine::ControlRegion region{};
      region.start = all[i].start;
      region.end = all[i].end;
      region.offset = all[i].offset;
      region.protection = static_cast<u32>(all[i].protection);
      all[i].path.copy(region.path, sizeof region.path - 1);
      std::memcpy(payload_ + reply_.payload_bytes, &region, sizeof region);
      reply_.payload_bytes += static_cast<u32>(sizeof region);
    }
  }

  int socket_;
  pid_t pid_ = -1;
  int pass_ = 0;
  bool in_call_ = false;
  bool ended_ = false;
  machine::ControlReply reply_;
  u8 payload_[machine::kControlBytesMost];
};

}  // namespace orrery::testing
