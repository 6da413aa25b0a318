// What the dynamic linker did: where it looked for libraries, what it loaded, and which symbol it bound to
// what. Read from its system calls, its link map and the slots themselves: those of an object are read when
// it appears in the list and again when it has been relocated, which its RELRO part's mprotect tells, or the
// start of the program. A lazy binding is seen at the resolver, to which the third word of .got.plt leads.
#include <elf.h>
#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <tuple>

#include "base/base_name.h"
#include "lens/lens.h"
#include "lens/load/link_rows.h"
#include "lens/load/link_troubles.h"
#include "lens/load/loaded_objects.h"
#include "lens/load/lookups.h"
#include "lens/load/resolver.h"
#include "lens/load/search_rules.h"
#include "lens/load/static_choices.h"
#include "lens/load/writable_slots.h"
#include "linux/error_names.h"

namespace orrery::lens::load {
namespace {

/// An object and what its slots held when it was new.
struct Seen {
  LoadedObject object;
  ObjectRow row;
  std::vector<u64> before;     ///< as ObjectFile::relocations()
  std::vector<bool> is_bound;  ///< a row has been written
  bool relocated = false;
  bool failed = false;     ///< the run ended before it was
  bool inherited = false;  ///< the parent loaded it
};

class Linking {
 public:
  /// The session stands before the first instruction of a program, which `stack` is of.
  Linking(u32 process, u32 program, Rows& rows, ReplaySession& session, StartStack stack)
      : process_(process),
        program_(program),
        rows_(rows),
        stack_(std::move(stack)),
        objects_(session, stack_),
        rules_(stack_) {
    if (ObjectFile* file = objects_.program_file()) start_ = objects_.program_base() + file->entry();
    if (!objects_.is_dynamic()) return;
    wanted_.insert(start_);
    ++changes_;
    // musl makes its list known when all is relocated.
    for (const auto& [file, base] : {std::pair(objects_.program_file(), objects_.program_base()),
                                     std::pair(objects_.linker_file(), objects_.linker_base())})
      if (file != nullptr) read_before_[base] = slot_values(session, *file, base);
  }

  /// The session stands behind a fork instead: what is there was loaded by the parent.
  void inherit(ReplaySession& session, const Instant& now) {
    start_ = 0;
    look(session, now);
    for (Seen& seen : seen_) {
      seen.relocated = seen.inherited = true;
      if (!seen.object.file) continue;
      const auto resolver = find_resolver(session, seen.object);
      if (resolver) want_resolver(session, *resolver);
    }
  }

  bool is_dynamic() const { return objects_.is_dynamic(); }
  /// Addresses to stop at.
  std::set<u64> wanted() const {
    std::set<u64> all = wanted_;
    all.insert(lookups_.wanted().begin(), lookups_.wanted().end());
    return all;
  }
  /// Grows with every change of `wanted`.
  u64 changes() const { return changes_ + lookups_.wanted().size(); }

  void enter(ReplaySession& session, const WalkedCall& walked) {
    if (!is_linkers(session)) return;
    const bool protects = walked.call.name == "mprotect";
    if (protects || walked.call.name == "arch_prctl" || walked.call.name == "munmap")
      look(session, walked.entry);
    if (protects) note_relro(session, walked);
  }

  void leave(ReplaySession& session, const WalkedCall& walked) {
    if (!is_linkers(session)) return;
    const Call& call = walked.call;
    if (call.name == "openat" || call.name == "open") note_search(session, walked);
    if (call.name == "mmap") note_mapping(session, call);
    if (call.name == "munmap" && !call.failed()) note_unloaded(call, walked.exit);
    if (call.name != "close") return;
    read_mapped(session);
    look(session, walked.exit);
  }

  void reach(ReplaySession& session, u64 pc, const Instant& now) {
    if (pc == start_) {
      look(session, now);
      for (Seen& seen : seen_) relocate(session, seen, now);
      changes_ += wanted_.erase(start_);
    } else if (resolvers_.contains(pc)) {
      begin_lazy(session, now);
    } else if (std::vector<Lazy>& lazy = lazy_[now.task]; ends_.contains(pc) && !lazy.empty()) {
      end_lazy(session, lazy.back(), now);
      lazy.pop_back();
    } else if (lookups_.wanted().contains(pc)) {
      auto row = lookups_.reach(session, pc, now, objects_, callers_);
      if (!row) return;
      row->process = process_;
      row->program = program_;
      rows_.add(kLookup, *row);
    }
  }

