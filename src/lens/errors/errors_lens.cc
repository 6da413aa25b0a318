// Errors of memory: accesses of what the heap has not given out, wrong releases, and leaks, from the accesses
// and the allocators' calls of the replay.
#include <asm/unistd.h>
#include <sched.h>
#include <sys/mman.h>

#include <map>
#include <set>

#include "base/base_name.h"
#include "lens/clock.h"
#include "lens/code_place.h"
#include "lens/errors/error_finder.h"
#include "lens/errors/error_tables.h"
#include "lens/errors/leak_search.h"
#include "lens/heritages.h"
#include "lens/lens.h"
#include "translate/heap_watch.h"

namespace orrery::lens {
namespace errors {
namespace {

const char* name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_read:
      return "invalid_read";
    case ErrorKind::invalid_write:
      return "invalid_write";
    case ErrorKind::invalid_argument:
      return "invalid_argument";
    case ErrorKind::double_free:
      return "double_free";
    case ErrorKind::invalid_free:
      return "invalid_free";
    case ErrorKind::mismatched_free:
      return "mismatched_free";
    case ErrorKind::undefined_jump:
      return "undefined_jump";
    case ErrorKind::undefined_address:
      return "undefined_address";
    case ErrorKind::undefined_argument:
      return "undefined_argument";
  }
  return "";
}

const char* name_of(LeakKind kind) {
  switch (kind) {
    case LeakKind::reachable:
      return "reachable";
    case LeakKind::possible:
      return "possible";
    case LeakKind::indirect:
      return "indirect";
    case LeakKind::definite:
      return "definite";
  }
  return "";
}

std::optional<std::string> name_of(Relation relation) {
  switch (relation) {
    case Relation::none:
      return std::nullopt;
    case Relation::inside:
      return "inside";
    case Relation::behind:
      return "behind";
    case Relation::before:
      return "before";
  }
  return std::nullopt;
}

/// Where code comes from, as the rows have it.
struct CodeWords {
  std::optional<std::string> function{}, file{};
  std::optional<u32> line{};
  std::optional<std::string> object{};
};

CodeWords code_words(ReplaySession& session, u64 pc) {
  CodeWords words;
  const elf::MappedRegion* const region = session.find_region(pc);
  if (region == nullptr) return words;
  if (region->path.starts_with("/")) words.object = region->path;
  const elf::Location location = elf::locate(session.images(), pc);
  std::string function = location.symbol;
  if (!location.frames.empty()) {
    const elf::SourceFrame& frame = location.frames.front();
    if (!frame.function.empty()) function = frame.function;
    if (frame.source.line != 0) {
      words.file = frame.source.file;
      words.line = static_cast<u32>(frame.source.line);
    }
  }
  if (!function.empty()) words.function = short_function(function);
  return words;
}

bool is_c_library(const std::string& path) {
  const std::string name(base_name(path));
  return name.starts_with("libc.so") || name.starts_with("libc-") || name.starts_with("ld-") ||
         name.starts_with("ld.so");
}

/// Functions that read whole vectors and look only at what belongs to the string.
bool is_string_function(const CodeWords& words) {
  // Those that copy read what they were asked to and no more.
  for (const char* const copier : {"memcpy", "memmove", "mempcpy"})
    if (words.function && words.function->find(copier) != std::string::npos) return false;
  if (words.object && is_c_library(*words.object)) return true;
  if (!words.function) return false;
  std::string_view name = *words.function;
  while (name.starts_with("_")) name.remove_prefix(1);
  for (const char* const prefix : {"str", "stp", "mem", "wcs", "wmem", "rawmem"})
    if (name.starts_with(prefix)) return true;
  return false;
}

/// Functions that read strings in halves of vectors; the dynamic linker's own may have no symbol.
bool is_string_compare(const CodeWords& words) {
  const std::string object(words.object ? base_name(*words.object) : "");
  return object.starts_with("ld-") || object.starts_with("ld.so") ||
         (is_string_function(words) && words.function && words.function->find("cmp") != std::string::npos);
}

/// The heaps that forked processes have from their parents.
using Inheritance = Heritages<ErrorFinder>;

/// What is looked for.
enum class Search : u8 { accesses, undefined };

class ErrorWatcher final : public Watcher {
 public:
  ErrorWatcher(const Recording& recording, const TreeProcess& process, Rows& rows, Inheritance& inheritance,
               Search search)
      : recording_(recording),
        tree_(process),
        process_(process.process),
        rows_(rows),
        inheritance_(inheritance),
        search_(search) {
    for (const u64 number : {__NR_execve, __NR_execveat, __NR_mmap, __NR_mprotect, __NR_munmap, __NR_mremap,
                             __NR_brk, __NR_fork, __NR_vfork, __NR_clone, __NR_clone3})
      calls_.set(number);
  }

