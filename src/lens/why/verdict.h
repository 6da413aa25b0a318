// What `why` says: the verdict on a run, as values that the command prints as text or JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/hexadecimal_hosted.h"
#include "lens/why/facts.h"

namespace orrery::lens::why {

enum class Category : u8 {
  clean,
  exit_status,
  null_access,
  wild_pointer,
  unmapped_memory,
  freed_map,
  stack_overflow,
  write_to_read_only,
  no_access,
  null_call,
  bad_jump,
  file_truncated,
  arithmetic,
  illegal_instruction,
  privileged,
  misaligned,
  trap,
  abort,
  assertion,
  heap_corruption,
  heap_overrun,
  use_after_free,
  double_free,
  invalid_free,
  stack_smash,
  buffer_overflow,
  uncaught_exception,
  panic,
  sanitizer,
  descriptors_used_up,
  memory_used_up,
  processes_used_up,
  no_space,
  broken_pipe,
  killed,
  signal,
  missing_program,
  missing_interpreter,
  not_executable,
  missing_library,
  missing_symbol,
  deadlock,
  lock_abandoned,
  lost_wakeup,
  pool_blocked,
  waits_for_lock,
  waits_for_thread,
  waits_for_peer,
  waits_for_child,
  waits_for_signal,
  waits_for_file_lock,
  sleeps,
  busy_loop,
  retries,
  slow_lock,
  slow_child,
  slow_peer,
  slow_timeouts,
  slow_disk,
  slow_sleep,
  slow_computing,
  recording_cut,
  replay_differs,
};

/// "null_access": the name in --json.
const char* name_of(Category category);

/// A command to look closer, and what it shows.
struct Hint {
  std::string command{};
  std::string shows{};
};

/// Lines the program wrote to stderr, and who wrote them.
struct Words {
  std::string text{};
  std::optional<FrameFact> writer{};
};

struct Verdict {
  Category category = Category::clean;
  std::string headline{};                ///< one sentence
  std::vector<std::string> sentences{};  ///< what else is known, most telling first
  std::optional<FrameFact> place{};      ///< the line to look at
  std::vector<Words> words{};            ///< last lines on stderr
  std::vector<Call> failing_calls{};     ///< those that matter to the verdict
  bool show_stack = false;
  bool show_registers = false;
  bool show_calls = false;
  std::vector<Hint> hints{};
};

/// Chooses the explanation; each category has its file.
Verdict explain(const Facts& facts);

// --- one a file; nothing if the facts are of another kind ---
std::optional<Verdict> explain_memory_fault(const Facts& facts);
std::optional<Verdict> explain_abort(const Facts& facts);
std::optional<Verdict> explain_other_signal(const Facts& facts);
std::optional<Verdict> explain_hang(const Facts& facts);
std::optional<Verdict> explain_resources(const Facts& facts);
/// What the failing calls of a verdict tell of a resource that was used up: its limit, and who has it.
void tell_resource(const Facts& facts, Verdict& verdict);
std::optional<Verdict> explain_reports(const Facts& facts);
std::optional<Verdict> explain_failed_start(const Facts& facts);
std::optional<Verdict> explain_loader(const Facts& facts);
std::optional<Verdict> explain_exit_status(const Facts& facts);

/// Of Facts::slowness: the headline lacks whose it is, and begins with "took".
std::optional<Verdict> explain_slowness(const Facts& facts);
bool is_slowness(Category category);

/// Whether errors of heap memory, if there were any, would explain it.
bool asks_about_heap(const Verdict& verdict);
/// Adds what Facts::heap_errors tell to the verdict on the same run.
void tell_of_heap_errors(const Facts& facts, Verdict& verdict);

// --- shared by the explanations ---
/// The calls that failed and are told of in `output`, the likeliest culprit last; those that are not told of
/// too if `output` says nothing.
std::vector<Call> choose_failures(const Facts& facts, const std::string& output);
/// The call that failed near the end for want of descriptors, memory, space or processes; null if there is
/// none.
const Call* last_resource_failure(const Facts& facts);
/// The path that the descriptor was opened as on which `call` writes, if that is among the calls; else "".
std::string opened_as(const Facts& facts, const Call& call);
/// The last call was kill or its kin, and ended the process itself.
bool sent_by_itself(const Facts& facts);
std::string program_name(const Facts& facts);
/// " REC", as the user called it; nothing for the latest.
std::string recording_words(const Facts& facts);
/// "1.4 s".
std::string seconds(u64 ns);
/// "3.20 ms".
std::string milliseconds(u64 ns);
/// "deposit() at crash.c:18", "deposit() in libx.so", "prog+0x1136".
std::string place_text(const FrameFact& frame);
/// "SIGSEGV".
std::string signal_name(int signal);
/// Lines written to stderr at the end, in order, with the code that wrote them.
std::vector<Words> last_words(const Facts& facts, u64 lines_most);
/// All of what was written to stderr in the calls that were read.
std::string error_output(const Facts& facts);

}  // namespace orrery::lens::why
