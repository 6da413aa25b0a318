// From execve to main: what happened in between, in steps that lie end to end. The kernel's part is told by
// the exec itself; the dynamic linker's by its system calls (it looks for a file, maps it, sets up
// thread-local storage, makes a relocated object's RELRO read-only) and by the instants at which
// initialisers, the entry point and main are reached, where breakpoints stand. Nothing needs the linker's own
// symbols, which distributions strip.
#include <asm/prctl.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>

#include "base/base_name.h"
#include "lens/lens.h"
#include "lens/load/layout_rows.h"
#include "lens/load/loaded_objects.h"
#include "lens/load/start_code.h"

namespace orrery::lens {
namespace {

using load::LoadedObject;
using load::LoadedObjects;
using load::ObjectFile;

struct ProgramRow {
  u32 process = 0;
  u32 program = 0;
  std::string path{}, linked{};
  std::optional<std::string> interpreter{};
  u64 base = 0;
  u64 start_ticks = 0, start_ns = 0;
  std::optional<u64> main_event{}, main_ticks{}, main_ns{}, main_instructions{}, main_address{};
  std::optional<i32> main_task{};
};

constexpr db::Column<ProgramRow> kProgramColumns[] = {
    db::column<&ProgramRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&ProgramRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&ProgramRow::path>("path", "The program's file."),
    db::column<&ProgramRow::linked>("linked", "dynamic, static or static-pie."),
    db::column<&ProgramRow::interpreter>("interpreter", "Its dynamic linker; NULL if it has none."),
    db::column<&ProgramRow::base>("base",
                                  "What its addresses are moved by: 0 unless it is position-independent."),
    db::column<&ProgramRow::start_ticks>("start_ticks", "Ticks of the task at the exec."),
    db::column<&ProgramRow::start_ns>("start_ns", "The exec, in ns since the recording began."),
    db::column<&ProgramRow::main_event>(
        "main_event",
        "The process's next event at main: the instant; NULL if main was not reached or not found."),
    db::column<&ProgramRow::main_task>("main_task", "The thread that reached main."),
    db::column<&ProgramRow::main_address>("main_address", "The address of main."),
    db::column<&ProgramRow::main_ticks>("main_ticks",
                                        "Ticks at main; NULL if main was not reached or not found."),
    db::column<&ProgramRow::main_instructions>(
        "main_instructions", "Instructions from its first one to main; NULL as main_ticks."),
    db::column<&ProgramRow::main_ns>("main_ns", "When main was reached, in ns since the recording began."),
};
constexpr db::Table<ProgramRow> kProgram = {"program", "The programs that processes ran.", kProgramColumns};

struct StepRow {
  u32 process = 0, program = 0, number = 0;
  std::string step{};
  std::optional<std::string> object{};
  u64 start_ticks = 0, ticks = 0, instructions = 0, start_ns = 0, time_ns = 0, calls = 0, event = 0;
};

constexpr db::Column<StepRow> kStepColumns[] = {
    db::column<&StepRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&StepRow::program>("program", "A program of the table program."),
    db::column<&StepRow::number>("number", "Counts the steps of the program's start from 0."),
    db::column<&StepRow::step>("step", "exec, link, cache, find, map, tls, relocate, init, start or main."),
    db::column<&StepRow::object>("object", "The file it is about; NULL if it is about all."),
    db::column<&StepRow::event>("event", "The process's next event where it begins: the instant."),
    db::column<&StepRow::start_ticks>("start_ticks", "Ticks of the task where it begins."),
    db::column<&StepRow::ticks>("ticks", "How many ticks it took."),
    db::column<&StepRow::instructions>(
        "instructions", "How many instructions it took; a repeated string instruction is one."),
    db::column<&StepRow::start_ns>("start_ns", "Where it begins, in ns since the recording did."),
    db::column<&StepRow::time_ns>("time_ns", "How long it took while recording, in ns."),
    db::column<&StepRow::calls>("calls", "System calls in it."),
};
constexpr db::Table<StepRow> kStep = {"load_step", "The way from execve to main, step by step, without gaps.",
                                      kStepColumns};

/// The start of one program.
class Start {
 public:
  Start(u32 process, u32 program, Rows& rows, const Instant& exec, bool varied)
      : rows_(rows), varied_(varied), row_{.process = process, .program = program}, since_(exec) {
    row_.start_ticks = exec.ticks;
    row_.start_ns = exec.time_ns;
    label("exec");
  }