  const CallSet* calls() const override { return &calls_; }

  void begin(ReplaySession& session, const Instant&) override {
    begin_program();
    std::shared_ptr<ErrorFinder> inherited = inheritance_.take(tree_);
    const bool inherits = inherited != nullptr;
    if (inherits) {
      finder_ = std::move(inherited);
      given_before_ = finder_->blocks().given();
    } else if (tree_.parent) {
      is_unknown_ = true;
      return;
    }
    begin_notes(session, inherits);
  }

  void enter(ReplaySession& session, const WalkedCall& walked) override {
    switch (walked.call.number) {
      case __NR_execve:
      case __NR_execveat:
        return collect(session);
      case __NR_munmap:
        return collect_code(session);
      case __NR_fork:
      case __NR_vfork:
      case __NR_clone:
      case __NR_clone3:
        if (!asked_ || !makes_process(session, walked.call)) return;
        inheritance_.leave(process_, walked.call.event, finder_->forked());
        return finder_->makes_process(walked.exit.task, true);
      default:
        return;
    }
  }

  void leave(ReplaySession& session, const WalkedCall& walked) override {
    if (walked.replaced_program()) {
      finish_program();
      ++program_;
      begin_program();
      is_unknown_ = false;
      given_before_ = 0;
      return begin_notes(session, false);
    }
    if (!asked_) return;
    finder_->makes_process(walked.exit.task, false);
    follow(session, walked);
  }

  void end(ReplaySession& session, const Instant&) override {
    collect(session);
    finish_program();
  }

 private:
  /// Not a thread: clone(2).
  static bool makes_process(ReplaySession& session, const Call& call) {
    if (call.number == __NR_clone3) return (word_at(session, call.arguments[0]) & CLONE_THREAD) == 0;
    return call.number != __NR_clone || (call.arguments[0] & CLONE_THREAD) == 0;
  }

  static u64 word_at(ReplaySession& session, u64 address) {
    u64 word = 0;
    const u64 read = session.read(address, {reinterpret_cast<u8*>(&word), sizeof word});
    return read == sizeof word ? word : 0;
  }

  void begin_program() {
    seen_.clear();
    odd_ = {};
    words_.clear();
    leaks_.clear();
    asked_ = false;
    brk_ = 0;
    finder_ = std::make_shared<ErrorFinder>();
  }

  /// `inherits`: the heap that the process has from its parent.
  void begin_notes(ReplaySession& session, bool inherits) {
    const auto read = [this](std::span<const u64> records, std::span<const translate::AccessPoint> points) {
      finder_->read(records, points);
    };
    asked_ = static_cast<bool>(search_ == Search::undefined ? session.note_undefined(read, inherits)
                                                            : session.note_suspects(read, inherits));
    look_at_files(session);
  }

