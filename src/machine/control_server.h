// The engine's end of machine/control.h: while a replay is stopped it answers what it is asked, until it
// is told to run on.
#pragma once

#include <array>
#include <span>

#include "cpu/exit.h"
#include "kernel/kernel.h"
#include "kernel/task.h"
#include "machine/control.h"
#include "machine/first_touches.h"
#include "machine/schedule_notes.h"
#include "memory/access_sink.h"
#include "translate/translator.h"

namespace orrery::machine {

/// Where the replay stands: the number of the next event. Implemented by the replaying host.
class EventPosition {
 public:
  virtual u64 next_event() const = 0;
  /// Null: nobody any more.
  virtual void tell_accesses(memory::AccessSink*) {}

 protected:
  ~EventPosition() = default;
};

class ControlServer final : public memory::AccessSink, public kernel::ScheduleSink {
 public:
  /// `vector_components`: the guest's XCR0. `asked`: questions come from the start.
  ControlServer(int socket, kernel::Kernel& kernel, EventPosition& position, u64 vector_components,
                bool asked)
      : socket_(socket),
        kernel_(kernel),
        position_(position),
        vector_components_(vector_components),
        asked_(asked),
        at_start_(asked) {}

  /// Who runs the guest's code. Before anything is asked.
  void use(translate::Translator& translator) { translator_ = &translator; }

  /// The process was forked: its parent's questions are not its own. `asked`: some come to it.
  void begin_process(bool asked);
  /// The process runs another program.
  void begin_program() {
    remove_all_breakpoints();
    translator_->watch_no_function();
  }

  /// Stops here if the next event is the one asked for.
  void before_run(kernel::Task& task);
  /// The same at the entry of a system call, with its arguments still in the registers.
  void before_system_call(kernel::Task& task);
  /// When it has been performed, with its result there.
  void after_system_call(const kernel::Task& task, u64 number);
  /// Before a run that executes one instruction and looks at no breakpoint.
  void before_instruction(kernel::Task& task);
  void at_breakpoint(kernel::Task& task);
  /// The tick at which the task is to stop, ~0 if it is to go on.
  u64 stop_at_tick(const kernel::Task& task) const;
  void at_tick(kernel::Task& task);
  /// The process is about to end; nothing of it is gone yet.
  void before_end(kernel::Task& task, int status, int fatal_signal);
  /// The recording has no more events.
  void at_trace_end(kernel::Task& task);
  void note_fault(const cpu::Fault& fault) { fault_ = fault; }

  // --- notes of memory accesses and calls ---

  /// Guest code ran until no room was left, or until little is.
  void make_room(kernel::Task& task);
  bool notes_accesses() const {
    return notes_ == Notes::accesses || notes_ == Notes::accesses_and_entries ||
           notes_ == Notes::first_touches || tests();
  }
  /// What is accessed from now on is the gated instruction's at `pc`; 0: the kernel's.
  void perform_gate(u64 pc) { gate_pc_ = pc; }
  void accessed(u64 address, u64 size_bytes, bool writes) override;
  void pages_gone(u64 address, u64 size_bytes) override;
  void pages_moved(u64 from, u64 from_bytes, u64 to) override;
  void pages_lent() override;
  void noted(kernel::ScheduleNote note) override;

 private:
  u64 bytes_looked_at(u64 address, u64 size_bytes) const;
  bool tests() const { return notes_ == Notes::suspects || notes_ == Notes::undefined; }
  void serve(StopReason reason, kernel::Task& task, u64 value);
  bool receive();
  void put_place(ControlReply& reply, const kernel::Task& task) const;
  /// 0 or an errno.
  void collect(const kernel::Task& task);
  u32 answer(const ControlRequest& request, kernel::Task& task, ControlReply& reply);
  u32 change_breakpoints(const ControlRequest& request);
  void remove_all_breakpoints();
  u32 note(Notes wanted, int file, bool inherits);
  u32 watch_heap(const ControlRequest& request);
  u32 copy_registers(const kernel::Task& current, i32 wanted, ControlReply& reply);
  u32 note_schedule(const ControlRequest& request);
  void filter_notes();
  void take_touches(u64 from, ControlReply& reply);
  u32 list_points(u64 from);
  bool counts_full() const;
  void take_counts(u64 from, ControlReply& reply);
  u32 read_memory(u64 address, u64 size_bytes);
  u32 list_regions(u64 above);
  u32 list_tasks(u64 from, const kernel::Task& current);
  u32 vector_state(i32 wanted, kernel::Task& current, ControlReply& reply);
  void send(const ControlReply& reply);

  int socket_;
  kernel::Kernel& kernel_;
  EventPosition& position_;
  u64 vector_components_;
  bool asked_;     ///< false: it runs on as if nobody asked
  bool at_start_;  ///< and nothing of it has run yet
  u64 stop_before_ = 0;
  ControlLooks looks_;
  u32 hits_most_ = 0;  ///< to be collected by the present run, which goes on at breakpoints; 0: it does not
  u32 hits_ = 0;       ///< collected in the packet's payload
  i32 tick_task_ = 0;
  u64 stop_at_tick_ = ~u64{0};
  translate::Translator* translator_ = nullptr;
  Notes notes_ = Notes::nothing;
  std::array<std::span<u64>, 2> halves_;
  u32 half_ = 0;
  FirstTouches touches_;
  u64 gate_pc_ = 0, call_pc_ = 0;  ///< of the last instruction that was gated; that made a system call
  u64 call_number_ = 0, call_name_ = 0,
      call_target_ = 0;  ///< of that call, and its second and fifth argument
  u32 notes_lost_ = 0;
  ScheduleNotes schedule_;
  cpu::Fault fault_;
  struct Packet {
    ControlReply reply;
    u8 payload[kControlBytesMost];
  };
  Packet packet_;
  struct Question {
    ControlRequest request;
    u64 addresses[kAddressesMost];
  };
  Question question_;
  int received_fd_ = -1;  ///< that came with the question, if it is one that has one
};

}  // namespace orrery::machine
