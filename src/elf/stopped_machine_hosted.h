// What can be asked of a guest process that stands still: registers, memory, map. The symboliser and
// the unwinder know no more of a machine than this, so a replay, a core file and a live process look the
// same.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace orrery::elf {

/// General registers numbered as the instruction encoding numbers them (rax rcx rdx rbx rsp rbp rsi rdi r8
/// …).
struct MachineRegisters {
  u64 gpr[16] = {};
  u64 rip = 0;
  u64 rflags = 0;
  u64 fs_base = 0;
  u64 gs_base = 0;
};
inline constexpr int kRspIndex = 4;
inline constexpr int kRbpIndex = 5;

/// One line of the map.
struct MappedRegion {
  u64 start = 0;
  u64 end = 0;  ///< exclusive
  u64 offset = 0;
  int protection = 0;     ///< PROT_*
  int flags = 0;          ///< MAP_*
  std::string path;       ///< as /proc/PID/maps shows it; "" for anonymous memory
  std::string kept_file;  ///< where the file's bytes can be read now; "" if nowhere
  u64 object = 0;         ///< the same number for what shows the same bytes of a file or of shared memory
                          ///< (counted anew by each process for what has no file); 0: its own, or not known
  bool contains(u64 address) const { return address >= start && address < end; }
};

class StoppedMachine {
 public:
  virtual ~StoppedMachine() = default;
  virtual const MachineRegisters& registers() = 0;
  /// Reads a prefix of `out`; how many bytes could be read.
  virtual u64 read(u64 address, std::span<u8> out) = 0;
  /// Sorted by start.
  virtual const std::vector<MappedRegion>& regions() = 0;

  /// xmm<number>; false if it cannot be told.
  virtual bool read_vector(int /*number*/, std::span<u8, 16> /*out*/) { return false; }

  const MappedRegion* find_region(u64 address);
  template <class T>
  bool read_value(u64 address, T& value) {
    return read(address, {reinterpret_cast<u8*>(&value), sizeof value}) == sizeof value;
  }
  /// A C string of at most `most_bytes`; cut where memory ends.
  std::string read_string(u64 address, u64 most_bytes);
};

}  // namespace orrery::elf