  /// What a call did to the map.
  void follow(ReplaySession& session, const WalkedCall& walked) {
    const Call& call = walked.call;
    if (call.result < 0 && call.result >= -4095) return;
    const u64 result = static_cast<u64>(call.result);
    const i32 task = walked.exit.task;
    if (call.name == "brk") {
      if (brk_ != 0 && result > brk_) mapped(session, task, {brk_, result}, true);
      if (brk_ != 0 && result < brk_) unmapped(session, {page_ceil(result), page_ceil(brk_)});
      brk_ = result;
    } else if (call.name == "mmap") {
      mapped(session, task, {result, result + page_ceil(call.arguments[1])}, call.arguments[2] != PROT_NONE);
      if ((call.arguments[3] & MAP_STACK) != 0)
        odd_.stacks.push_back({result, result + page_ceil(call.arguments[1])});
      if ((call.arguments[2] & PROT_EXEC) != 0) look_at_files(session);
    } else if (call.name == "munmap") {
      unmapped(session, {call.arguments[0], call.arguments[0] + page_ceil(call.arguments[1])});
      std::erase_if(odd_.stacks, [&](const auto& stack) { return stack.start == call.arguments[0]; });
    } else if (call.name == "mremap") {
      unmapped(session, {call.arguments[0], call.arguments[0] + page_ceil(call.arguments[1])});
      mapped(session, task, {result, result + page_ceil(call.arguments[2])}, true);
    } else if ((call.arguments[2] & PROT_EXEC) != 0) {
      look_at_files(session);
    } else if (call.arguments[2] != PROT_NONE && finder_->shadow().is_held(call.arguments[0])) {
      (void)session.hold_memory(task, {call.arguments[0], call.arguments[0] + page_ceil(call.arguments[1])});
    }
  }

  /// The engine need not know of what nobody can touch: the arena of a thread is mostly that at first.
  void mapped(ReplaySession& session, i32 task, memory::layout::Range memory, bool may_be_touched) {
    if (!finder_->mapped(task, memory.start, memory.size_bytes()))
      (void)session.let_go_memory(memory);
    else if (may_be_touched)
      (void)session.hold_memory(task, memory);
  }
  void unmapped(ReplaySession& session, memory::layout::Range memory) {
    finder_->unmapped(memory.start, memory.size_bytes());
    (void)session.let_go_memory(memory);
  }

  /// Files whose code is mapped since the last look.
  void look_at_files(ReplaySession& session) {
    if (!asked_) return;
    for (const elf::MappedRegion& region : session.regions()) {
      if ((region.protection & PROT_EXEC) == 0 || !region.path.starts_with("/")) continue;
      if (!seen_.emplace(region.path, region.start).second) continue;
      heap::FileFunctions functions = heap::place_of_file(session, region);
      heap::find_known_functions(region, functions);
      if (!functions.by_address.empty()) heap::find_measuring_functions(region, functions);
      std::vector<translate::AllocatorEntry> entries;
      for (const auto& [address, function] : functions.by_address)
        entries.push_back(entry_of(address, *function));
      if (!session.watch_allocators(entries)) continue;
      using machine::HeapCode;
      if (is_c_library(region.path) && search_ == Search::accesses)
        (void)session.mark_heap_code(HeapCode::reads_vectors, {region.start, region.end});
      finder_->watch(functions);
      if (functions.by_address.empty()) continue;
      odd_.allocators.push_back({functions.begin, functions.end});
      if (search_ == Search::accesses)
        (void)session.mark_heap_code(HeapCode::allocators, finder_->allocators().back());
    }
  }

  static translate::AllocatorEntry entry_of(u64 address, const heap::AllocatorFunction& function) {
    using translate::AllocatorKind;
    static_assert(static_cast<int>(AllocatorKind::allocate) ==
                      static_cast<int>(heap::FunctionKind::allocate) &&
                  static_cast<int>(AllocatorKind::measure) == static_cast<int>(heap::FunctionKind::measure));
    static_assert(heap::kNoArgument == translate::AllocatorEntry::kNone);
    return {.address = address,
            .kind = static_cast<AllocatorKind>(function.kind),
            .size = function.size,
            .count = function.count,
            .pointer = function.pointer,
            .size_bytes = function.size_bytes};
  }

