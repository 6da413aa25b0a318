// One task of a replay that stands still: its registers, the memory of its process. For all that takes a
// stopped machine, as elf::unwind.
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "lens/replay_session.h"

namespace orrery::lens {

class TaskMachine final : public elf::StoppedMachine {
 public:
  /// The session outlives it, and it is of no use once that runs on.
  TaskMachine(ReplaySession& session, const machine::ControlTask& task)
      : session_(session), task_(task.task) {
    std::copy(std::begin(task.gpr), std::end(task.gpr), std::begin(registers_.gpr));
    registers_.rip = task.rip;
    registers_.rflags = task.rflags;
    registers_.fs_base = task.fs_base;
    registers_.gs_base = task.gs_base;
  }

  TaskMachine(ReplaySession& session, i32 task, const elf::MachineRegisters& registers)
      : session_(session), task_(task), registers_(registers) {}

  const elf::MachineRegisters& registers() override { return registers_; }
  u64 read(u64 address, std::span<u8> out) override { return session_.read(address, out); }
  const std::vector<elf::MappedRegion>& regions() override { return session_.regions(); }
  bool read_vector(int number, std::span<u8, 16> out) override {
    const u64 at = kXmmOffset + static_cast<u64>(number) * 16;
    if (vector_state().size() < at + 16) return false;
    std::memcpy(out.data(), vector_state().data() + at, 16);
    return true;
  }
  /// Its XSAVE area; empty if it has ended.
  const std::vector<u8>& vector_state() {
    if (!vectors_) {
      auto state = session_.vector_state(task_);
      vectors_ = state ? state.take() : std::vector<u8>();
    }
    return *vectors_;
  }

 private:
  static constexpr u64 kXmmOffset = 160;  ///< in the legacy region (SDM vol. 1, 13.4.1)

  ReplaySession& session_;
  i32 task_;
  elf::MachineRegisters registers_;
  std::optional<std::vector<u8>> vectors_;
};

}  // namespace orrery::lens
