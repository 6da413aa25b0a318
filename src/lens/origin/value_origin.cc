#include "lens/origin/value_origin.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "elf/symbolizer_hosted.h"
#include "lens/code_place.h"
#include "lens/heap/allocator_functions.h"
#include "lens/origin/instruction_source.h"
#include "lens/origin/path_window.h"
#include "x86/decode.h"
#include "x86/disassemble_hosted.h"

namespace orrery::lens {
namespace {

constexpr u64 kStepsMost = 4096;
constexpr u64 kInstructionBytesMost = 15;
constexpr u64 kReplaysMost = 256;
/// How much of a task's run is noted at once: about as much as a PathWindow keeps.
constexpr u64 kTicksNoted = 1 << 20;
/// A run that is to stop at a tick is slower: only the last part of the way does.
constexpr u64 kEventsToTick = 256;

Fallible<Nothing> noted(const Status& status) {
  if (!status) return Failure(status.error());
  return Nothing{};
}

bool is_write(const translate::Access& access) {
  return access.kind == translate::AccessKind::write || access.kind == translate::AccessKind::modify;
}

/// Who wrote a piece of memory last, before the part of the run that is kept.
class LastWrite {
 public:
  explicit LastWrite(const ValuePlace& place) : place_(place) {}

  void take(std::span<const u64> records, std::span<const translate::AccessPoint> points) {
    reader_.read(records, points, *this);
  }
  /// Where the process stood before it.
  const std::optional<ExactInstant>& found() const { return found_; }

  // --- what the reader calls ---
  void block(translate::AccessHeader, const translate::AccessPoint&) {}
  void access(const translate::Access& access) {
    if (!is_write(access) || access.address >= place_.address + place_.size_bytes ||
        place_.address >= access.address + access.size_bytes)
      return;
    found_ = ExactInstant{.at = {.event = reader_.event, .task = reader_.task, .ticks = reader_.ticks},
                          .pc = access.pc};
    by_kernel_ = access.by == translate::AccessBy::kernel;
  }
  bool by_kernel() const { return by_kernel_; }

 private:
  const ValuePlace& place_;
  translate::AccessReader reader_;
  std::optional<ExactInstant> found_;
  bool by_kernel_ = false;
};

class OriginSearch {
 public:
  OriginSearch(const ReplayStarter& start, ExactInstant instant, ValuePlace place)
      : start_(start), instant_(std::move(instant)), place_(std::move(place)) {}

  Fallible<std::vector<OriginStep>> go() {
    for (u64 replays = 0; replays < kReplaysMost; ++replays) {
      TRY(replay());
      if (look_back()) return std::move(steps_);
      TRY(go_further_back());
      if (!steps_.empty() && is_end(steps_.back().kind)) return std::move(steps_);
    }
    return Failure("the value's way back is longer than " + std::to_string(kReplaysMost) + " replays");
  }

 private:
  /// To the instant, keeping what came before it. All before that is only run.
  Fallible<Nothing> replay() {
    window_ = PathWindow();
    next_pc_.reset();
    session_ = TRY(start_());
    begins_late_ = instant_.at.ticks > kTicksNoted;
    if (begins_late_) TRY(run_to_tick(instant_.at.ticks - kTicksNoted));
    TRY(noted(session_->note_accesses([this](auto records, auto points) { window_.take(records, points); })));
    TRY(seek(*session_, instant_));
    return Nothing{};
  }

  /// Of the instant's task, or as near before as events allow.
  Fallible<Nothing> run_to_tick(u64 ticks) {
    const u64 event = instant_.at.event;
    if (const auto stopped = session_->run_before(event - std::min(event, kEventsToTick)); !stopped)
      return Failure(stopped.error());
    const std::vector<machine::ControlTask> tasks = session_->tasks();
    const bool is_past = std::any_of(tasks.begin(), tasks.end(), [&](const machine::ControlTask& each) {
      return each.task == instant_.at.task && each.ticks >= ticks;
    });
    if (is_past || session_->stop().event >= event) return Nothing{};
    TRY(noted(session_->stop_at_tick(instant_.at.task, ticks)));
    if (const auto stopped = session_->run_before(event); !stopped) return Failure(stopped.error());
    return Nothing{};
  }

  /// Through what is kept. True at an end.
  bool look_back() {
    while (window_.back()) {
      const PathStep& step = window_.step();
      first_ = step;
      const bool is_other = !place_.is_memory() && step.task != place_.task;
      if (is_other) continue;
      const bool ended = step.bytes == 0 ? look_at_engine(step) : look_at_code(step);
      if (ended || steps_.size() > kStepsMost) return true;
      if (step.task == place_.task) next_pc_ = step.pc;
    }
    return false;
  }

