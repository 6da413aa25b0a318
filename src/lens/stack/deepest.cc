#include "lens/stack/deepest.h"

#include <asm/unistd.h>
#include <linux/sched.h>

#include <algorithm>

#include "lens/call_set.h"
#include "lens/code_place.h"
#include "lens/task_machine.h"
#include "translate/access_stream.h"

namespace orrery::lens {
namespace {

constexpr u64 kStops[] = {__NR_clone, __NR_clone3, __NR_sigaltstack, __NR_execve, __NR_execveat};
constexpr int kStackLimit = 3;  ///< RLIMIT_STACK

bool executes(u64 number) { return number == __NR_execve || number == __NR_execveat; }
bool clones(u64 number) { return number == __NR_clone || number == __NR_clone3; }

class Search {
 public:
  explicit Search(ReplaySession& session) : session_(session) {}

  Fallible<Nothing> go(const std::optional<ExactInstant>& to) {
    TRY(done(
        session_.note_accesses([this](auto records, auto points) { reader_.read(records, points, *this); })));
    TRY(done(
        session_.note_schedule(words_of(set_of(kStops)), machine::kScheduleStopsOnly, [](const auto&) {})));
    learn_stacks();
    while (!session_.stop().ended() && !(to && is_at(*to))) {
      if (to) TRY(done(session_.stop_at_tick(to->at.task, to->at.ticks)));
      const auto ran = session_.run_before(session_.stop().event);  // calls before it are no stops
      if (!ran) return Failure(ran.error());
      look_at_stop();
    }
    if (to && !session_.stop().ended()) TRY(seek(session_, *to));
    finish_program();
    return Nothing{};
  }

  std::vector<DeepestPoint> take() {
    std::sort(found_.begin(), found_.end(), [](const DeepestPoint& left, const DeepestPoint& right) {
      return std::tuple(left.event, left.ticks) < std::tuple(right.event, right.ticks);
    });
    return std::move(found_);
  }

  // --- what the reader calls ---
  void block(translate::AccessHeader, const translate::AccessPoint&) {}
  void access(const translate::Access& access) {
    if (access.kind == translate::AccessKind::read) return;
    if (reader_.task != task_) [[unlikely]]
      turn_to(reader_.task);
    for (DeepestPoint& stack : *stacks_) {
      if (access.address >= stack.lowest || access.address + access.size_bytes <= stack.start) continue;
      stack.lowest = std::max(access.address, stack.start);
      stack.pc = access.by == translate::AccessBy::kernel ? 0 : access.pc;
      stack.event = reader_.event;
      stack.ticks = reader_.ticks;
    }
  }

 private:
  using Stacks = std::vector<DeepestPoint>;

  static Fallible<Nothing> done(const Status& status) {
    if (!status) return Failure(status.error());
    return Nothing{};
  }

  /// A task of which nobody has told runs on the stack that the last clone was given.
  void turn_to(i32 task) {
    task_ = task;
    stacks_ = &tasks_[task];
    if (stacks_->empty() && next_) stacks_->push_back(*std::exchange(next_, std::nullopt));
    for (DeepestPoint& stack : *stacks_) stack.task = task;
  }

  /// At its tick, or behind its event.
  bool is_at(const ExactInstant& to) const {
    const Stop& stop = session_.stop();
    return stop.event > to.at.event || (stop.task == to.at.task && stop.ticks >= to.at.ticks);
  }

  void look_at_stop() {
    const Stop& stop = session_.stop();
    if (stop.reason == machine::StopReason::system_call) {
      const elf::MachineRegisters registers = session_.registers();
      call_ = registers.gpr[0];
      if (clones(call_)) note_clone(registers);
    } else if (stop.reason == machine::StopReason::event) {
      const u64 result = session_.registers().gpr[0], number = std::exchange(call_, ~u64{0});
      if (executes(number) && result == 0) {
        finish_program();
        ++program_;
      } else if (!clones(number) && number != __NR_sigaltstack) {
        return;
      }
      learn_stacks();
    }
  }

  void note_clone(const elf::MachineRegisters& registers) {
    u64 flags = registers.gpr[7], top = registers.gpr[6];
    if (registers.gpr[0] == __NR_clone3) {
      clone_args arguments{};
      if (!session_.read_value(registers.gpr[7], arguments)) return;
      flags = arguments.flags;
      top = arguments.stack + arguments.stack_size;
    }
    if ((flags & CLONE_THREAD) != 0) next_ = stack_below(top);
  }

