// Printing of the structures that system calls take; the part of syscall_print that knows their layouts.
#pragma once

#include "linux/syscall_print.h"

namespace orrery::abi {

/// What is being printed, for all of its parts.
struct Printer {
  const MemoryReader& memory;
  const PrintOptions& options;
  Text& out;

  template <class T>
  bool load(u64 address, T& value) const {
    return memory.read(address, {reinterpret_cast<u8*>(&value), sizeof value}) == sizeof value;
  }
  void pointer(u64 address) const;
  void string(u64 address) const;
  /// `shown_bytes` of a buffer, cut to the options' most.
  void buffer(u64 address, u64 shown_bytes) const;
  void vectors(u64 address, u64 count, u64 bytes_most) const;
};

/// One structure at `address`; its address if it cannot be read or has no layout here.
void print_struct(const Printer& printer, Struct structure, u64 address);

/// A socket address of `size_bytes`.
void print_socket_address(const Printer& printer, u64 address, u64 size_bytes);

/// A struct msghdr; of the data, `bytes_most` are shown.
void print_message(const Printer& printer, u64 address, u64 bytes_most);

/// The numbers in a bitmap of descriptors: "[0 3 4]".
void print_descriptor_set(const Printer& printer, u64 address, u64 bits);

}  // namespace orrery::abi