  void end(ReplaySession& session, const Instant& now) {
    look(session, now);
    const bool has_started = start_ == 0 || !wanted_.contains(start_);
    for (Seen& seen : seen_) {
      seen.failed = !has_started && !seen.relocated && seen.object.file;
      if (has_started) relocate(session, seen, now);
    }
    finish();
  }

  /// The program is over, and its memory may be another one's.
  void finish() {
    for (Seen& seen : seen_) {
      if (seen.inherited) continue;
      note_unbound(seen);
      rows_.add(kObject, seen.row);
      if (!seen.object.file || seen.failed) continue;
      for (const WritableRow& each : find_writable(seen.object, seen.row)) rows_.add(kWritable, each);
    }
    note_interpositions();
    note_troubles();
  }

 private:
  bool is_linkers(ReplaySession& session) const {
    const u64 at = session.registers().rip - objects_.linker_base();
    return objects_.linker_file() != nullptr && at < objects_.linker_file()->end_address();
  }

  // --- searches ---

  void note_mapping(ReplaySession& session, const Call& call) {
    const elf::MappedRegion* region =
        call.failed() ? nullptr : session.find_region(static_cast<u64>(call.result));
    if (region == nullptr || region->kept_file.empty()) return;
    if (!region->path.ends_with("/ld.so.cache")) {
      if (!mapped_at_) mapped_at_ = region->start;
      return;
    }
    auto file = file::MappedFile::open(region->kept_file);
    if (!file) return;
    cache_.emplace(file.take());
    rules_.set_cache(cache_->bytes());
  }

  void note_search(ReplaySession& session, const WalkedCall& walked) {
    const Call& call = walked.call;
    if (call.path.ends_with("/ld.so.cache") || call.path.ends_with("/ld.so.preload")) return;
    objects_.refresh(session);
    const SearchRule rule = rules_.rule_of(call.path, objects_.all());
    SearchRow row{.process = process_,
                  .program = program_,
                  .number = searches_++,
                  .name = std::string(base_name(call.path)),
                  .path = call.path,
                  .rule = rule.name};
    if (rule.asker != nullptr) row.needed_by = rule.asker->path;
    row.found = !call.failed();
    if (call.failed()) {
      const abi::ErrorName* error = abi::find_error(call.error());
      row.error = error != nullptr ? std::string(error->text) : std::to_string(call.error());
    }
    row.event = walked.entry.event;
    row.ticks = walked.entry.ticks;
    row.time_ns = walked.entry.time_ns;
    rows_.add(kSearch, row);
    tried_.push_back(row);
    if (row.found) found_[call.path] = {row.rule, row.needed_by};
  }

  // --- objects ---

  /// The segments of a file are mapped, and it is not in the linker's list yet: dlopen puts it there and
  /// relocates it without another system call. So its slots are read now.
  void read_mapped(ReplaySession& session) {
    if (!mapped_at_) return;
    const elf::MappedRegion* region = session.find_region(*mapped_at_);
    const auto file = region != nullptr ? ObjectFile::open(region->kept_file) : nullptr;
    if (file) {
      const u64 base = *mapped_at_ - page_floor(file->first_address());
      read_before_[base] = slot_values(session, *file, base);
    }
    mapped_at_.reset();
  }

  static std::vector<u64> slot_values(ReplaySession& session, ObjectFile& file, u64 base) {
    std::vector<u64> values;
    for (const ObjectRelocation& relocation : file.relocations()) {
      values.push_back(0);
      session.read_value(base + relocation.address, values.back());
    }
    return values;
  }

  /// Looks for objects that are new in the linker's list.
  void look(ReplaySession& session, const Instant& now) {
    objects_.refresh(session);
    for (const LoadedObject& object : objects_.all()) {
      const bool is_known = std::any_of(seen_.begin(), seen_.end(), [&](const Seen& each) {
        return each.object.link_map == object.link_map && each.object.base == object.base &&
               !each.row.end_event;
      });
      if (!is_known) add(session, object, now);
    }
  }

