// Translates one block: discovers guest instructions from a pc on, copies or rewrites each, and ends at
// the first unconditional transfer (or at a limit). Pure with respect to the machine: bytes in, bytes
// and marks and exits out; linking and look-ups are the Translator's.
#pragma once

#include <span>
#include <vector>

#include "base/types.h"
#include "memory/address_space.h"
#include "translate/access_noter.h"
#include "translate/access_tester.h"
#include "translate/block.h"
#include "translate/breakpoints.h"
#include "translate/call_noter.h"
#include "translate/call_path.h"
#include "translate/counts.h"
#include "translate/emitter.h"
#include "translate/heap_watch.h"
#include "translate/stretches.h"
#include "translate/tainted_sets.h"
#include "translate/ticks.h"
#include "translate/watched_functions.h"
#include "x86/decode.h"
#include "x86/isa_table.h"

namespace orrery::translate {

/// Guest bytes a block may span: at most two pages, which keeps the page lists of a block at two.
inline constexpr u32 kBlockGuestBytesMost = 2048;
/// They are fetched in pieces of this.
inline constexpr u32 kFetchBytes = 128;
/// Emitted bytes one block may need at most; the cache is flushed when less than this is left.
inline constexpr u32 kBlockHostBytesMost = 48 * 1024;

struct BuildOptions {
  Variant variant = Variant::fast;
  TickHome tick_home = TickHome::vector;
  u32 instructions_most = 128;
  bool checked = false;               ///< Block::checked
  bool may_widen = false;             ///< leave by ExitCode::widen at an instruction that is not offered
  bool counts = false;                ///< counts instructions too (counts.h)
  bool fixed_approximations = false;  ///< leave at rcpps and its kin (x86/approximation.h)
  const Breakpoints* breakpoints = nullptr;  ///< leave before each of them
  std::vector<AccessPoint>* points =
      nullptr;                                ///< note accesses, and add what describes them (access_noter.h)
  const WatchedFunctions* watched = nullptr;  ///< note calls, and the entries of these functions
                                              ///< (call_noter.h); beside accesses what access_stream.h says
  bool paths = false;                         ///< of calls only those that lead there (call_path.h)
  StretchTable* stretches = nullptr;          ///< count executions, and note calls as a profile's
  const HeapWatch* heap = nullptr;  ///< test accesses, and leave at watched functions (heap_watch.h)
  /// From kFirstTainted on: end before an instruction that touches an undefined register. One that is the
  /// first has a block of its own, without tests, as has every one of kSteppedCode. Moves may be together.
  CodeKind kind = kOrdinaryCode;
  TaintedSets* sets = nullptr;
  const TaintedTargets* targets = nullptr;  ///< where indirect transfers look from kFirstTainted on
  const Breakpoints* looked_at = nullptr;  ///< reads before which to leave for the engine (looked_at_reads.h)
  bool alone =
      false;  ///< nothing else runs after it; what is counted gets StretchTable::find_or_add()'s rows
};

/// The products of a build, appended to the translator's stores by it.
struct BuiltBlock {
  Block block;  ///< first_mark and first_exit are set by the store
  std::vector<InstructionMark> marks;
  std::vector<BlockExit> exits;  ///< jump and stub offsets are cache offsets
  u64 returns_to = 0;            ///< after the call that the block ends with; 0 if it does not
  std::span<const u8> source;    ///< the guest bytes, block.guest_bytes of them
  BlockNotes notes;              ///< of its accesses, if they are noted or tested
  bool stepped = false;          ///< it is one instruction, or some moves, that the engine looks at first
};

class BlockBuilder {
 public:
  BlockBuilder(const memory::AddressSpace& space, const x86::FeatureSet& features)
      : space_(space), features_(features) {}

  /// Translates from `pc` into the cache at `cache_offset`. `first_exit` is the index the block's first
  /// exit will get. False when not even one byte can be fetched at `pc`.
  bool build(u64 pc, u32 cache_offset, ExitIndex first_exit, const BuildOptions& options);
  const BuiltBlock& result() const { return built_; }

 private:
  enum class Step : u8 { go_on, ended, cut };  ///< cut: the fetch ends before the instruction does