  void at_program(ReplaySession& session, const Instant& now) {
    stack_ = load::read_start_stack(session);
    objects_.emplace(session, stack_);
    first_instruction_ = now.instructions;
    note_places(session);
    row_.path = objects_->program();
    row_.base = objects_->program_base();
    row_.linked = linkage();
    object_ = row_.path;
    if (ObjectFile* file = objects_->program_file(); file != nullptr && objects_->is_dynamic())
      want(objects_->program_base() + file->entry(), "start", row_.path);
    if (objects_->is_dynamic()) row_.interpreter = objects_->program_file()->interpreter();
    cut(now, objects_->is_dynamic() ? "link" : "start",
        objects_->is_dynamic() ? objects_->linker_path() : row_.path);
    if (!objects_->is_dynamic() && objects_->program_file() != nullptr) want_static_main(session);
  }

  void enter(ReplaySession& session, const WalkedCall& walked) {
    ++calls_;
    if (!is_linkers(session)) return;
    const Call& call = walked.call;
    if (call.name == "openat" || call.name == "open") {
      const bool cache = call.path.ends_with("/ld.so.cache");
      begin(walked.entry, cache ? "cache" : "find", cache ? call.path : std::string(base_name(call.path)));
    } else if (call.name == "mmap" && static_cast<int>(call.arguments[4]) >= 0 && step_ == "find") {
      begin(walked.entry, "map", found_);
    } else if (call.name == "arch_prctl" && call.arguments[0] == ARCH_SET_FS) {
      begin(walked.entry, "tls", std::nullopt);
    } else if (call.name == "mprotect" && is_tls_or_relocating()) {
      note_relocated(session, call.arguments[0]);
    }
  }

  void leave(ReplaySession& session, const WalkedCall& walked) {
    const Call& call = walked.call;
    if (!is_linkers(session)) return;
    if (step_ == "tls" && call.name != "mprotect") {
      tls_set_up_ = walked.exit;
      tls_calls_ = calls_;
    }
    const bool opened = (call.name == "openat" || call.name == "open") && !call.failed();
    if (opened && step_ == "find") found_ = call.path;
    if (call.name == "mprotect" && step_ == "relocate") cut(walked.exit, "relocate", std::nullopt);
    if (is_tls_or_relocating()) want_initialisers(session);
  }

  void reach(ReplaySession& session, u64 pc, const Instant& now) {
    const auto found = wanted_.find(pc);
    if (found == wanted_.end()) return;
    const auto [step, object] = found->second;
    if (step == "libc") {
      // __libc_start_main(main, argc, argv, init, ...), LSB 5.0.
      constexpr int kRdi = 7;
      wanted_[session.registers().gpr[kRdi]] = {"main", objects_->program()};
      wanted_.erase(pc);
      return;
    }
    if (step == "call") {
      wanted_.erase(pc);
      return follow_call(session);
    }
    begin(now, step, object);
    if (step == "start") want_main(session);
    if (step != "main") return;
    note_places(session);
    row_.main_event = now.event;
    row_.main_task = now.task;
    row_.main_address = pc;
    row_.main_ticks = now.ticks;
    row_.main_instructions = now.instructions - first_instruction_;
    row_.main_ns = now.time_ns;
    finish(now);
  }

  /// main has been reached, or it never will be.
  void finish(const Instant& now) {
    if (done_) return;
    done_ = true;
    wanted_.clear();
    if (!row_.main_ticks) cut(now, "", std::nullopt);
    rows_.add(kProgram, row_);
    for (const StepRow& step : steps_) rows_.add(kStep, step);
    for (const load::PlaceRow& place : places_) rows_.add(load::kPlace, place);
  }

  bool done() const { return done_; }
  /// Addresses to stop at, with the step that begins there.
  const std::map<u64, std::pair<std::string, std::string>>& wanted() const { return wanted_; }

 private:
  /// At the start, and again when there is a heap.
  void note_places(ReplaySession& session) {
    places_ = load::find_places(session, *objects_, varied_);
    for (load::PlaceRow& each : places_) {
      each.process = row_.process;
      each.program = row_.program;
    }
  }