  void add(ReplaySession& session, const LoadedObject& object, const Instant& now) {
    Seen& seen = seen_.emplace_back();
    seen.object = object;
    seen.row = {.process = process_,
                .program = program_,
                .object = static_cast<u32>(seen_.size() - 1),
                .name_space = object.name_space,
                .path = object.path};
    seen.row.base = object.base;
    seen.row.start = object.start();
    seen.row.end = object.end();
    seen.row.event = now.event;
    seen.row.ticks = now.ticks;
    seen.row.time_ns = now.time_ns;
    if (const auto found = found_.find(object.path); found != found_.end())
      std::tie(seen.row.rule, seen.row.needed_by) = found->second;
    if (!object.file) return;
    ObjectFile& file = *object.file;
    seen.row.xxh64 = file.content_hash();
    if (const auto files = file.path().rfind("/files/"); files != std::string::npos)
      seen.row.content = file.path().substr(files + 1);
    if (!file.soname().empty()) seen.row.soname = file.soname();
    if (file.relro_end() != 0) {
      seen.row.relro_start = object.base + file.relro_start();
      seen.row.relro_end = object.base + file.relro_end();
    }
    seen.row.binds_now = file.binds_now();
    seen.row.relative_relocations = file.relative_count();
    const auto known = read_before_.extract(object.base);
    const bool is_known = known && known.mapped().size() == file.relocations().size();
    seen.before = is_known ? known.mapped() : slot_values(session, file, object.base);
    seen.is_bound.resize(seen.before.size());
    lookups_.add(object);
    if (!seen.row.relro_start) return;
    if (const auto instant = protected_.extract(page_floor(*seen.row.relro_start)))
      note_relro(seen, instant.mapped());
  }

  /// The linker gives back an object's memory when nothing needs it any more (dlclose).
  void note_unloaded(const Call& call, const Instant& now) {
    for (Seen& seen : seen_) {
      const u64 start = page_floor(seen.row.start);
      const bool is_gone = start >= call.arguments[0] && start - call.arguments[0] < call.arguments[1];
      if (!is_gone || seen.row.end_event || !seen.object.file) continue;
      seen.row.end_event = now.event;
      seen.row.end_ticks = now.ticks;
      seen.row.end_ns = now.time_ns;
    }
  }

  static u64 slot_value(ReplaySession& session, const LoadedObject& object,
                        const ObjectRelocation& relocation) {
    u64 value = 0;
    session.read_value(object.base + relocation.address, value);
    return value;
  }

  void note_relro(ReplaySession& session, const WalkedCall& walked) {
    const u64 address = walked.call.arguments[0];
    protected_[address] = walked.entry;
    for (Seen& seen : seen_) {
      if (!seen.row.relro_start || page_floor(*seen.row.relro_start) != address) continue;
      protected_.erase(address);
      note_relro(seen, walked.entry);
      relocate(session, seen, walked.entry);
    }
  }

  static void note_relro(Seen& seen, const Instant& now) {
    seen.row.relro_event = now.event;
    seen.row.relro_ticks = now.ticks;
    seen.row.relro_ns = now.time_ns;
  }

  // --- bindings ---

  /// The object has been relocated: reads its slots again.
  void relocate(ReplaySession& session, Seen& seen, const Instant& now) {
    if (seen.relocated || !seen.object.file) return;
    seen.relocated = true;
    const auto& relocations = seen.object.file->relocations();
    const auto resolver = find_resolver(session, seen.object);
    if (resolver) want_resolver(session, *resolver);
    for (std::size_t at = 0; at < relocations.size(); ++at) {
      const u64 after = slot_value(session, seen.object, relocations[at]);
      // A lazy slot leads back into its own PLT, where the file says, until the first call.
      const bool is_lazy = relocations[at].type == R_X86_64_JUMP_SLOT && resolver &&
                           after == seen.before[at] + seen.object.base;
      if (is_lazy) continue;
      BindingRow row = binding_of(seen, at, now);
      row.after = after;
      bind(seen, at, row);
    }
  }

  void want_resolver(ReplaySession& session, u64 resolver) {
    if (!resolvers_.insert(resolver).second) return;
    const auto end = find_resolver_end(session, resolver);
    ++changes_;
    wanted_.insert(resolver);
    if (!end) return;
    wanted_.insert(*end);
    ends_.insert(*end);
  }

  BindingRow binding_of(const Seen& seen, std::size_t at, const Instant& now) const {
    const ObjectRelocation& relocation = seen.object.file->relocations()[at];
    BindingRow row{.process = process_,
                   .program = program_,
                   .object = seen.object.path,
                   .symbol = std::string(relocation.symbol),
                   .kind = kind_of(relocation)};
    if (!relocation.version.empty()) row.version = relocation.version;
    row.slot = seen.object.base + relocation.address;
    row.before = seen.before[at];
    row.event = now.event;
    row.ticks = now.ticks;
    row.time_ns = now.time_ns;
    row.writable = !is_in_relro(seen.row, row.slot);
    return row;
  }

