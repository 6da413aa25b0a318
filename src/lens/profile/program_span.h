// The programs of a process (programs.h) between two instants.
#pragma once

#include <array>

#include "base/failure_hosted.h"
#include "cpu/registers.h"
#include "lens/instants.h"
#include "lens/profile/programs.h"

namespace orrery::lens::profile {

template <class Program>
class ProgramSpan {
 public:
  ProgramSpan(ReplaySession& session, typename Programs<Program>::Make make)
      : session_(session), programs_(std::move(make)) {}

  /// From where the session stands to `to`, of each program that ran in between. The session is at `to` then,
  /// or at the process's end if that comes first.
  Fallible<std::vector<typename Program::Rows>> go(const ExactInstant& to) {
    TRY(done(programs_.begin(session_)));
    while (!session_.stop().ended() && session_.stop().event < to.at.event) {
      const auto ran = session_.run_before(session_.stop().event);
      if (!ran) return Failure(ran.error());
      TRY(done(show_stop()));
    }
    if (!session_.stop().ended()) TRY(seek(session_, to));
    TRY(done(programs_.finish(session_)));
    return programs_.rows();
  }

 private:
  static Fallible<Nothing> done(const Status& status) {
    if (!status) return Failure(status.error());
    return Nothing{};
  }

  Status show_stop() {
    using cpu::Gpr;
    const elf::MachineRegisters& registers = session_.registers();
    const auto word = [&](Gpr reg) { return registers.gpr[static_cast<int>(reg)]; };
    if (session_.stop().reason != machine::StopReason::system_call) return come_back();
    arguments_ = {word(Gpr::rdi), word(Gpr::rsi), word(Gpr::rdx), word(Gpr::r10)};
    number_ = word(Gpr::rax);
    return programs_.enter(session_, number_, arguments_.data());
  }

  /// From the call before.
  Status come_back() {
    constexpr u64 kMostErrno = 4095;
    const u64 result = session_.registers().gpr[static_cast<int>(cpu::Gpr::rax)];
    const u64 number = std::exchange(number_, ~u64{0});
    const bool executes = number == __NR_execve || number == __NR_execveat;
    const bool replaced = executes && result < ~u64{0} - kMostErrno;
    return programs_.leave(session_, number, arguments_.data(), replaced);
  }

  ReplaySession& session_;
  u64 number_ = ~u64{0};  ///< of the system call that was entered last
  std::array<u64, 4> arguments_{};
  Programs<Program> programs_;
};

}  // namespace orrery::lens::profile