  const char* linkage() const {
    if (objects_->is_dynamic()) return "dynamic";
    const ObjectFile* file = objects_->program_file();
    return file != nullptr && file->is_position_independent() ? "static-pie" : "static";
  }

  /// Whether the dynamic linker made the call, before it gave way to the program.
  bool is_linkers(ReplaySession& session) const {
    const ObjectFile* linker = objects_->linker_file();
    const u64 at = session.registers().rip - objects_->linker_base();
    return linker != nullptr && at < linker->end_address() && step_ != "init" && step_ != "start";
  }

  bool is_tls_or_relocating() const { return step_ == "tls" || step_ == "relocate"; }

  /// What goes on is called that; nothing changes if it was called so before.
  void begin(const Instant& now, const std::string& step, const std::optional<std::string>& object) {
    if (step != step_ || object != object_) cut(now, step, object);
  }

  void cut(const Instant& now, const std::string& next, const std::optional<std::string>& object) {
    const bool is_empty = now.ticks == since_.ticks && now.time_ns <= since_.time_ns && calls_ == 0;
    if (!is_empty)
      steps_.push_back({.process = row_.process,
                        .program = row_.program,
                        .number = static_cast<u32>(steps_.size()),
                        .step = step_,
                        .object = object_,
                        .start_ticks = since_.ticks,
                        .ticks = now.ticks - since_.ticks,
                        .instructions = now.instructions - since_.instructions,
                        .start_ns = since_.time_ns,
                        .time_ns = now.time_ns - std::min(now.time_ns, since_.time_ns),
                        .calls = calls_,
                        .event = since_.event});
    since_ = now;
    calls_ = 0;
    label(next, object);
  }

  void label(const std::string& step, const std::optional<std::string>& object = std::nullopt) {
    step_ = step;
    object_ = object;
  }

  /// The linker is about to make the RELRO part of an object read-only: that object has been relocated.
  void note_relocated(ReplaySession& session, u64 address) {
    objects_->refresh(session);
    if (step_ == "tls") {
      const u64 calls = calls_ - tls_calls_;
      calls_ = tls_calls_;
      cut(tls_set_up_, "relocate", std::nullopt);
      calls_ = calls;
    }
    for (const LoadedObject& object : objects_->all()) {
      if (!object.file || object.file->relro_end() == 0) continue;
      const u64 page = page_floor(object.base + object.file->relro_start());
      if (address != page) continue;
      label("relocate", object.path);
    }
  }

  /// Of every object that is there. Their arrays hold addresses only once they are relocated.
  void want_initialisers(ReplaySession& session) {
    objects_->refresh(session);
    for (const LoadedObject& object : objects_->all()) {
      if (!object.file) continue;
      if (const auto address = object.file->tag(DT_INIT)) want(object.base + *address, "init", object.path);
      want_array(session, object, DT_PREINIT_ARRAY, DT_PREINIT_ARRAYSZ);
      want_array(session, object, DT_INIT_ARRAY, DT_INIT_ARRAYSZ);
    }
  }

  void want_array(ReplaySession& session, const LoadedObject& object, u64 tag, u64 size_tag) {
    const auto address = object.file->tag(tag), size = object.file->tag(size_tag);
    if (!address || !size) return;
    for (u64 at = 0; at < *size; at += sizeof(u64)) {
      u64 function = 0;
      if (!session.read_value(object.base + *address + at, function)) return;
      if (object.contains(function)) want(function, "init", object.path);
    }
  }

  /// The C library's start is told where main is.
  void want_main(ReplaySession& session) {
    objects_->refresh(session);
    for (const LoadedObject& object : objects_->all()) {
      const load::Definition* start =
          object.file ? object.file->find_definition("__libc_start_main") : nullptr;
      if (start == nullptr) continue;
      return want(object.base + start->address, "libc", object.path);
    }
  }

  void want_static_main(ReplaySession& session) {
    ObjectFile& file = *objects_->program_file();
    if (const auto main = file.find_function("main"))
      want(objects_->program_base() + *main, "main", row_.path);
    else
      want_call(session, objects_->program_base() + file.entry());
  }