  u8* begin(u64 pc, u32 cache_offset);
  u32 fetched(u64 pc);
  u32 fetch_more(u64 pc);
  u64 next_stop_above(u64 pc) const;
  bool at_breakpoint();
  Step next_instruction(u32 have);
  Step instruction(const x86::Decoded& decoded);
  void copy(const x86::Decoded& decoded);
  void copy_rip_relative(const x86::Decoded& decoded, u64 target);
  void copy_absolute(const x86::Decoded& decoded, u64 target);
  void copy_through_scratch(const x86::Decoded& decoded, u64 target);
  void jump_if(const x86::Decoded& decoded, u64 target);
  void loop(const x86::Decoded& decoded, u64 target);
  void call(u64 target, u64 return_address);
  void push_return_address(u64 address, Borrowed borrowed);
  void load_indirect_target(const x86::Decoded& decoded);
  void indirect_tail();
  void leave_alone();
  void jump_tainted();
  void ret(const x86::Decoded& decoded);
  void check_source(const u8* body);
  void compare_word(u64 address, u32 wanted, u32 bytes, std::vector<u8*>& mismatches);
  void leave(ExitCode code, u64 pc, cpu::Gate gate = cpu::Gate::none, u8 instruction_bytes = 0);
  u32 add_exit(u64 pc, u8* jump_displacement);
  void emit_stubs();
  void emit_path_exits();
  enum class Counted : u8 { before_this, with_this };
  struct WayOut;
  Counts counts_to_here(Counted counted, bool tick, StretchKind kind = StretchKind::whole);
  WayOut way_out(u64 target, bool ticks, StretchKind kind);
  void take(const WayOut& way, u8* kept = nullptr);
  void jump(u64 target, bool ticks);
  void emit_ways_out();
  void stop_check(ExitCode code, ExitIndex exit);
  void mark(Borrowed borrowed);
  bool notes() const { return options_.points != nullptr; }
  void note_accesses(const x86::Decoded& decoded);
  u32 done_with_this() const;
  void plan_notes(u64 pc);
  void begin_notes();
  void end_notes();
  bool tests() const { return options_.heap != nullptr; }
  bool marks() const { return tests() && options_.heap->marks_undefined(); }
  void track(const x86::Decoded& decoded, const x86::Accesses& accesses);
  bool begins_for_engine() const;
  void plan_tests(u64 pc);
  bool needs_step(const x86::Decoded& decoded, std::span<const u8> bytes, u64& tainted) const;
  bool may_step_moves() const;
  void define_registers(const x86::Decoded& decoded);
  void begin_tests();
  void test_accesses(const x86::Decoded& decoded);
  void end_borrowing();
  void give_back(AccessHeader header);
  u8* may_keep();
  void keeps(ExitIndex exit, u8* displacement, const u8* release);
  void note_call(CallRecord record, const x86::Decoded& decoded);
  bool leads_to_watched(u64 target) const;
  void note_profile(ProfileRecord record, const x86::Decoded& decoded, u64 callee);
  u32 add_stretch(const Stretch& stretch);
  void copy_repeated(const x86::Decoded& decoded);
  void note_entry();
  void note_path(CallRecord record);
  u32 offset(const u8* at) const;

  struct PendingStub {
    ExitCode code;
    ExitIndex exit;    ///< index within the block
    u8* displacement;  ///< rel32 to bind to the stub
  };
  struct PendingLiteral {
    u8* displacement;
    u64 value;
  };

  /// A direct transfer, with what it counts and notes.
  struct WayOut {
    u64 target;
    bool ticks;
    Counts counts;
    AccessHeader header;  ///< if accesses are noted
    CodeKind kind;
  };
  /// One that does so behind the block.
  struct PendingWayOut {
    u8* displacement;
    WayOut way;
  };

  /// A way out behind the block: what is borrowed is given back, and what was done counted, there.
  struct PendingPathExit {
    PathExit from;
    ExitIndex exit;
    u32 uncounted;
  };

  const memory::AddressSpace& space_;
  const x86::FeatureSet& features_;
  BuildOptions options_;
  BuiltBlock built_;
  Emitter emit_{nullptr};
  AccessNoter noter_;
  bool noting_ = false;            ///< what is emitted has the notes', or the tests', registers borrowed
  bool tested_ = false;            ///< there are tests in the block
  CodeKind kind_ = kOrdinaryCode;  ///< of the code behind the present instruction
  std::vector<PendingWayOut> ways_out_;
  u8 length_ = 0;  ///< of the instruction being translated
  u8* entry_ = nullptr;
  u64 pc_ = 0;               ///< of the instruction being translated
  u64 next_breakpoint_ = 0;  ///< the least one above the block's pc that was not passed, or watched function
  u32 uncounted_ = 0;        ///< instructions translated, if they are counted
  bool counted_ahead_ = false;  ///< the present transfer's counts have been emitted
  ExitIndex first_exit_ = 0;
  std::vector<PendingStub> stubs_;
  std::vector<PendingLiteral> literals_;
  std::vector<PendingPathExit> path_exits_;
  u8 buffer_[kBlockGuestBytesMost + 512];  ///< the guest's bytes from the block's pc on
  u32 buffer_bytes_ = 0;                   ///< fetched so far
  bool may_fetch_more_ = false;
  bool plain_ = false;         ///< plain instructions need no decoding
  const u8* bytes_ = nullptr;  ///< of the instruction at pc_
  u8 narrowed_[16];            ///< they, where the copy is to have other prefixes
};

}  // namespace orrery::translate
