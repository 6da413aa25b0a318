// A guest process without a machine: its calls go to the real kernel through a host that notes what it was
// asked. Guest memory is real memory of this process at the addresses the guest's own map chooses.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "host/host.h"
#include "kernel/dispatch.h"
#include "kernel/fd_table.h"
#include "kernel/process.h"
#include "kernel/scheduler.h"
#include "kernel/task.h"
#include "linux/syscall_table.h"

namespace orrery::kernel {

/// Asks the real kernel; keeps the calls. Answers prepared with `answer` come first.
class SpyHost final : public host::Host {
 public:
  void answer(i64 result) { answers_.push_back(result); }
  void deliver(int number) { signals_.push_back(number); }
  const host::HostCall& last() const { return calls.back(); }
  std::vector<host::HostCall> calls;

  void at(const host::Instant&) override {}
  i64 call(host::HostCall& call) override {
    // Ranges of more than a few items live in the caller: keep what is in place.
    calls.push_back(call);
    if (!answers_.empty()) {
      const i64 result = answers_.front();
      answers_.pop_front();
      return result;
    }
    const auto& a = call.args;
    const long result = ::syscall(call.number, a[0], a[1], a[2], a[3], a[4], a[5]);
    return result == -1 ? -errno : result;
  }
  u64 read_tsc() override { return 0; }
  u32 current_cpu() override { return 3; }
  void random_bytes(std::span<u8> out) override { std::memset(out.data(), 7, out.size()); }
  bool next_signal(host::HostSignal& signal) override {
    if (signals_.empty()) return false;
    signal.number = signals_.front();
    std::memcpy(signal.siginfo.data(), &signal.number, sizeof signal.number);
    signals_.pop_front();
    return true;
  }
  u64 stop_at_tick() override { return ~u64{0}; }
  void exit(int, int) override {}

  i64 map(const memory::MapRequest& request) override {
    void* at = reinterpret_cast<void*>(request.address);
    const void* got = ::mmap(at, request.size_bytes, request.protection, request.flags | MAP_FIXED,
                             request.fd, static_cast<off_t>(request.offset));
    return got == MAP_FAILED ? -errno : 0;
  }
  i64 unmap(u64 address, u64 size_bytes) override {
    return ::munmap(reinterpret_cast<void*>(address), size_bytes) == 0 ? 0 : -errno;
  }
  i64 protect(u64 address, u64 size_bytes, int protection) override {
    return ::mprotect(reinterpret_cast<void*>(address), size_bytes, protection) == 0 ? 0 : -errno;
  }
  i64 move(u64, u64, u64, u64) override { return -ENOMEM; }
  i64 discard(u64 address, u64 size_bytes) override {
    return ::madvise(reinterpret_cast<void*>(address), size_bytes, MADV_DONTNEED) == 0 ? 0 : -errno;
  }

 private:
  std::deque<i64> answers_;
  std::deque<int> signals_;
};

class KeptReport final : public ReportSink {
 public:
  void line(std::string_view text) override { lines.emplace_back(text); }
  std::vector<std::string> lines;
};

/// One process with one task and two pages of guest memory, the second not accessible.
class GuestTest : public testing::Test {
 protected:
  GuestTest() : process(spy, configuration, scheduler, &report) {
    process.id = ProcessId(4242);
    process.parent = ProcessId(4241);
    process.fds = std::make_unique<FdTable>(kEngineFirst);
    process.tasks.push_back(std::make_unique<Task>(process, TaskId(4242)));
    scheduler.start(process.leader());
    for (ResourceLimit& limit : process.limits) limit = {~u64{0}, ~u64{0}};
    process.limits[7] = {1024, kEngineFirst};
    memory::AddressSpace::MmapArguments wanted;
    wanted.size_bytes = 2 * kPageBytes;
    wanted.protection = PROT_READ | PROT_WRITE;
    wanted.flags = MAP_PRIVATE | MAP_ANONYMOUS;
    page = static_cast<u64>(process.space().mmap(wanted));
    EXPECT_EQ(process.space().mprotect(page + kPageBytes, kPageBytes, PROT_NONE), 0);
  }
  ~GuestTest() override { process.space().clear(); }

  Task& task() { return *process.tasks.front(); }
  char* memory(u64 offset = 0) { return reinterpret_cast<char*>(page + offset); }
  /// Puts a string into guest memory and returns its address.
  u64 text(u64 offset, std::string_view string) {
    std::memcpy(memory(offset), string.data(), string.size());
    memory(offset)[string.size()] = '\0';
    return page + offset;
  }
  template <class... T>
  i64 call(std::string_view name, T... args) {
    return perform_system_call(process, task(), abi::find_syscall(name)->number, {static_cast<u64>(args)...});
  }

  static constexpr u64 kEngineFirst = 4096;
  Configuration configuration;
  SpyHost spy;
  Scheduler scheduler{spy};
  KeptReport report;
  Process process;
  u64 page = 0;
};

}  // namespace orrery::kernel