  static const char* kind_of(const ObjectRelocation& relocation) {
    switch (relocation.type) {
      case R_X86_64_COPY:
        return "copy";
      case R_X86_64_IRELATIVE:
        return "ifunc";
      case R_X86_64_DTPMOD64:
      case R_X86_64_DTPOFF64:
      case R_X86_64_TPOFF64:
      case R_X86_64_TLSDESC:
        return "tls";
      case R_X86_64_JUMP_SLOT:
      case R_X86_64_GLOB_DAT:
        return "eager";
      default:
        return "data";
    }
  }

  /// Writes the row down, with who provides the symbol.
  void bind(Seen& seen, std::size_t at, BindingRow& row) {
    seen.is_bound[at] = true;
    const LoadedObject* provider = provider_of(seen, row);
    if (provider != nullptr) {
      row.provider = provider->path;
      const Definition* definition = provider->file ? provider->file->find_definition(row.symbol) : nullptr;
      if (definition != nullptr && definition->type == STT_GNU_IFUNC)
        row.kind = row.kind == "lazy" ? "lazy" : "ifunc";
      if (row.kind == "ifunc" && provider->file && row.after)
        row.implementation = implementation_at(*provider, *row.after);
      if (!row.symbol.empty() && row.kind != "copy")
        ++won_[{row.symbol, provider->path, seen.object.name_space}];
    }
    rows_.add(kBinding, row);
  }

  static std::optional<std::string> implementation_at(const LoadedObject& provider, u64 address) {
    const std::string_view name = provider.file->function_at(address - provider.base);
    return name.empty() ? std::nullopt : std::optional<std::string>(name);
  }

  /// Of an address, who holds it; of a copy or a thread-local symbol, the first who defines it.
  const LoadedObject* provider_of(const Seen& seen, const BindingRow& row) const {
    if (row.kind != "copy" && row.kind != "tls")
      return row.after && *row.after != 0 ? objects_.find(*row.after) : nullptr;
    if (row.symbol.empty()) return &seen.object;
    for (const LoadedObject& object : objects_.all()) {
      const bool is_itself = row.kind == "copy" && object.link_map == seen.object.link_map;
      if (object.name_space != seen.object.name_space || is_itself || !object.file) continue;
      if (object.file->find_definition(row.symbol) != nullptr) return &object;
    }
    return nullptr;
  }

  struct Lazy {
    std::size_t seen = 0, relocation = 0;
    u64 before = 0, return_address = 0, ticks = 0, stack = 0;
  };

  void begin_lazy(ReplaySession& session, const Instant& now) {
    const auto call = read_lazy_call(session);
    if (!call) return;
    const u64 stack = session.registers().gpr[elf::kRspIndex];
    std::vector<Lazy>& under_way = lazy_[now.task];
    // The linker leaves by longjmp where it fails: what lay deeper is gone.
    while (!under_way.empty() && under_way.back().stack <= stack) under_way.pop_back();
    for (std::size_t seen = 0; seen < seen_.size(); ++seen) {
      const Seen& each = seen_[seen];
      if (each.object.link_map != call->link_map || !each.object.file) continue;
      const auto& relocations = each.object.file->relocations();
      for (std::size_t at = 0; at < relocations.size(); ++at)
        if (relocations[at].is_plt && relocations[at].index == call->index)
          under_way.push_back({seen, at, slot_value(session, each.object, relocations[at]),
                               call->return_address, now.ticks, stack});
    }
  }

  void end_lazy(ReplaySession& session, const Lazy& lazy, const Instant& now) {
    Seen& seen = seen_[lazy.seen];
    BindingRow row = binding_of(seen, lazy.relocation, now);
    row.kind = "lazy";
    row.before = lazy.before;
    row.after = slot_value(session, seen.object, seen.object.file->relocations()[lazy.relocation]);
    row.cost_ticks = now.ticks - lazy.ticks;
    row.caller = lazy.return_address;
    Caller caller = callers_.find(session, lazy.return_address);
    row.caller_function = std::move(caller.function);
    row.caller_line = std::move(caller.line);
    bind(seen, lazy.relocation, row);
  }

  void note_unbound(Seen& seen) {
    if (!seen.relocated) return;
    for (std::size_t at = 0; at < seen.is_bound.size(); ++at) {
      if (seen.is_bound[at]) continue;
      BindingRow row = binding_of(seen, at, {});
      row.kind = "lazy";
      row.event = row.ticks = row.time_ns = std::nullopt;
      rows_.add(kBinding, row);
    }
  }