  /// That begins at `top`; nothing if no memory is there.
  std::optional<DeepestPoint> stack_below(u64 top) {
    const std::vector<elf::MappedRegion>& regions = session_.regions();
    const elf::MappedRegion* const region = session_.find_region(top - 1);
    if (region == nullptr) return std::nullopt;
    DeepestPoint stack{.program = program_, .start = region->start, .top = top, .lowest = top};
    if (region->path != "[stack]") return stack;
    // It grows by itself, up to its limit or to what lies below.
    stack.top = stack.lowest = region->end;
    const u64 below = region == regions.data() ? 0 : (region - 1)->end;
    auto block = session_.process_block();
    const u64 limit = block ? block.value().process.limits[kStackLimit][0] : ~u64{0};
    stack.start = std::min(region->start, std::max(below, region->end - std::min(limit, region->end)));
    return stack;
  }

  void learn_stacks() {
    const std::vector<machine::ControlTask> tasks = session_.tasks();
    for (const machine::ControlTask& task : tasks) {
      if (task.state == machine::TaskState::ended) continue;
      Stacks& stacks = tasks_[task.task];
      const auto add = [&](const std::optional<DeepestPoint>& stack) {
        if (stack) stacks.push_back(*stack), stacks.back().task = task.task;
      };
      if (stacks.empty() && next_) add(std::exchange(next_, std::nullopt));
      if (stacks.empty()) add(stack_below(task.gpr[elf::kRspIndex]));
      const u64 start = task.alternate_stack;
      const bool is_known = task.alternate_bytes == 0 ||
                            std::any_of(stacks.begin(), stacks.end(), [&](const DeepestPoint& stack) {
                              return stack.is_alternate && stack.start == start;
                            });
      if (!is_known)
        stacks.push_back({.task = task.task,
                          .program = program_,
                          .is_alternate = true,
                          .start = start,
                          .top = start + task.alternate_bytes,
                          .lowest = start + task.alternate_bytes});
    }
    turn_to(task_);
  }

  void finish_program() {
    for (auto& [task, stacks] : tasks_)
      for (const DeepestPoint& stack : stacks)
        if (stack.lowest < stack.top) found_.push_back(stack);
    tasks_.clear();
    next_.reset();
    turn_to(task_);
  }

  ReplaySession& session_;
  translate::AccessReader reader_;
  u32 program_ = 0;
  u64 call_ = ~u64{0};  ///< the system call that was entered last
  std::map<i32, Stacks> tasks_;
  std::optional<DeepestPoint> next_;  ///< of the thread that is being made
  i32 task_ = 0;
  Stacks* stacks_ = &tasks_[0];
  std::vector<DeepestPoint> found_;
};

}  // namespace

Fallible<std::vector<DeepestPoint>> find_deepest(ReplaySession& session,
                                                 const std::optional<ExactInstant>& to) {
  Search search(session);
  TRY(search.go(to));
  return search.take();
}

std::vector<DeepFrame> deep_frames(ReplaySession& session, i32 task) {
  std::vector<DeepFrame> frames;
  const std::vector<machine::ControlTask> tasks = session.tasks();
  const auto found = std::find_if(tasks.begin(), tasks.end(),
                                  [task](const machine::ControlTask& each) { return each.task == task; });
  if (found == tasks.end()) return frames;
  TaskMachine machine(session, *found);
  const elf::Images& images = session.images();
  std::map<u64, DeepFrame> known;  // a recursion comes back to the same few
  for (const elf::Frame& frame : elf::unwind(machine, images).frames) {
    auto [each, is_new] = known.try_emplace(frame.lookup_pc());
    if (is_new) {
      const elf::Location place = elf::locate(images, frame.lookup_pc());
      each->second = {
          .pc = frame.pc, .function = short_function(place.symbol), .signal_frame = frame.signal_frame};
      if (place.image != nullptr) each->second.image = place.image->path;
      if (!place.frames.empty()) {
        const elf::SourceFrame& whole = place.frames.back();
        each->second.source = whole.source;
        if (!whole.function.empty()) each->second.function = short_function(whole.function);
      }
    }
    DeepFrame& made = frames.emplace_back(each->second);
    const std::optional<u64> stack_pointer = frame.registers[elf::kDwarfRsp];
    if (frame.cfa && stack_pointer) made.bytes = *frame.cfa - *stack_pointer;
  }
  return frames;
}

}  // namespace orrery::lens