  /// An access of the engine: what the kernel wrote for a call, or an instruction that it executed itself.
  bool look_at_engine(const PathStep& step) {
    if (!place_.is_memory()) return false;
    for (const translate::Access& access : window_.accesses()) {
      if (!is_write(access) || access.address >= place_.address + place_.size_bytes ||
          place_.address >= access.address + access.size_bytes)
        continue;
      if (access.by == translate::AccessBy::kernel) {
        add({.kind = OriginKind::system_call}, step, access.pc);
        return true;
      }
      std::vector<u8> code(kInstructionBytesMost);
      code.resize(session_->read(access.pc, code));
      const auto source = source_of(code, access.pc, place_, window_.accesses());
      return source && follow(*source, step, access.pc);
    }
    return false;
  }

  /// A stretch of code, read once.
  struct Code {
    std::vector<u8> bytes;
    std::vector<u64> starts;          ///< of its instructions, in `bytes`
    std::set<std::string> registers;  ///< that it writes
  };

  const Code& code_of(const PathStep& step) {
    const auto [found, is_new] = code_.try_emplace({step.pc, step.bytes});
    Code& code = found->second;
    if (!is_new) return code;
    code.bytes.resize(step.bytes);
    code.bytes.resize(session_->read(step.pc, code.bytes));
    if (code.bytes.size() != step.bytes) code.bytes.clear();
    for (u64 at = 0; at < code.bytes.size();) {
      const auto rest = std::span(code.bytes).subspan(at);
      const u8 length = x86::decode(rest).length;
      if (length == 0) break;
      code.starts.push_back(at);
      code.registers.merge([&] {
        const std::vector<std::string> written = written_registers(rest, step.pc + at);
        return std::set<std::string>(written.begin(), written.end());
      }());
      at += length;
    }
    return code;
  }

  /// Whether the stretch may have to do with the place.
  bool touches(const Code& code) const {
    if (!place_.is_memory())
      return code.bytes.empty() || code.registers.contains(place_.reg) || place_.reg == "rax";
    const auto accesses = window_.accesses();
    return std::any_of(accesses.begin(), accesses.end(), [&](const translate::Access& access) {
      return is_write(access) && access.address < place_.address + place_.size_bytes &&
             place_.address < access.address + access.size_bytes;
    });
  }

  bool look_at_code(const PathStep& step) {
    const Code& code = code_of(step);
    if (!touches(code)) return false;
    if (code.bytes.empty()) {
      add({.kind = OriginKind::unknown}, step, step.pc);
      return true;
    }
    if (returns_from_allocator(step, code.bytes, code.starts)) return true;
    for (u64 i = code.starts.size() - (step.incomplete ? 1 : 0); i > 0; --i) {
      const u64 start = code.starts[i - 1];
      if (look_at_instruction(step, step.pc + start, std::span(code.bytes).subspan(start))) return true;
    }
    return false;
  }

  bool look_at_instruction(const PathStep& step, u64 pc, std::span<const u8> code) {
    if (!place_.is_memory() && step.task != place_.task) return false;
    std::vector<translate::Access> accesses;
    for (const translate::Access& access : window_.accesses())
      if (access.pc == pc) accesses.push_back(access);
    if (place_.is_memory() && accesses.empty()) return false;
    const auto source = source_of(code, pc, place_, accesses);
    return source && follow(*source, step, pc);
  }

  /// What an allocator returns comes from its books, about which nobody asks.
  bool returns_from_allocator(const PathStep& step, std::span<const u8> code,
                              const std::vector<u64>& starts) {
    if (place_.reg != "rax" || starts.empty() || !next_pc_) return false;
    const u8 last = code[starts.back()];
    const bool is_return = last == 0xc3 || last == 0xc2 || (last == 0xf2 && code.size() > starts.back() + 1);
    if (!is_return) return false;
    const elf::Location location = elf::locate(session_->images(), step.pc + starts.back());
    std::string name = location.symbol.substr(0, location.symbol.find('('));
    if (name.starts_with("__libc_")) name.erase(0, 7);
    const bool allocates = name.starts_with("operator new") || heap::known_function(name) != nullptr;
    if (!allocates) return false;
    // The call is the instruction before the one that it returns to.
    add({.kind = OriginKind::allocated}, step, *next_pc_ - 1);
    steps_.back().instruction = name;
    return true;
  }

  /// True at an end.
  bool follow(const InstructionSource& source, const PathStep& step, u64 pc) {
    add(source, step, pc);
    if (is_end(source.kind)) return true;
    const i32 task = step.task;
    place_ = source.from;
    place_.task = task;
    return false;
  }