  bool defines(const std::string& path, const std::string& symbol) const {
    return std::any_of(seen_.begin(), seen_.end(), [&](const Seen& each) {
      return each.object.path == path && each.object.file &&
             each.object.file->find_definition(symbol) != nullptr;
    });
  }

  void note_interpositions() {
    for (const auto& [what, bindings] : won_) {
      const auto& [symbol, winner, name_space] = what;
      if (!defines(winner, symbol)) continue;  // only its PLT entry stands for the symbol
      for (const Seen& seen : seen_) {
        const bool is_other =
            seen.object.path != winner && seen.object.name_space == name_space && seen.object.file;
        if (is_other && seen.object.file->find_definition(symbol) != nullptr)
          interpositions_.push_back({process_, program_, symbol, winner, seen.object.path, bindings});
      }
    }
  }

  void note_troubles() {
    for (const InterpositionRow& row : interpositions_) rows_.add(kInterposition, row);
    const std::span<const u8> cache = cache_ ? cache_->bytes() : std::span<const u8>();
    const std::vector<Trouble> libraries = find_missing_libraries(tried_, objects_.all());
    for (const auto& some :
         {libraries, find_missing_versions(objects_.all()), find_missing_symbols(libraries),
          find_shadowed(tried_, cache), find_interposed_allocator(interpositions_)})
      for (const Trouble& trouble : some)
        rows_.add(kTrouble, TroubleRow{process_, program_, trouble.kind, trouble.subject, trouble.words});
  }

  /// What the linker could not bind: of an object that it did not finish, or at a first call that it did not
  /// return from. `libraries`: those that are missing.
  std::vector<Trouble> find_missing_symbols(const std::vector<Trouble>& libraries) const {
    std::vector<Trouble> troubles;
    const auto add = [&](const Seen& seen, const ObjectRelocation& relocation, const char* when) {
      if (relocation.is_weak || relocation.symbol.empty() || is_defined(objects_.all(), relocation.symbol))
        return;
      const std::string symbol(relocation.symbol);
      const bool is_known = std::any_of(troubles.begin(), troubles.end(),
                                        [&](const Trouble& each) { return each.subject == symbol; });
      if (!is_known)
        troubles.push_back({"missing symbol", symbol,
                            seen.object.path + " uses it" + when + ", and no loaded object defines it"});
    };
    for (const auto& [task, under_way] : lazy_)
      for (const Lazy& lazy : under_way)
        add(seen_[lazy.seen], seen_[lazy.seen].object.file->relocations()[lazy.relocation], " (first call)");
    // Without all libraries nothing is relocated: what they would have defined is not what is missing.
    const bool began =
        std::none_of(libraries.begin(), libraries.end(), [](const Trouble& each) { return each.is_fatal; });
    for (const Seen& seen : seen_) {
      if (!seen.failed || !began) continue;
      for (const ObjectRelocation& relocation : seen.object.file->relocations()) add(seen, relocation, "");
    }
    return troubles;
  }

  u32 process_, program_;
  Rows& rows_;
  StartStack stack_;
  LoadedObjects objects_;
  SearchRules rules_;
  std::optional<file::MappedFile> cache_;
  std::map<std::string, std::pair<std::optional<std::string>, std::optional<std::string>>> found_;
  std::optional<u64> mapped_at_;                 ///< where the file that is being mapped begins
  std::map<u64, std::vector<u64>> read_before_;  ///< slots of mapped files, by base
  std::map<u64, Instant> protected_;  ///< by address: made read-only by the linker, and of no known object
  std::vector<Seen> seen_;
  std::map<std::tuple<std::string, std::string, int>, u64>
      won_;  ///< bindings by symbol, provider and namespace
  std::vector<SearchRow> tried_;
  std::vector<InterpositionRow> interpositions_;
  std::set<u64> wanted_, resolvers_, ends_;
  Lookups lookups_;
  Callers callers_;
  std::map<i32, std::vector<Lazy>> lazy_;  ///< by task, innermost last: the linker calls through PLTs too
  u64 start_ = 0, searches_ = 0, changes_ = 0;
};

/// How the programs began that the processes run, for children that go on with their parent's.
class Beginnings {
 public:
  void add(u32 process, u64 event, const StartStack& stack) {
    const std::lock_guard lock(mutex_);
    begun_[process].emplace_back(event, stack);
  }
  /// The program that a process ran when its next event was this one.
  std::optional<StartStack> find(u32 process, u64 event) {
    const std::lock_guard lock(mutex_);
    std::optional<StartStack> found;
    for (const auto& [begin, stack] : begun_[process])
      if (begin <= event) found = stack;
    return found;
  }

