// Performs the instructions that must not run directly (design.md, invariant 3): they would tell the
// program something the recording does not know (clocks, random numbers, the processor's identity), or
// show it the engine (addresses of emitted code in x87 state, the counter in xmm31 in XSAVE images).
#pragma once

#include <span>

#include "base/types.h"
#include "cpu/exit.h"
#include "cpu/registers.h"
#include "host/host.h"
#include "kernel/report.h"
#include "machine/launch.h"
#include "memory/address_space.h"

namespace orrery::machine {

/// What gates need of the machine.
struct GateContext {
  host::Host& host;
  memory::AddressSpace& space;
  const LaunchHeader& launch;
  kernel::ReportSink& report;
};

/// Performs the gated instruction at cpu.regs.rip and moves rip past it. False with `fault` set when it
/// raises one; rip then stays.
bool perform_gate(GateContext& context, cpu::CpuState& cpu, const cpu::Exit& exit, cpu::Fault& fault);

/// Whether the real kernel performs this one for the program. Its return to the program is not an
/// instruction that the trap flag could see.
bool kernel_performs(x86::Gate gate);

}  // namespace orrery::machine
