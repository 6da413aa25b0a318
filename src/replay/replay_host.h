// The door that leads into a recording (design.md, seam 3): every question is answered as it was when
// the program was recorded, after the question was seen to be the same. Of the host only memory is
// touched, and the guest's output is written again if someone wants to see it.
//
// A replay that differs stops at the first difference: ReplayEnd::diverged() does not return.
#pragma once

#include <vector>

#include "host/host.h"
#include "host/live_mappings.h"
#include "host/request.h"
#include "machine/control_server.h"
#include "replay/divergence.h"
#include "replay/event_reader.h"
#include "replay/order.h"
#include "trace/family.h"

namespace orrery::replay {

/// The kept copies of mapped files.
class KeptFiles {
 public:
  static constexpr u64 kAnySize = ~u64{0};
  /// A descriptor of the copy to map from, valid until the next call; -errno if it is not there, -EUCLEAN
  /// if it has another size than `size_bytes` (kAnySize: it was looked at before). For `writable`, a scratch
  /// copy that all shared mappings of the file have in common.
  virtual i64 open(u32 file_number, u64 size_bytes, bool writable) = 0;
  /// This process does not map the scratch copy any more.
  virtual void close_scratch(u32 file_number) = 0;

 protected:
  ~KeptFiles() = default;
};

class ReplayHost final : public host::Host, public machine::EventPosition {
 public:
  struct Parts {
    EventReader& events;
    KeptFiles& files;
    ReplayEnd& end;
    trace::Family& family;
    Order& order;
    bool show_output = false;
    bool all_processes = false;  ///< children run too; else only what they leave to their parents counts
  };
  explicit ReplayHost(const Parts& parts) : parts_(parts) {}

  void at(const host::Instant& instant) override { instant_ = instant; }
  i64 call(host::HostCall& call) override;
  u64 read_tsc() override;
  u32 current_cpu() override;
  void random_bytes(std::span<u8> out) override;
  void begin_look(u16 number) override { look_ = number; }
  bool next_signal(host::HostSignal& signal) override;
  u64 stop_at_tick() override;
  void exit(int status, int fatal_signal) override;
  void leave(const host::NextProgram& next) override;

  i64 fork(host::ForkRequest& request) override;
  void take_back(std::vector<u8>& changes) override;
  void take_turn() override;
  void give_turn() override { parts_.order.give_turn(); }
  void pass_turn() override;
  bool meets_others(int fd, bool writable) override;
  bool changes_others_file(u64 number, const std::array<u64, 6>& args) override;
  bool changed_others_file(u64, const std::array<u64, 6>&) override;
  bool meets_by_change(u64, const std::array<u64, 6>&, bool late) override;
  void tell_late_change(u64, const std::array<u64, 6>&, i64) override { apply_changes(); }
  bool is_machines_file(int fd) override;
  void executed(std::span<const u8> words) override;

  i64 map(const memory::MapRequest& request) override;
  i64 unmap(u64 address, u64 size_bytes) override;
  i64 protect(u64 address, u64 size_bytes, int protection) override;
  i64 move(u64 from, u64 from_bytes, u64 to, u64 to_bytes) override;
  i64 discard(u64 address, u64 size_bytes) override;

  u64 next_event() const override;
  void tell_accesses(memory::AccessSink* sink) override { sink_ = sink; }

 private:
  /// What is being asked now.
  struct Question {
    trace::EventKind kind;
    u16 detail = 0;
    u64 hash = 0;
    const host::HostCall* call = nullptr;
  };
  const trace::EventHeader* next();
  trace::EventHeader expect(const Question& question);
  [[noreturn]] void differ(Difference difference, const trace::EventHeader& expected,
                           const Question& question, i64 got_result = 0);
  [[noreturn]] void end_of_trace();
  void finish(const trace::EventHeader& expected, const Question& question, bool good);
  bool meets(u16 detail);
  bool read_same(std::span<const u8> words);
  bool read_ranges(const host::HostCall& call, i64 result);
  void show(const host::HostCall& call, i64 result);
  void tell_read(const host::HostCall& call, i64 result);
  i64 map_file(const memory::MapRequest& request);
  void note_unmapped(u64 address, u64 size_bytes);
  void close_unmapped();
  void apply_changes();
  bool apply_change(const trace::EventHeader& event);
  void begin_child(u32 process, host::ForkRequest& request);
  bool known_failure(host::MemoryOperation operation, u64 hash, i64& result);

  Parts parts_;
  u16 look_ = 0;
  host::Instant instant_;
  u32 process_ = 0;
  bool has_live_files_ = false;
  host::LiveMappings live_mappings_;
  memory::AccessSink* sink_ = nullptr;
};

}  // namespace orrery::replay
