#include "machine/fatal.h"

#include <asm/unistd.h>
#include <signal.h>

#include "host/raw_syscall.h"
#include "translate/slots.h"

namespace orrery::machine {

namespace {

/// A line built without a heap: the heap may be what broke.
class Line {
 public:
  Line& text(std::string_view words) {
    for (const char c : words) put(c);
    return *this;
  }
  Line& hex(u64 value) {
    text("0x");
    int shift = 60;
    while (shift > 0 && (value >> shift) == 0) shift -= 4;
    for (; shift >= 0; shift -= 4) put("0123456789abcdef"[(value >> shift) & 15]);
    return *this;
  }
  void print() {
    put('\n');
    host::raw_syscall(__NR_write, 2, buffer_, used_);
  }

 private:
  void put(char c) {
    if (used_ < sizeof buffer_) buffer_[used_++] = c;
  }
  char buffer_[256];
  u64 used_ = 0;
};

}  // namespace

void report_check(std::string_view file, int line, std::string_view expression) {
  Line()
      .text("orrery: ")
      .text(file)
      .text(":")
      .hex(static_cast<u64>(line))
      .text(": ")
      .text(expression)
      .print();
}

void die(std::string_view what) {
  Line().text("orrery: bug: ").text(what).print();
  const translate::Slots& slots = translate::slots();
  Line().text("orrery: guest at pc ").hex(slots.regs.rip).text(" tick ").hex(slots.ticks).print();
  static constexpr const char* kNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                           "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  for (int row = 0; row < cpu::kGprCount; row += 4) {
    Line line;
    line.text("orrery:");
    for (int i = row; i < row + 4; ++i) line.text(" ").text(kNames[i]).text(" ").hex(slots.regs.gpr[i]);
    line.print();
  }
  const u64 default_action[4] = {};
  host::raw_syscall(__NR_rt_sigaction, SIGABRT, default_action, nullptr, 8);
  const i64 pid = host::raw_syscall(__NR_getpid);
  host::raw_syscall(__NR_kill, pid, SIGABRT);
  const u64 open_mask = 0;
  host::raw_syscall(__NR_rt_sigprocmask, SIG_SETMASK, &open_mask, nullptr, 8);
  for (;;) host::raw_syscall(__NR_exit_group, 134);
}

void fatal_engine_fault(int signal, u64 address, u64 pc) {
  Line()
      .text("orrery: bug: the engine itself faulted: signal ")
      .hex(static_cast<u64>(signal))
      .text(" address ")
      .hex(address)
      .text(" at ")
      .hex(pc)
      .print();
  die("a fault in the engine");
}

}  // namespace orrery::machine
