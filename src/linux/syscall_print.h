// Prints a system call as strace(1) would: names, decoded flags, strings, structures, errno. Driven by the
// call's row; the memory that arguments point at is asked of a reader, so that live calls, recordings and
// tests print alike. Text goes into a byte vector: usable in the engine and in tools.
#pragma once

#include <array>
#include <span>

#include "base/text.h"
#include "base/types.h"
#include "linux/syscall_row.h"

namespace orrery::abi {

/// Memory of the program whose call is printed.
class MemoryReader {
 public:
  /// Copies the bytes at `address`; returns how many of them are readable.
  virtual std::size_t read(u64 address, std::span<u8> out) const = 0;

 protected:
  ~MemoryReader() = default;
};

struct PrintOptions {
  std::size_t string_bytes_most = 32;  ///< longer strings end in "..."
  std::size_t items_most = 16;         ///< of arrays
};

/// "name(args) = result". `result` as the kernel returned it. Outputs are printed from memory as it is
/// now: call this after the call.
void print_syscall(const SyscallRow& row, const std::array<u64, 6>& args, i64 result,
                   const MemoryReader& memory, Text& out, const PrintOptions& options = {});

/// A number that no row has: "syscall_500(0x1, ...) = ...".
void print_unknown_syscall(u64 number, const std::array<u64, 6>& args, i64 result, Text& out);

/// " = result" alone: "3", "-1 ENOENT (No such file or directory)", "0x7f0000000000".
void print_result(const SyscallRow& row, i64 result, Text& out);

/// Flags by table: "O_RDONLY|O_CLOEXEC", with what is left over in hexadecimal; "0" if nothing is set.
void print_flags(Flags table, u64 value, Text& out);

/// "SIGINT", "SIGRT_2", "0".
void print_signal(int number, Text& out);

/// Quoted, with C escapes.
void print_bytes(std::span<const u8> bytes, Text& out);

}  // namespace orrery::abi
