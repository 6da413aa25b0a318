// The way from a static program's entry point to main, where no symbol tells: the C library's _start calls,
// at last, __libc_start_main(main, argc, argv, ...) (LSB 5.0), and argc and argv are known from the stack.
#pragma once

#include <optional>

#include "elf/stopped_machine_hosted.h"
#include "lens/load/object_file.h"
#include "lens/load/start_stack.h"

namespace orrery::lens::load {

/// A transfer that the code at `address` comes to first: its own address. Conditional jumps are passed over.
std::optional<u64> find_first_call(elf::StoppedMachine& machine, u64 address);

/// The machine stands before such a transfer. Main, if that is what it hands on.
std::optional<u64> read_main(elf::StoppedMachine& machine, const StartStack& stack, const ObjectFile& program,
                             u64 base);

/// Where the transfer leads; nothing for one through memory that cannot be read.
std::optional<u64> find_target(elf::StoppedMachine& machine);

}  // namespace orrery::lens::load