 private:
  std::mutex mutex_;
  std::map<u32, std::vector<std::pair<u64, StartStack>>> begun_;
};

class LinkWatcher final : public Watcher {
 public:
  LinkWatcher(const TreeProcess& process, Beginnings& beginnings, Rows& rows)
      : process_(process), beginnings_(beginnings), rows_(rows) {}

  void begin(ReplaySession& session, const Instant& now) override {
    if (process_.parent) return inherit(session, now);
    begin_program(session, now);
  }
  void enter(ReplaySession& session, const WalkedCall& walked) override {
    if (linking_) linking_->enter(session, walked);
    if (choices_) choices_->settle(session);
    update();
  }
  void leave(ReplaySession& session, const WalkedCall& walked) override {
    if (walked.replaced_program()) return begin_program(session, walked.exit);
    if (linking_) linking_->leave(session, walked);
    update();
  }
  void reach(ReplaySession& session, u64 pc, const Instant& now) override {
    if (linking_ && breakpoints().contains(pc)) linking_->reach(session, pc, now);
    if (choices_ && breakpoints().contains(pc)) choices_->reach(session, pc, now);
    update();
  }
  void end(ReplaySession& session, const Instant& now) override {
    if (linking_) linking_->end(session, now);
    if (choices_) choices_->settle(session);
  }

 private:
  void begin_program(ReplaySession& session, const Instant& now) {
    if (linking_) linking_->finish();
    break_nowhere();
    changes_seen_ = 0;
    choices_.reset();
    const StartStack stack = read_start_stack(session);
    beginnings_.add(process_.process, now.event, stack);
    linking_.emplace(process_.process, programs_++, rows_, session, stack);
    if (linking_->is_dynamic()) return;
    linking_.reset();
    choices_.emplace(process_.process, programs_ - 1, rows_, session, stack);
    for (const u64 resolver : choices_->resolvers()) break_at(resolver);
  }

  /// Most children execute another program at once: only of others it is followed what they link themselves.
  void inherit(ReplaySession& session, const Instant& now) {
    const auto stack = beginnings_.find(*process_.parent, process_.fork_event.value_or(~u64{0}));
    if (!stack) return;
    beginnings_.add(process_.process, now.event, *stack);
    if (process_.executed) return;
    linking_.emplace(process_.process, programs_++, rows_, session, *stack);
    if (!linking_->is_dynamic()) return linking_.reset();
    linking_->inherit(session, now);
    update();
  }

  void update() {
    if (choices_) {
      for (const u64 address : choices_->returns()) break_at(address);
      if (choices_->is_done() && !breakpoints().empty()) break_nowhere();
    }
    if (!linking_ || linking_->changes() == changes_seen_) return;
    changes_seen_ = linking_->changes();
    break_nowhere();
    for (const u64 address : linking_->wanted()) break_at(address);
  }

  const TreeProcess& process_;
  Beginnings& beginnings_;
  Rows& rows_;
  u32 programs_ = 0;
  u64 changes_seen_ = 0;
  std::optional<Linking> linking_;
  std::optional<StaticChoices> choices_;  ///< of a program that the dynamic linker has no part in
};

class LinkInquiry final : public Inquiry {
 public:
  explicit LinkInquiry(Rows& rows) : rows_(rows) {}
  std::unique_ptr<Watcher> watch(const TreeProcess& process) override {
    return std::make_unique<LinkWatcher>(process, beginnings_, rows_);
  }

 private:
  Rows& rows_;
  Beginnings beginnings_;
};

std::unique_ptr<Inquiry> inquire(const Recording&, Rows& rows) { return std::make_unique<LinkInquiry>(rows); }

std::vector<db::TableDescription> tables() {
  return {db::describe(kObject), db::describe(kSearch),   db::describe(kBinding),
          db::describe(kLookup), db::describe(kWritable), db::describe(kInterposition),
          db::describe(kTrouble)};
}

}  // namespace
}  // namespace orrery::lens::load

namespace orrery::lens {

extern const Lens kLinkLens;
const Lens kLinkLens = {.name = "link",
                        .version = 5,
                        .sentence = "What the dynamic linker searched, loaded and bound.",
                        .tables = load::tables,
                        .read = nullptr,
                        .watch = nullptr,
                        .inquire = load::inquire};

}  // namespace orrery::lens