  /// The names of all places of errors so far, while their code is mapped.
  void collect_code(ReplaySession& session) {
    for (const MemoryError& error : finder_->errors()) words_of(session, place_of(error));
  }
  static u64 place_of(const MemoryError& error) {
    return error.called_from != 0 ? error.called_from : error.place.pc;
  }
  const CodeWords& words_of(ReplaySession& session, u64 pc) {
    const auto [found, is_new] = words_.try_emplace(pc);
    if (is_new) found->second = code_words(session, pc);
    return found->second;
  }

  void collect(ReplaySession& session) {
    if (!asked_) return;
    collect_code(session);
    if (search_ == Search::undefined) return;
    leaks_ = find_leaks(session, finder_->blocks(), finder_->shadow(), odd_);
    std::erase_if(leaks_, [&](const Leak& leak) { return leak.block.number <= given_before_; });
    for (Leak& leak : leaks_) {
      const CodeWords& words = words_of(session, leak.block.made_by);
      // The dynamic linker keeps its own in the stacks of threads that have ended, for those that come (the
      // vectors of thread-local storage).
      if (words.object && base_name(*words.object).starts_with("ld-")) leak.kind = LeakKind::reachable;
    }
  }

  void finish_program() {
    const char* const heap = is_unknown_ ? "not checked: its parent was not"
                             : asked_    ? "checked"
                                         : "not checked: the replay could not be asked";
    if (search_ == Search::undefined) return add_undefined();
    rows_.add(kChecked, {.process = process_, .program = program_, .heap = heap, .blocks = leaks_.size()});
    if (!asked_) return;
    Clock clock(recording_, process_);
    u32 number = 0;
    for (const MemoryError& error : finder_->errors())
      if (counts(error)) rows_.add(kMemoryError, row_of(error, ++number, clock));
    for (const Leak& leak : leaks_) rows_.add(kLeak, row_of(leak));
  }

  void add_undefined() {
    if (!asked_) return;
    Clock clock(recording_, process_);
    u32 number = 0;
    std::set<std::string> compared;  // string functions that an undefined value has sent somewhere
    for (const MemoryError& error : finder_->errors())
      if (error.kind == ErrorKind::undefined_jump && is_string_function(words_[error.place.pc]))
        compared.insert(words_[error.place.pc].function.value_or(""));
    const auto follows = [&](const MemoryError& error) {
      return error.kind == ErrorKind::undefined_address &&
             compared.contains(words_[error.place.pc].function.value_or(""));
    };
    for (const MemoryError& error : finder_->errors())
      if (error.kind >= ErrorKind::undefined_jump && !follows(error))
        rows_.add(kUndefinedValue, row_of(error, ++number, clock));
  }

  /// Whether it is an error: not what string functions may do, nor what the C library gives back of what it
  /// had got before its allocator could be watched.
  bool counts(const MemoryError& error) {
    const CodeWords& words = words_[place_of(error)];
    const bool is_word = error.size_bytes == sizeof(u64);
    if (error.partly_allowed) return is_word ? !is_string_compare(words) : !is_string_function(words);
    if (error.kind == ErrorKind::invalid_free) return !words.object || !is_c_library(*words.object);
    return true;
  }

