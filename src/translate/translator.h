// The translator: an Executor that runs guest code from a cache of translated blocks. It owns the
// blocks, their links and the shadow code table's entries; it asks the address space what changed and
// returns exits by value. It never calls the kernel or the host.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "base/hash_map.h"
#include "cpu/exit.h"
#include "memory/address_space.h"
#include "translate/access_noter.h"
#include "translate/access_stream.h"
#include "translate/block.h"
#include "translate/block_builder.h"
#include "translate/block_map.h"
#include "translate/breakpoints.h"
#include "translate/call_noter.h"
#include "translate/call_path.h"
#include "translate/definedness.h"
#include "translate/heap_watch.h"
#include "translate/looked_at_reads.h"
#include "translate/plain_moves.h"
#include "translate/stack_growth.h"
#include "translate/stretches.h"
#include "translate/watched_functions.h"
#include "x86/isa_table.h"

namespace orrery::translate {

/// Counters for `record --stats` and the tests.
struct Statistics {
  u64 blocks = 0, guest_bytes = 0, host_bytes = 0;
  u64 entries = 0, direct_exits = 0, indirect_misses = 0, invalidated = 0, revived = 0, stale = 0,
      flushes = 0;
};

/// How often the code of a page was stored into of late.
struct PagePatches {
  u32 count = 0;
  u64 since_tick = 0;
  bool patched = false;  ///< so often that its code checks itself
};

/// What registers of a task are undefined.
struct UndefinedTask {
  UndefinedBits bits;
  UndefinedBits kept;  ///< while it is in an allocator's function
  u64 rsp = 0;         ///< when it last ran
};

/// The instruction that a block begins with, which the engine looks at each time.
struct DecodedBegin {
  x86::Decoded decoded;
  x86::Accesses accesses;
  StackGrowth growth;
  std::vector<PlainMove> moves;  ///< that it begins with, if undefined values are noted
};

class Translator final : public cpu::Executor {
 public:
  struct Options {
    TickHome tick_home = TickHome::vector;
    x86::FeatureSet features;
    /// The guest may use what its cpuid hides if the processor has it: programs built for this very
    /// processor (-march=native) do not ask. See widen().
    bool may_widen = false;
    /// The profile fixes the results of rcpps and its kin: each is an exit.
    bool fixed_approximations = false;
    u64 hwcap2 = 0;               ///< of this host; only for widen()
    u64 vector_components = 0;    ///< the guest's XCR0
    bool always_checked = false;  ///< all code checks itself, as if every page were patched: for tests
  };
  /// The ranges of memory/layout.h (state, cells, shadow tables, cache) must be mapped already.
  Translator(memory::AddressSpace& space, const Options& options);
  ~Translator() { flush(); }  ///< leaves no entry in the shadow code table
  Translator(const Translator&) = delete;
  Translator& operator=(const Translator&) = delete;

  cpu::Exit run(cpu::CpuState& cpu, const cpu::RunLimits& limits) override;

  /// Executes exactly one instruction, without keeping or watching what it translates: for a store into
  /// the page that the store itself lies in. Other exits as run().
  cpu::Exit run_one_instruction(cpu::CpuState& cpu);

  // --- breakpoints: run() stops before the instruction at each. Not while it runs. ---

  void add_breakpoints(std::span<const u64> addresses);
  void remove_breakpoints(std::span<const u64> addresses);
  const Breakpoints& breakpoints() const { return breakpoints_; }

  // --- counting (counts.h). Not while it runs. ---

  /// From here on, from zero, or no more. What was translated is made anew.
  void count_instructions(bool wanted);
  bool counts_instructions() const { return counts_; }
  /// Done since counting began, by all tasks; 0 if none are counted.
  u64 instructions() const;
  /// What left for the engine to be performed was not: it faulted, or has still to be done.
  void take_back_instruction(cpu::CpuState& cpu);

  // --- notes of memory accesses (access_stream.h) or of calls (call_stream.h). Not while it runs. ---

