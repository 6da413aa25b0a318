// Any system call with any arguments, as a hostile or broken program makes them: used with random numbers by
// a test and with a fuzzer's bytes by tests/fuzz/syscall_fuzz.cc. The world behind the door is made up, and
// writes into every range it is given; so a range that the guest may not touch shows as a crash or is found
// here.
#pragma once

#include <sys/mman.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "host/fake_host.h"
#include "kernel/dispatch.h"
#include "kernel/fd_table.h"
#include "kernel/process.h"
#include "kernel/scheduler.h"
#include "kernel/task.h"
#include "linux/syscall_print.h"
#include "linux/syscall_table.h"
#include "memory/layout.h"

namespace orrery::kernel {

/// FakeHost behind a check of what comes through the door. Stops the test at the first wrong range.
class GuardedHost final : public host::Host {
 public:
  GuardedHost(u64 seed, memory::AddressSpace* const* space) : fake_(seed), space_(space) {}

  i64 call(host::HostCall& call) override {
    for (const host::InRange& range : call.in.items())
      check(range.address, range.size_bytes, memory::Access::read);
    for (const host::OutRange& range : call.out.items())
      check(range.address, range.capacity_bytes, memory::Access::write);
    for (std::size_t i = 0; i < 6; ++i)
      if (memory::layout::kEngineLow.contains(call.args[i]) && is_pointer(call.number, i)) std::abort();
    return fake_.call(call);
  }

  u64 calls_made() const { return fake_.calls_made(); }

  void at(const host::Instant&) override {}
  u64 read_tsc() override { return fake_.read_tsc(); }
  u32 current_cpu() override { return fake_.current_cpu(); }
  void random_bytes(std::span<u8> out) override { fake_.random_bytes(out); }
  bool next_signal(host::HostSignal& signal) override { return fake_.next_signal(signal); }
  u64 stop_at_tick() override { return ~u64{0}; }
  void exit(int, int) override {}
  i64 map(const memory::MapRequest& request) override { return fake_.map(request); }
  i64 unmap(u64 address, u64 size) override { return fake_.unmap(address, size); }
  i64 protect(u64 address, u64 size, int bits) override { return fake_.protect(address, size, bits); }
  i64 move(u64 from, u64 from_size, u64 to, u64 to_size) override {
    return fake_.move(from, from_size, to, to_size);
  }
  i64 discard(u64 address, u64 size) override { return fake_.discard(address, size); }

 private:
  static bool is_pointer(u32 number, std::size_t index) {
    const abi::SyscallRow* row = abi::find_syscall(number);
    return row != nullptr && row->args[index].is_pointer();
  }
  /// Inside a guest mapping it must be allowed; elsewhere it must be the engine's own (a test's heap or
  /// stack).
  void check(u64 address, u64 size_bytes, memory::Access access) const {
    const bool guests =
        memory::layout::kHighWindow.contains(address) || memory::layout::kLowWindow.contains(address);
    if (guests && !(*space_)->accessible(address, size_bytes, access)) std::abort();
    if (memory::layout::kEngineLow.overlaps(address, address + size_bytes)) std::abort();
  }

  host::FakeHost fake_;
  memory::AddressSpace* const* space_;
};

class WildCalls {
 public:
  explicit WildCalls(u64 seed) : host_(seed, &space_), process_(host_, configuration_, scheduler_, nullptr) {
    space_ = &process_.space();
    process_.id = ProcessId(77);
    process_.fds = std::make_unique<FdTable>(kEngineFirst);
    process_.tasks.push_back(std::make_unique<Task>(process_, TaskId(77)));
    scheduler_.start(process_.leader());
    for (ResourceLimit& limit : process_.limits) limit = {1024, 1024};
    memory::AddressSpace::MmapArguments wanted;
    wanted.size_bytes = 4 * kPageBytes;
    wanted.protection = PROT_READ | PROT_WRITE;
    wanted.flags = MAP_PRIVATE | MAP_ANONYMOUS;
    page_ = static_cast<u64>(process_.space().mmap(wanted));
    // writable, read-only, not accessible, writable
    if (process_.space().mprotect(page_ + kPageBytes, kPageBytes, PROT_READ) != 0) std::abort();
    if (process_.space().mprotect(page_ + 2 * kPageBytes, kPageBytes, PROT_NONE) != 0) std::abort();
  }
  ~WildCalls() { process_.space().clear(); }

  u64 host_calls() const { return host_.calls_made(); }

  /// `choices` are nine arbitrary words: the call, what is written to guest memory, six arguments.
  void make(const std::array<u64, 9>& choices) {
    const u64 number = choices[0] % 470;
    if (left_out(number)) return;
    // Something for pointers inside structures to be: addresses of all kinds, small numbers.
    for (u64 at = 0; at < 512; at += 8) {
      const u64 word = value(choices[1] * (at + 3) ^ choices[2] >> at % 61);
      if (!process_.space().write_value(page_ + at, word)) std::abort();
    }
    std::array<u64, 6> args{};
    for (std::size_t i = 0; i < 6; ++i) args[i] = value(choices[3 + i]);
    perform_system_call(process_, *process_.tasks.front(), number, args);
    process_.tasks.front()->blocked = 0;
    process_.tasks.front()->saved_mask.reset();
  }

 private:
  static constexpr u64 kEngineFirst = 1000;

  u64 value(u64 choice) const {
    const u64 detail = choice >> 8;
    switch (choice % 8) {
      case 0:
        return detail % 16;
      case 1:
        return page_ + detail % (4 * kPageBytes);
      case 2:
        return page_ + 64 * (detail % 8);
      case 3:
        return memory::layout::kEngineLow.start + detail % 0x1000'0000;
      case 4:
        return page_ + kPageBytes - detail % 64;
      case 5:
        return u64{0} - detail % 200;
      case 6:
        return kEngineFirst + detail % 20;
      default:
        return choice;
    }
  }

  /// Calls that would end or replace the process of the test, and those of memory, whose ranges here lie over
  /// the test's own.
  static bool left_out(u64 number) {
    const abi::SyscallRow* row = abi::find_syscall(number);
    if (row == nullptr) return false;
    for (const std::string_view name :
         {"exit",          "exit_group", "execve",   "execveat", "rt_sigreturn", "mmap",
          "munmap",        "mremap",     "mprotect", "brk",      "madvise",      "pkey_mprotect",
          "mlock",         "mlock2",     "mlockall", "munlock",  "munlockall",   "mseal",
          "msync",         "kill",       "tkill",    "tgkill",   "mincore",      "rt_sigtimedwait",
          "rt_sigsuspend", "pause"})
      if (name == row->name) return true;
    return false;
  }

  memory::AddressSpace* space_ = nullptr;
  Configuration configuration_;
  GuardedHost host_;
  Scheduler scheduler_{host_};
  Process process_;
  u64 page_ = 0;
};

}  // namespace orrery::kernel
