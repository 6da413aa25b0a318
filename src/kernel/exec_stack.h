// The first page of a program's life: strings, auxiliary vector and pointers at the top of its stack, laid
// out byte for byte as fs/exec.c and create_elf_tables do.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "kernel/process.h"

namespace orrery::kernel {

/// argv or envp: NUL-terminated strings one after the other.
struct StringList {
  std::vector<char> bytes;
  u32 count = 0;

  void push_back(std::string_view text);
  void push_front(std::string_view text);
  void pop_front();
};

/// AT_* values in the order they are written.
struct AuxVector {
  std::vector<u64> words;
  void add(u64 type, u64 value) {
    words.push_back(type);
    words.push_back(value);
  }
};

struct StackRequest {
  const StringList& arguments;
  const StringList& environment;
  std::string_view executed_path;  ///< AT_EXECFN: as given to execve
  std::array<u8, 16> random{};     ///< AT_RANDOM's bytes
  u64 top = 0;                     ///< exclusive end of the stack
};

/// The bytes from `start` up to the top, to be copied there, and what the tables say.
struct StackContent {
  u64 start = 0;  ///< the initial stack pointer, 16-byte aligned
  std::vector<u8> bytes;
  std::vector<u64> auxv;
};

/// Where the pieces will lie, known before they are written: exec checks sizes with it.
struct StackPlan {
  u64 execfn = 0, environment = 0, arguments = 0;  ///< addresses of the strings
  u64 platform = 0, random = 0;
};
StackPlan plan_stack(const StackRequest& request);

/// Lays everything out. `auxv` is complete but for AT_NULL.
StackContent build_stack(const StackRequest& request, const StackPlan& plan, const AuxVector& auxv);

/// True if the strings and pointers exceed what RLIMIT_STACK allows (bprm_stack_limits): E2BIG.
bool arguments_too_big(const StringList& arguments, const StringList& environment,
                       std::string_view executed_path, u64 stack_limit_bytes);

/// One string's most bytes, NUL included (MAX_ARG_STRLEN).
inline constexpr u64 kArgumentBytesMost = 32 * kPageBytes;

}  // namespace orrery::kernel