  enum class Noted : u8 {
    nothing,
    accesses,
    accesses_and_entries,  ///< with the values at watched functions
    calls,
    watched_calls,  ///< those that lead to watched functions
    profile,
    suspects,   ///< accesses that tests have found, and allocators' calls (suspects.cc)
    undefined,  ///< uses of undefined values, and allocators' calls (undefined.cc)
  };
  /// From here on, into `stream`, behind which kNotesGuardBytes cannot be written. What was translated is
  /// made anew. When no room is left run() returns ExitKind::notes_full.
  void note(Noted what, std::span<u64> stream);
  bool notes_accesses() const { return noted_ == Noted::accesses || noted_ == Noted::accesses_and_entries; }
  bool notes_calls() const { return noted_ == Noted::calls || noted_ == Noted::watched_calls; }
  bool notes_profile() const { return noted_ == Noted::profile; }
  /// Whether accesses are tested.
  bool notes_suspects() const { return noted_ == Noted::suspects || notes_undefined(); }
  bool notes_undefined() const { return noted_ == Noted::undefined; }
  bool notes_entries() const {
    return notes_calls() || notes_profile() || noted_ == Noted::accesses_and_entries || notes_suspects();
  }
  /// The next notes go here.
  void note_into(std::span<u64> stream);
  /// The functions whose entries are noted beside the calls, or the accesses.
  /// `words`: those of WatchedFunction.
  void watch_functions(std::span<const u64> words) { drop_blocks_at(watched_.add(words)); }
  void watch_no_function();
  /// What was noted since it was forgotten.
  std::span<const u64> noted() const;
  void forget_noted() { slots().notes_at = reinterpret_cast<u64>(stream_.data()); }
  std::span<const AccessPoint> access_points() const { return points_; }
  /// Whether there is room for a run of one instruction and what the engine adds itself.
  bool has_room_for_notes() const;
  void note_turn(i32 task, u64 event, u64 ticks);
  /// Where the run stops: all calls that the running task is in, as at the entry of a watched function. So a
  /// reader knows it, and which functions are over whose returns are not noted. False if there is no room,
  /// which is to be asked for again.
  bool note_stop();
  /// Dropped, and that is told by false, if there is no room.
  bool note_engine(const Access& access);

  // --- suspects: note(Noted::suspects), with the shadow of heap_watch.h mapped and told of memory. ---

  HeapWatch& heap() { return heap_; }
  void watch_allocators(std::span<const AllocatorEntry> functions);

  // --- undefined values: note(Noted::undefined), with the same shadow mapped. ---

  DefinedShadow& defined() { return defined_; }
  /// The engine reads memory for a system call of the instruction at `pc`, or writes it.
  void engine_reads(u64 address, u64 size_bytes, u64 pc);

  // --- a profile (stretches.h, profile_stream.h): note(Noted::profile), with instructions counted. ---

  const StretchTable& stretches() const { return stretches_; }
  /// All counts are zero again.
  void forget_counts() { stretches_.forget_counts(); }
  /// The table begins anew; what was translated is made anew.
  void clear_stretches();

  // --- for the host's signal handlers (async-signal context; nothing here allocates) ---

  /// Whether a host pc is emitted code.
  static bool owns(u64 host_pc);
  /// Host general registers as the signal frame has them, in cpu::Gpr order.
  struct HostFrame {
    u64 gpr[cpu::kGprCount];
    u64 rip, rflags;
  };
  enum class FaultKind : u8 {
    guest,          ///< slots hold the guest's registers and pc; resume at exit_from_signal
    missing_entry,  ///< an indirect jump to where no table is; resume at resume_miss
    not_ours,
  };
  /// Lifts a synchronous fault's registers into the slots.
  FaultKind lift_fault(const HostFrame& frame) const;
  /// Whether a host pc is on the way into guest code, with all guest registers still in the slots.
  static bool enters(u64 host_pc);
  /// Whether a host pc is on the way out: run() gets control by itself.
  static bool in_exit_path(u64 host_pc);
  /// Gives that way up; resume at resume_after_fault().
  static void abandon_entry();
  /// Whether `host_pc` is the start of a block, where the guest's registers are the host's: then lifts them.
  bool lift_block_start(const HostFrame& frame) const;
  static u64 resume_after_fault();
  static u64 resume_miss();

  const Statistics& statistics() const { return statistics_; }
  /// The guest has used an instruction its profile hides; it may now use the whole vector state.
  bool widened() const { return widened_; }

