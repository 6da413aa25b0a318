// What the programs of one process did between two instants that the user names: --from, --to and --at.
#pragma once

#include <set>
#include <vector>

#include "cli/at_option.h"
#include "cli/layer_options.h"
#include "cli/stopped_process.h"
#include "lens/profile/program_span.h"

namespace orrery::cli {

template <class Program>
struct SpanRows {
  lens::ExactInstant from{}, to{};
  std::vector<typename Program::Rows> programs{};  ///< in their order, numbered (Rows::set_program)
};

/// Replays the process from `--from`, else its start, to `--to` or `--at`, else its end. `make` is asked for
/// each program, with the first instant.
template <class Program, class Make>
Fallible<SpanRows<Program>> rows_of_span(const LayerOptions& options, Make make) {
  SpanRows<Program> span;
  span.from =
      TRY(find_instant(options.directory, options.from.empty() ? "start" : options.from, options.processes));
  const std::set<u32> same{span.from.process};
  if (options.instant)
    span.to = *options.instant;
  else
    span.to = TRY(find_instant(options.directory, options.to.empty() ? "end" : options.to, same));
  if (span.to.process != span.from.process)
    return Failure("both instants must be of one process: choose it with -p");
  const auto stopped = TRY(stop_process(options.directory, same, span.from));
  lens::profile::ProgramSpan<Program> programs(*stopped->session, [&] { return make(span.from); });
  span.programs = TRY(programs.go(span.to));
  for (u32 program = 0; program < span.programs.size(); ++program)
    span.programs[program].set_program(span.to.process, program);
  return span;
}

}  // namespace orrery::cli