  MemoryErrorRow row_of(const MemoryError& error, u32 number, Clock& clock) {
    const CodeWords& words = words_[place_of(error)];
    MemoryErrorRow row{.process = process_, .program = program_, .number = number};
    row.kind = name_of(error.kind);
    row.event = error.place.event;
    row.task = error.place.task;
    row.ticks = error.place.ticks;
    row.time_ns = clock.time_at(error.place.event, error.place.task, error.place.ticks);
    row.pc = error.place.pc;
    row.function = words.function;
    row.file = words.file;
    row.line = words.line;
    row.object = words.object;
    row.address = error.address;
    row.size_bytes = error.size_bytes;
    row.times = error.count;
    if (!error.neighbour) return row;
    const HeapBlock& block = error.neighbour->block;
    row.relation = name_of(error.neighbour->relation);
    row.distance = error.neighbour->distance;
    row.block_address = block.address;
    row.block_bytes = block.size_bytes;
    row.made_event = block.made.event;
    row.made_task = block.made.task;
    row.made_ticks = block.made.ticks;
    row.made_pc = block.made.pc;
    if (error.neighbour->live) return row;
    row.gone_event = block.gone.event;
    row.gone_task = block.gone.task;
    row.gone_ticks = block.gone.ticks;
    row.gone_pc = block.gone.pc;
    return row;
  }

  LeakRow row_of(const Leak& leak) {
    const CodeWords& words = words_[leak.block.made_by];
    return {.process = process_,
            .program = program_,
            .kind = name_of(leak.kind),
            .address = leak.block.address,
            .size_bytes = leak.block.size_bytes,
            .event = leak.block.made.event,
            .task = leak.block.made.task,
            .ticks = leak.block.made.ticks,
            .pc = leak.block.made.pc,
            .function = words.function,
            .file = words.file,
            .line = words.line,
            .object = words.object};
  }

  const Recording& recording_;
  const TreeProcess& tree_;
  u32 process_;
  Rows& rows_;
  Inheritance& inheritance_;
  Search search_;
  CallSet calls_;
  bool asked_ = false;
  bool is_unknown_ = false;  ///< runs its parent's program, whose blocks are not known
  u64 given_before_ = 0;     ///< blocks that its parent was given before the fork
  u32 program_ = 0;
  u64 brk_ = 0;
  std::shared_ptr<ErrorFinder> finder_;
  std::vector<Leak> leaks_;
  std::set<std::pair<std::string, u64>> seen_;  ///< mapped code, by path and address
  OddMemory odd_;
  std::map<u64, CodeWords> words_;  ///< by pc
};

class ErrorInquiry final : public Inquiry {
 public:
  ErrorInquiry(const Recording& recording, Rows& rows, Search search)
      : recording_(recording), rows_(rows), search_(search) {}
  std::unique_ptr<Watcher> watch(const TreeProcess& process) override {
    return std::make_unique<ErrorWatcher>(recording_, process, rows_, inheritance_, search_);
  }

 private:
  const Recording& recording_;
  Rows& rows_;
  Search search_;
  Inheritance inheritance_;
};

std::unique_ptr<Inquiry> inquire(const Recording& recording, Rows& rows) {
  return std::make_unique<ErrorInquiry>(recording, rows, Search::accesses);
}

std::unique_ptr<Inquiry> inquire_undefined(const Recording& recording, Rows& rows) {
  return std::make_unique<ErrorInquiry>(recording, rows, Search::undefined);
}

std::vector<db::TableDescription> tables() {
  return {db::describe(kChecked), db::describe(kMemoryError), db::describe(kLeak)};
}

std::vector<db::TableDescription> undefined_tables() { return {db::describe(kUndefinedValue)}; }

}  // namespace
}  // namespace errors

extern const Lens kErrorsLens;
const Lens kErrorsLens = {.name = "errors",
                          .version = 4,
                          .sentence = "Accesses of heap memory that no block has, wrong releases, and leaks.",
                          .tables = errors::tables,
                          .read = nullptr,
                          .watch = nullptr,
                          .inquire = errors::inquire,
                          .notes = machine::Notes::suspects};

extern const Lens kUndefinedLens;
const Lens kUndefinedLens = {.name = "undefined",
                             .version = 1,
                             .sentence = "Uses of values that nobody has given.",
                             .tables = errors::undefined_tables,
                             .read = nullptr,
                             .watch = nullptr,
                             .inquire = errors::inquire_undefined,
                             .notes = machine::Notes::undefined};

}  // namespace orrery::lens