 private:
  /// Two may have the same, so what is found by it is to be looked at.
  static constexpr u64 key(u64 pc, Variant variant, CodeKind kind) {
    constexpr u64 kSpread = 0x9e37'79b9'7f4a'7000;
    return (pc * 2 + static_cast<u64>(variant)) ^ kind * kSpread;
  }
  void load(const cpu::CpuState& cpu, const cpu::RunLimits& limits);
  void store(cpu::CpuState& cpu);
  BuildOptions build_options();
  struct Turn;
  void stop_after_next_tick();
  bool note_chosen(BlockIndex index, bool past_breakpoint);
  bool borrows() const { return notes_accesses() || notes_suspects(); }
  bool begins_for_engine(BlockIndex index) const;
  bool look_at_begin(const Block& block, bool chosen);
  void look_at_load(const PlainMove& move);
  void note_allocator(AccessHeader header, std::span<const u64> words);
  void chosen_accesses_at(const Block& block, std::vector<Access>& out) const;
  bool note_suspect(const Access& access);
  std::optional<cpu::Exit> look_at_suspects(cpu::CpuState& cpu, cpu::RunLimits& limits);
  void look_at_allocators(const cpu::Registers& regs);
  void define_at_begin(const DecodedBegin& begin, std::span<const u8> bytes, std::vector<Access>& accesses);
  CodeKind code_kind() const;
  CodeKind code_kind_or_new();
  void left_code(CodeKind kind, bool stepped, ExitCode code);
  bool step_undefined(BlockIndex index);
  bool step_moves(std::span<const PlainMove> moves);
  void take_back_moves(BlockIndex index);
  void note_read(u64 pc, bool undefined);
  bool fits_looked_at(const Block& block) const;
  void check_arguments(const cpu::Registers& regs);
  void note_use(u64 pc, UndefinedUse use);
  void begin_undefined_run(const cpu::CpuState& cpu);
  void switch_undefined(i32 task);
  cpu::Registers with_segments(const cpu::Registers& regs) const;
  void put_record(u64 header, std::span<const u64> words);
  void count_cut_off(ExitCode code);
  bool note_path();
  bool mend_path(ExitCode code, ExitIndex exit);
  bool make_path_room();
  void lift_notes(const BlockNotes& notes, const Block& block, const InstructionMark& mark) const;
  void widen();
  BlockIndex next_block(const Turn& turn, Variant variant, CodeKind kind);
  u64 enter(BlockIndex block, bool past_breakpoint);
  cpu::Exit out_of_room(cpu::CpuState& cpu);
  cpu::Exit finish(cpu::CpuState& cpu, ExitCode code, ExitIndex index);
  std::optional<cpu::Exit> refuse_target(cpu::CpuState& cpu);
  void take_back_transfer(u64 pc, u8 bytes);
  BlockIndex find(u64 pc, Variant variant, CodeKind kind) const;
  BlockIndex& recent(u64 pc, CodeKind kind);
  BlockIndex find_or_build(u64 pc, Variant variant, CodeKind kind);
  BlockIndex build(u64 pc, const BuildOptions& options, bool keep);
  void keep(BlockIndex index);
  void list_in_pages(BlockIndex index);
  BlockIndex revive(const Block& wanted, BlockIndex newest);
  bool still_reads(const Block& block) const;
  bool fits_breakpoints(const Block& block) const;
  bool fits_watched(const Block& block) const;
  void drop_blocks_at(std::span<const u64> addresses);
  bool may_link(const BlockExit& exit, const Block& to) const;
  void link(ExitIndex exit, BlockIndex target);
  void unlink_incoming(Block& block);
  bool has_entry(u64 pc) const;
  u32 cell_of(u64 pc);
  void give_cell(BlockIndex index);
  void give_target(BlockIndex index);
  void drop(BlockIndex index);
  bool drop_page(u64 page);
  void drop_range(const memory::CodeChange& change);
  void changed_page(u64 page, memory::CodeChange::Cause cause);
  bool is_patched(u64 page) const;
  void replace_stale(ExitIndex exit);
  void calm_patched_pages();
  void apply_changes();
  void flush();
  const Block* block_at(u64 host_pc) const;
  cpu::Exit fetch_fault(u64 pc) const;
  cpu::Exit leave(ExitCode code, const BlockExit& exit) const;

  memory::AddressSpace& space_;
  Options options_;
  BlockBuilder builder_;
  std::vector<Block> blocks_;
  std::vector<BlockExit> exits_;
  std::vector<InstructionMark> marks_;
  std::vector<u8> source_;
  u32 dead_ = 0;                  ///< blocks that are not live
  IndexMap by_pc_;                ///< the newest block, live or not
  IndexMap by_page_;              ///< first block of a page's list
  HashMap<PagePatches> patches_;  ///< by page
  u32 patched_pages_ = 0;         ///< those whose code checks itself
  u64 last_stale_tick_ = 0;
  u32 cache_used_ = 0;
  u32 cells_used_ = 1;         ///< cell 0 is "no code yet"
  std::vector<u64> cell_pcs_;  ///< whose table entry each cell stands in
  u64 seen_version_ = 0;
  bool widened_ = false;
  Breakpoints breakpoints_;
  bool counts_ = false;
  u64 seen_instructions_ = 0;  ///< those that tasks have been given their part of
  Noted noted_ = Noted::nothing;
  std::span<u64> stream_;  ///< of notes; empty if none are made
  WatchedFunctions watched_;
  StretchTable stretches_;
  CallPaths paths_;
  std::vector<AccessPoint> points_;
  std::vector<BlockNotes> notes_;  ///< by block, if notes or tests are made
  HeapWatch heap_;
  DefinedShadow defined_;
  UndefinedTask undefined_;              ///< of the task that runs
  HashMap<UndefinedTask> undefined_of_;  ///< of the others
  TaintedSets sets_;
  TaintedTargets targets_;  ///< if undefined values are noted
  LookedAtReads looked_at_;
  std::vector<DecodedBegin> decoded_;  ///< by Block::step and Block::begin
  u64 undefined_read_at_ = 0;          ///< the instruction there, which is next, reads something undefined
  /// Blocks that were found lately: what is undefined keeps the same few going through the engine.
  std::array<BlockIndex, 4096> recent_{};
  OverwrittenBits overwritten_;  ///< by the moves that are done together
  bool stepped_ = false;         ///< the engine has looked at the next instruction already
  cpu::VectorImage vectors_;     ///< for step_undefined()
  i32 task_ = 0;                 ///< that runs, if suspects are noted, and its instant
  u64 event_ = 0;
  Statistics statistics_;
};

}  // namespace orrery::translate
