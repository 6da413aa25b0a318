// The `syscall` instruction, for LiveHost and the hosts that stand in for it. Only src/host and the
// recorder's ring waits use it; everything else goes through host::Host.
#pragma once

#include <type_traits>

#include "base/types.h"

namespace orrery::host {

namespace detail {

template <class T>
u64 to_word(T value) {
  if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<u64>(value);
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<u64>(static_cast<i64>(value));
  } else {
    return static_cast<u64>(value);
  }
}

}  // namespace detail

/// All six argument registers are loaded. Result as the kernel's: >= 0 or -errno.
inline i64 raw_syscall6(u64 number, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5) {
  register u64 r10 __asm__("r10") = a3;
  register u64 r8 __asm__("r8") = a4;
  register u64 r9 __asm__("r9") = a5;
  i64 result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

inline i64 raw_syscall3(u64 number, u64 a0, u64 a1, u64 a2) {
  i64 result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a0), "S"(a1), "d"(a2)
                   : "rcx", "r11", "memory");
  return result;
}

/// Signed arguments are sign-extended, pointers pass as they are.
template <class... Args>
i64 raw_syscall(u64 number, Args... args) {
  static_assert(sizeof...(Args) <= 6, "a system call has at most six arguments");
  const u64 words[7] = {detail::to_word(args)...};
  if constexpr (sizeof...(Args) <= 3)
    return raw_syscall3(number, words[0], words[1], words[2]);
  else
    return raw_syscall6(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

}  // namespace orrery::host
