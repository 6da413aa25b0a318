// execve in place. The process stays the host process it is: its address space is emptied and filled again by
// our own loader, since a host execve could not fail back and would throw the engine out. The order is
// fs/exec.c's. First, with nothing changed: open the file, follow #! lines (each may name another script),
// read the ELF headers and those of the interpreter, measure arguments. Then the point of no return
// (begin_new_exec): old memory, handlers, timers and close-on-exec descriptors go; then stack, program,
// interpreter, registers.
#include "kernel/exec.h"

#include <asm/unistd.h>
#include <linux/auxvec.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "cpu/vector_state.h"
#include "kernel/capabilities.h"
#include "kernel/exec_script.h"
#include "kernel/fork.h"
#include "kernel/leaving.h"
#include "kernel/loader.h"
#include "kernel/low_places.h"
#include "kernel/outer_view.h"
#include "kernel/path.h"
#include "kernel/scheduler.h"
#include "kernel/signal.h"
#include "kernel/signal_frame.h"
#include "memory/layout.h"

namespace orrery::kernel {
namespace {

constexpr int kScriptDepthMost = 5;  // exec_binprm: a deeper chain is ELOOP
constexpr std::size_t kStackLimit = 3;
constexpr u64 kStackBytesMost = memory::layout::kStackBytesMax;
constexpr u64 kStackRoomBytes = 128 << 10;  // setup_arg_pages: mapped below what is written

/// All that was found out before the point of no return.
struct Plan {
  Program program;
  bool has_interpreter = false;
  Program interpreter;
};

std::string_view view(const std::vector<char>& text) { return {text.data(), text.size()}; }

void name_failure(std::vector<char>* out, std::string_view path) {
  if (out != nullptr) out->assign(path.begin(), path.end());
}

/// Says why an ELF file that is no program for this machine is refused. What is no ELF file at all is the
/// shell's business (ENOEXEC makes it read the file as a script).
void explain_refusal(const Process& process, std::string_view path, elf::HeaderVerdict verdict) {
  if (verdict == elf::HeaderVerdict::good || verdict == elf::HeaderVerdict::not_elf) return;
  process.say(Text().add(path).add(" ").add(elf::describe(verdict)).view());
}

/// Opens the request's file and follows scripts until `plan.program` is an ELF file.
i64 find_program(Process& process, ExecRequest& request, Plan& plan, std::vector<char>* failing_path) {
  ExecPath path = request.path;
  if (std::vector<char> replacement;
      replace_path(process, path.directory_fd, path.view(), path.follow_links, replacement))
    path = ExecPath{.text = replacement};
  std::vector<char> shown = request.executed_path;
  for (int depth = 0;; ++depth) {
    name_failure(failing_path, view(shown));
    if (depth > kScriptDepthMost) return -ELOOP;
    Program& program = plan.program;
    if (const i64 error = program.file.open(process, path); error < 0) return error;
    std::vector<u8> head(elf::kHeadBytes);
    const i64 count = program.file.read(0, head);
    if (count < 0) return count;
    head.resize(static_cast<std::size_t>(count));
    if (!is_script(head)) {
      const i64 error = read_program(program, head);
      if (error == -ENOEXEC) explain_refusal(process, view(shown), program.header.verdict);
      return error;
    }
    const ScriptLine line = parse_script_line(head);
    if (!line.valid) return -ENOEXEC;
    if (request.path_closes) return -ENOENT;
    request.arguments.pop_front();
    request.arguments.push_front(view(shown));
    if (line.has_argument) request.arguments.push_front(view(line.argument));
    request.arguments.push_front(view(line.interpreter));
    path = ExecPath::from(view(line.interpreter));
    shown = line.interpreter;
  }
}

i64 find_interpreter(Process& process, Plan& plan, std::vector<char>* failing_path) {
  if (!plan.program.segments.has_interpreter) return 0;
  ExecPath path;
  if (const i64 error = read_interpreter_path(plan.program, path.text); error < 0) return error;
  path.text.resize(std::strlen(path.text.data()) + 1);
  name_failure(failing_path, path.view());
  Program& interpreter = plan.interpreter;
  if (const i64 error = interpreter.file.open(process, path); error < 0) return error;
  std::vector<u8> head(elf::kHeadBytes);
  const i64 count = interpreter.file.read(0, head);
  if (count < 0) return count;
  head.resize(static_cast<std::size_t>(count));
  const i64 error = read_program(interpreter, head);
  if (error == -ENOEXEC) {
    explain_refusal(process, path.view(), interpreter.header.verdict);
    return -ELIBBAD;
  }
  plan.has_interpreter = error == 0;
  return error;
}

/// Everything that may fail. On success only `plan` and the request's arguments have changed.
i64 prepare(Process& process, ExecRequest& request, Plan& plan, std::vector<char>* failing_path) {
  if (request.arguments.count == 0) request.arguments.push_back({});  // since Linux 5.18
  if (const i64 error = find_program(process, request, plan, failing_path); error < 0) return error;
  if (arguments_too_big(request.arguments, request.environment, view(request.executed_path),
                        process.limits[kStackLimit].soft))
    return -E2BIG;
  if (const i64 error = find_interpreter(process, plan, failing_path); error < 0) return error;
  if (needs_reserved_addresses(plan.program)) {
    process.say(Text()
                    .add(view(request.executed_path))
                    .add(" is linked to addresses that the engine occupies; it cannot be run")
                    .view());
    return -ENOMEM;
  }
  if (plan.program.file.set_user_or_group_id())
    process.say(Text()
                    .add(view(request.executed_path))
                    .add(": its set-user-ID or set-group-ID bit is ignored")
                    .view());
  return 0;
}

void delete_posix_timers(Process& process) {
  for (const PosixTimer& timer : process.posix_timers) {
    host::HostCall call;
    call.number = __NR_timer_delete;
    call.args = {static_cast<u64>(timer.id)};
    process.host.call(call);
  }
  process.posix_timers.clear();
}

void set_comm(Task& task, std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  std::array<char, 16> comm{};
  std::copy_n(name.begin(), std::min(name.size(), comm.size() - 1), comm.begin());
  set_command_name(task, comm);
}

/// begin_new_exec: what the old program leaves behind goes.
void forget_old_program(Task& task, const ExecRequest& request, const Plan& plan) {
  Process& process = task.process;
  process.space().clear();
  process.scheduler.leave_turns();
  delete_posix_timers(process);
  reset_signals_for_exec(task);
  task.clear_child_tid = 0;
  task.robust_list = {};
  task.rseq = {};
  task.restart = {};
  task.last_fault = {};
  set_comm(task, view(request.executed_path));
  const auto exe = plan.program.file.resolved_path();
  process.exe.assign(exe.begin(), exe.end());
  process.dumpable = true;
  process.image = {};
}

AuxVector make_auxv(const Process& process, const Plan& plan, const LoadedImage& program,
                    const LoadedImage& interpreter, const StackPlan& stack) {
  constexpr u64 kAtMinsigstksz = 51, kAtRseqFeatureSize = 27, kAtRseqAlign = 28;
  const Configuration& configuration = process.configuration;
  AuxVector auxv;
  auxv.add(kAtMinsigstksz, signal_frame_bytes_most(configuration));
  auxv.add(AT_HWCAP, configuration.hwcap);
  auxv.add(AT_PAGESZ, kPageBytes);
  auxv.add(AT_CLKTCK, configuration.clock_ticks_per_second);
  auxv.add(AT_PHDR, program.table_address);
  auxv.add(AT_PHENT, 56);
  auxv.add(AT_PHNUM, plan.program.header.table_count);
  auxv.add(AT_BASE, interpreter.first_page);
  auxv.add(AT_FLAGS, 0);
  auxv.add(AT_ENTRY, program.entry);
  auxv.add(AT_UID, process.credentials.uid);
  auxv.add(AT_EUID, process.credentials.euid);
  auxv.add(AT_GID, process.credentials.gid);
  auxv.add(AT_EGID, process.credentials.egid);
  auxv.add(AT_SECURE, 0);
  auxv.add(AT_RANDOM, stack.random);
  auxv.add(AT_HWCAP2, configuration.hwcap2);
  auxv.add(AT_EXECFN, stack.execfn);
  auxv.add(AT_PLATFORM, stack.platform);
  auxv.add(kAtRseqFeatureSize, 28);  // through mm_cid
  auxv.add(kAtRseqAlign, 32);
  return auxv;
}

/// setup_arg_pages and create_elf_tables.
i64 make_stack(Process& process, const Plan& plan, const StackRequest& request, const StackPlan& stack,
               const AuxVector& auxv) {
  const StackContent content = build_stack(request, stack, auxv);
  const u64 room = std::min(process.space().limits().stack_bytes & ~(kPageBytes - 1), kStackBytesMost);
  const u64 start = std::min(page_floor(content.start),
                             std::max(page_floor(content.start) - kStackRoomBytes, request.top - room));
  const int executable = plan.program.segments.executable_stack ? PROT_EXEC : 0;
  const i64 at = process.space().mmap({.address = start,
                                       .size_bytes = request.top - start,
                                       .protection = PROT_READ | PROT_WRITE | executable,
                                       .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN,
                                       .kind = memory::RegionKind::stack});
  if (at < 0) return at;
  if (!process.space().write(content.start, content.bytes)) return -EFAULT;
  process.auxv = content.auxv;
  ImageLayout& image = process.image;
  image.stack_start = content.start;
  image.arguments_start = stack.arguments;
  image.arguments_end = image.environment_start = stack.environment;
  image.environment_end = stack.execfn;
  return 0;
}

void note_layout(Process& process, const LoadedImage& program, const LoadedImage& interpreter) {
  ImageLayout& image = process.image;
  image.code_start = program.code_start, image.code_end = program.code_end;
  image.data_start = program.data_start, image.data_end = program.data_end;
  image.program_base = program.bias;
  image.interpreter_base = interpreter.first_page;
  image.entry = program.entry;
}

void start_registers(Task& task, u64 rip, u64 rsp) {
  task.cpu.regs = {};
  task.cpu.regs.rip = rip;
  task.cpu.regs[cpu::Gpr::rsp] = rsp;
  task.call.number = -1;
  task.call.replaced = true;
  cpu::reset_vector_state(task.process.configuration.xcr0);
}

/// Past the point of no return.
i64 install(Task& task, const ExecRequest& request, const Plan& plan) {
  Process& process = task.process;
  memory::AddressSpace& space = process.space();
  LoadedImage program, interpreter;
  space.use_places(process.configuration.places);
  if (const i64 error = map_program(space, plan.program, Placement::program, program); error < 0)
    return error;
  if (wants_low_places(space, plan.program, program.bias)) {
    space.clear();
    space.use_places(memory::layout::kLowPlaces);
    if (const i64 error = map_program(space, plan.program, Placement::program, program); error < 0)
      return error;
  }
  if (plan.has_interpreter)
    if (const i64 error = map_program(space, plan.interpreter, Placement::interpreter, interpreter);
        error < 0)
      return error;
  space.set_brk(space.places().brk.start);

  StackRequest stack_request{.arguments = request.arguments,
                             .environment = request.environment,
                             .executed_path = view(request.executed_path),
                             .top = space.places().stack_top};
  process.host.random_bytes(stack_request.random);
  const StackPlan stack = plan_stack(stack_request);
  const AuxVector auxv = make_auxv(process, plan, program, interpreter, stack);
  if (const i64 error = make_stack(process, plan, stack_request, stack, auxv); error < 0) return error;
  note_layout(process, program, interpreter);
  show_program(process, plan.program.file.fd());
  start_registers(task, plan.has_interpreter ? interpreter.entry : program.entry, process.image.stack_start);
  return 0;
}

/// For whoever looks at the recording's processes.
void announce_program(const Process& process, const ExecRequest& request) {
  std::vector<u8> words(process.exe.begin(), process.exe.end());
  words.push_back(0);
  words.insert(words.end(), request.arguments.bytes.begin(), request.arguments.bytes.end());
  process.host.executed(words);
}

}  // namespace

i64 execute(Task& task, ExecRequest& request, std::vector<char>* failing_path) {
  Plan plan;
  const StringList asked = may_leave(task.process) ? request.arguments : StringList{};
  if (const i64 error = prepare(task.process, request, plan, failing_path); error < 0) return error;
  if (const auto resolved = plan.program.file.resolved_path();
      leaves(task.process, view(request.executed_path), {resolved.data(), resolved.size()})) {
    const std::vector<char> file(resolved.begin(), resolved.end());
    plan = {};
    request.arguments = asked;
    leave(task, request, view(file));
    return 0;
  }
  give_memory_back(task.process);
  become_only_task(task);
  forget_old_program(task, request, plan);
  drop_capabilities(task.process);
  const i64 error = install(task, request, plan);
  plan = {};
  if (error < 0) {
    name_failure(failing_path, view(request.executed_path));
    task.process.say(
        Text().add(view(request.executed_path)).add(" cannot be mapped: the process ends").view());
    task.process.end({.fatal_signal = SIGSEGV});
  }
  announce_program(task.process, request);
  return error;
}

}  // namespace orrery::kernel
