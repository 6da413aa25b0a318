// Runs one piece of guest code from one state on one of three machines: the processor itself, the
// stepper, the translator. All three end with the fault that stopped the code.
#pragma once

#include <memory>

#include "cpu/exit.h"
#include "processor_state.h"
#include "step/stepper.h"
#include "translate/translator.h"

namespace orrery::differential {

/// Whether these tests can run here: they need FSGSBASE and XSAVE.
bool processor_suffices();

/// Installs the signal handlers. Call once, before any run.
void prepare_process();

/// On the processor: the kernel's sigreturn loads the state, the fault's signal frame gives it back.
Outcome run_native(const ProcessorState& start);

/// What else a run has to tell.
struct ExecutorRun {
  Outcome outcome;
  u64 ticks = 0;
  cpu::ExitKind kind = cpu::ExitKind::fault;
};
ExecutorRun run_stepper(step::Stepper& stepper, const ProcessorState& start,
                        const cpu::RunLimits& limits = {});
ExecutorRun run_translator(translate::Translator& translator, const ProcessorState& start,
                           const cpu::RunLimits& limits = {});

}  // namespace orrery::differential