  void add(const InstructionSource& source, const PathStep& step, u64 pc) {
    OriginStep out{.kind = source.kind,
                   .task = step.task,
                   .event = step.event,
                   .ticks = step.ticks,
                   .pc = pc,
                   .from = source.from};
    out.from.task = step.task;
    std::vector<u8> code(kInstructionBytesMost);
    code.resize(session_->read(pc, code));
    const auto names = [](u64) { return std::string(); };
    out.instruction = x86::disassemble(code, pc, names, nullptr).text;
    const elf::Location location = elf::locate(session_->images(), pc);
    if (location.image != nullptr) out.image = location.image->path;
    out.function = location.symbol;
    if (!location.frames.empty()) {
      out.function = location.frames.front().function;
      out.file = location.frames.front().source.file;
      out.line = location.frames.front().source.line;
    }
    steps_.push_back(std::move(out));
  }

  /// What is looked for lies before the part that was kept.
  Fallible<Nothing> go_further_back() {
    if ((!begins_late_ && window_.instructions_before() == 0) || !first_) {
      add_untouched();
      return Nothing{};
    }
    instant_.at = {.event = first_->event, .task = first_->task, .ticks = first_->ticks};
    instant_.pc = first_->pc;
    if (!place_.is_memory()) return Nothing{};
    LastWrite last(place_);
    session_ = TRY(start_());
    TRY(noted(session_->note_accesses([&](auto records, auto points) { last.take(records, points); })));
    TRY(seek(*session_, instant_));
    if (!last.found()) {
      add_untouched();
      return Nothing{};
    }
    const u32 process = instant_.process;
    instant_ = *last.found();
    instant_.process = process;
    return last.by_kernel() ? end_at_kernel() : step_over_writer();
  }

  /// The session is brought before the instruction that wrote the place, and goes on with where that had it
  /// from.
  Fallible<Nothing> step_over_writer() {
    session_ = TRY(start_());
    TRY(seek(*session_, instant_));
    std::vector<u8> code(kInstructionBytesMost);
    code.resize(session_->read(*instant_.pc, code));
    const std::vector<translate::Access> accesses = accesses_of(code);
    const PathStep step{
        .task = instant_.at.task, .event = instant_.at.event, .ticks = instant_.at.ticks, .pc = *instant_.pc};
    const auto source = source_of(code, *instant_.pc, place_, accesses);
    follow(source.value_or(InstructionSource{}), step, *instant_.pc);
    return Nothing{};
  }

  /// Of the instruction that the session stands before, by its registers.
  std::vector<translate::Access> accesses_of(std::span<const u8> code) {
    const elf::MachineRegisters& registers = session_->registers();
    x86::OperandRegisters values{
        .rflags = registers.rflags, .fs_base = registers.fs_base, .gs_base = registers.gs_base};
    std::copy(std::begin(registers.gpr), std::end(registers.gpr), std::begin(values.gpr));
    const auto shown = x86::disassemble(
        code, *instant_.pc, [](u64) { return std::string(); }, &values);
    std::vector<translate::Access> accesses;
    for (const x86::ShownOperand& each : shown.operands) {
      if (!each.address) continue;
      const auto kind = each.is_written
                            ? each.is_read ? translate::AccessKind::modify : translate::AccessKind::write
                            : translate::AccessKind::read;
      accesses.push_back(
          {.address = *each.address, .size_bytes = each.size_bits / 8, .pc = *instant_.pc, .kind = kind});
    }
    return accesses;
  }

  Fallible<Nothing> end_at_kernel() {
    const PathStep step{.task = instant_.at.task, .event = instant_.at.event, .ticks = instant_.at.ticks};
    add({.kind = OriginKind::system_call}, step, *instant_.pc);
    return Nothing{};
  }

  void add_untouched() {
    add({.kind = place_.is_memory() ? OriginKind::untouched : OriginKind::unknown, .from = place_},
        first_.value_or(PathStep{}), first_ ? first_->pc : 0);
  }

  const ReplayStarter& start_;
  ExactInstant instant_;
  ValuePlace place_;
  ReplaySession* session_ = nullptr;
  PathWindow window_;
  bool begins_late_ = false;                  ///< the window: something was executed before
  std::optional<PathStep> first_;             ///< the earliest that was looked at
  std::optional<u64> next_pc_;                ///< of the task: what it executed behind the present step
  std::map<std::pair<u64, u64>, Code> code_;  ///< by begin and bytes
  std::vector<OriginStep> steps_;
};

}  // namespace

Fallible<std::vector<OriginStep>> find_origin(const ReplayStarter& start, const ExactInstant& instant,
                                              const ValuePlace& place) {
  return OriginSearch(start, instant, place).go();
}

}  // namespace orrery::lens