  /// A stripped program's: from call to call, until one hands main on.
  void want_call(ReplaySession& session, u64 function) {
    constexpr int kCallsMost = 8;
    const auto call = load::find_first_call(session, function);
    if (call && ++calls_followed_ <= kCallsMost) want(*call, "call", row_.path);
  }

  void follow_call(ReplaySession& session) {
    const auto main = load::read_main(session, stack_, *objects_->program_file(), objects_->program_base());
    if (main) return want(*main, "main", row_.path);
    if (const auto target = load::find_target(session)) want_call(session, *target);
  }

  void want(u64 address, const char* step, const std::string& object) {
    wanted_.emplace(address, std::pair(step, object));
  }

  Rows& rows_;
  bool varied_;
  std::vector<load::PlaceRow> places_;
  ProgramRow row_;
  std::optional<LoadedObjects> objects_;
  std::vector<StepRow> steps_;
  std::map<u64, std::pair<std::string, std::string>> wanted_;
  Instant since_, tls_set_up_;
  u64 first_instruction_ = 0;
  std::string step_;
  std::optional<std::string> object_;
  load::StartStack stack_;
  int calls_followed_ = 0;
  std::string found_;              ///< the file that was opened last
  u64 calls_ = 0, tls_calls_ = 0;  ///< in the present step; of these, up to tls_set_up_
  bool done_ = false;
};

class LoadWatcher final : public Watcher {
 public:
  LoadWatcher(const Recording& recording, const TreeProcess& process, Rows& rows)
      : varied_(recording.info.aslr != 0), process_(process), rows_(rows) {}

  void begin(ReplaySession& session, const Instant& now) override {
    // The replay goes on without, and the numbers are zero, should the engine refuse.
    (void)session.count_instructions();
    if (process_.parent) return;  // goes on with its parent's program
    begin_program(session, {.task = now.task}, now);
  }
  void enter(ReplaySession& session, const WalkedCall& walked) override {
    if (start_ && !start_->done()) start_->enter(session, walked);
    if (const char* served = load::vdso_function(walked.call.name)) ++vdso_calls_[served];
    update();
  }
  void leave(ReplaySession& session, const WalkedCall& walked) override {
    if (walked.replaced_program()) return begin_program(session, walked.entry, walked.exit);
    if (start_ && !start_->done()) start_->leave(session, walked);
    update();
  }
  void reach(ReplaySession& session, u64 pc, const Instant& now) override {
    if (start_ && !start_->done()) start_->reach(session, pc, now);
    update();
  }
  void end(ReplaySession&, const Instant& now) override { end_program(now); }

 private:
  void end_program(const Instant& now) {
    if (!start_) return;
    start_->finish(now);
    for (const auto& [function, calls] : vdso_calls_)
      rows_.add(load::kVdso, load::VdsoRow{process_.process, programs_ - 1, function, calls});
    vdso_calls_.clear();
  }

  void begin_program(ReplaySession& session, const Instant& exec, const Instant& now) {
    end_program(exec);
    break_nowhere();
    start_.emplace(process_.process, programs_++, rows_, exec, varied_);
    start_->at_program(session, now);
    update();
  }

  void update() {
    if (!start_) return;
    if (start_->done() && !breakpoints().empty()) return break_nowhere();
    for (const auto& [address, step] : start_->wanted()) break_at(address);
  }

  bool varied_;
  const TreeProcess& process_;
  Rows& rows_;
  u32 programs_ = 0;
  std::optional<Start> start_;
  std::map<std::string, u64> vdso_calls_;  ///< of the present program
};

std::unique_ptr<Watcher> watch(const Recording& recording, const TreeProcess& process, Rows& rows) {
  return std::make_unique<LoadWatcher>(recording, process, rows);
}

std::vector<db::TableDescription> tables() {
  return {db::describe(kProgram), db::describe(kStep), db::describe(load::kPlace), db::describe(load::kVdso)};
}

}  // namespace

extern const Lens kLoadLens;
const Lens kLoadLens = {.name = "load",
                        .version = 4,
                        .sentence = "From execve to main.",
                        .tables = tables,
                        .read = nullptr,
                        .watch = watch};

}  // namespace orrery::lens
