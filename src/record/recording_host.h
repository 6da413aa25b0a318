// The recorder: a Host that asks another Host and writes what it answered into the ring (design.md,
// seam 3). Neither the guest kernel above nor the host below knows of it.
//
// Written: answers of system calls, file mappings, time stamp counter, cpu number, random bytes, signals, the
// end. Not written: memory operations that succeed. They follow from the program, and some of them (watching
// code pages) from when code was translated, which a replay need not repeat; one that fails is written,
// so that the replay fails there too.
#pragma once

#include "host/host.h"
#include "host/live_host.h"
#include "host/live_mappings.h"
#include "host/request.h"
#include "kernel/report.h"
#include "record/event_writer.h"
#include "record/live_files.h"
#include "trace/family.h"

namespace orrery::record {

/// A kept copy of a file the guest maps: what the guest is given in its place.
struct KeptFile {
  int fd = -1;  ///< to map from; the keeper's
  trace::FileReference reference;
  std::string_view path;  ///< of the original, for reports
};

/// Keeps files. Implemented over the content store; tests have their own.
class FileKeeper {
 public:
  /// Keeps the file behind the guest's descriptor as it is now. 0 or -errno.
  virtual i64 keep(int guest_fd, KeptFile& kept) = 0;
  /// The file may have changed without its times showing it: another copy is to be kept next time.
  virtual void forget(const trace::FileReference& file) = 0;

 protected:
  ~FileKeeper() = default;
};

class RecordingHost final : public host::Host {
 public:
  struct Parts {
    host::Host& inner;
    EventWriter& writer;
    FileKeeper& files;
    kernel::ReportSink& report;
    trace::Family& family;
    host::LiveHost* live = nullptr;  ///< at the bottom; null: there are no other processes
    bool serial = false;             ///< --seed: all processes take turns anyway
  };
  explicit RecordingHost(const Parts& parts) : parts_(parts) {}

  void at(const host::Instant& instant) override;
  i64 call(host::HostCall& call) override;
  u64 read_tsc() override;
  u32 current_cpu() override;
  void random_bytes(std::span<u8> out) override;
  bool next_signal(host::HostSignal& signal) override;
  void begin_look(u16 number) override {
    look_ = number;
    parts_.inner.begin_look(number);
  }
  void set_signal_view(const host::SignalView& view) override { parts_.inner.set_signal_view(view); }
  void set_preemption(bool wanted) override { parts_.inner.set_preemption(wanted); }
  u64 stop_at_tick() override { return parts_.inner.stop_at_tick(); }
  void exit(int status, int fatal_signal) override;
  void leave(const host::NextProgram& next) override;

  i64 fork(host::ForkRequest& request) override;
  void take_back(std::vector<u8>& changes) override;
  bool let_go(std::span<const host::PageRange> ranges) override { return parts_.inner.let_go(ranges); }
  void take_turn() override;
  void give_turn() override { parts_.inner.give_turn(); }
  void pass_turn() override;
  bool meets_others(int fd, bool writable) override;
  bool changes_others_file(u64 number, const std::array<u64, 6>& args) override;
  bool changed_others_file(u64 number, const std::array<u64, 6>& args) override;
  bool meets_by_change(u64 number, const std::array<u64, 6>& args, bool late) override;
  void tell_late_change(u64 number, const std::array<u64, 6>& args, i64 result) override;
  void vouch_for(int fd) override;
  bool is_machines_file(int fd) override;
  void task_runs(i32 task) override { parts_.inner.task_runs(task); }
  void task_ended(i32 task) override { parts_.inner.task_ended(task); }
  bool wants_view(bool settled) override { return parts_.inner.wants_view(settled); }
  void show_view(int fd, std::span<const u8> view) override { parts_.inner.show_view(fd, view); }
  void executed(std::span<const u8> words) override;

  i64 map(const memory::MapRequest& request) override;
  i64 unmap(u64 address, u64 size_bytes) override;
  i64 protect(u64 address, u64 size_bytes, int protection) override;
  i64 move(u64 from, u64 from_bytes, u64 to, u64 to_bytes) override;
  i64 discard(u64 address, u64 size_bytes) override;

 private:
  i64 map_file(const memory::MapRequest& request);
  i64 map_kept_or_live(const memory::MapRequest& request, KeptFile& kept);
  trace::SharedFile* shared_file(int fd) const;
  void note_unmapped(u64 address, u64 size_bytes);
  void leave_unmapped();
  bool meets(int fd, bool writable, u16 detail);
  void say_thawed(const std::vector<char>& path);
  void write_changes(const host::HostCall& call, i64 result);
  void write_change(const LiveFile& file, const trace::FileChange& change);
  struct Answer {
    u64 hash;
    i64 result;
    u64 time_ns;  ///< 0: its end, which is now
    u64 waited_ns;
  };
  void write_answer(const host::HostCall& call, const Answer& answer);
  i64 note_failure(host::MemoryOperation operation, std::span<const u64> request, i64 result);
  void check_writer();
  void begin_process(u32 process, u64 parent_event, const host::ForkRequest& request);

  Parts parts_;
  u16 look_ = 0;
  host::Instant instant_;
  u32 process_ = 0;  ///< our number in the recording
  LiveFiles live_files_;
  host::LiveMappings live_mappings_;
  bool complained_ = false;
};

}  // namespace orrery::record
