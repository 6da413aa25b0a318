// Process ids under --seed: the guest knows those of host/seeded_machine.h, the host its own. Every call that
// carries one is translated here on its way to the host and back.
#pragma once

#include <array>
#include <string_view>

#include "host/host.h"
#include "host/seeded_machine.h"

namespace orrery::host {

/// Lines for the user; each distinct one is shown once.
class Complaints {
 public:
  virtual void complain(std::string_view line) = 0;

 protected:
  ~Complaints() = default;
};

class VirtualPids {
 public:
  VirtualPids(SeededMachine& machine, Complaints& complaints) : machine_(machine), complaints_(complaints) {}

  /// Makes the call with the host's ids and gives back the guest's.
  i64 call(HostCall& call, Host& inner);
  /// si_pid of a signal that another process sent, or whose state changed.
  void translate_signal(HostSignal& signal);

 private:
  i64 translate_arguments(HostCall& call);
  i64 make(HostCall& call, Host& inner);
  i64 with_path(HostCall& call, Host& inner);
  i64 with_word(HostCall& call, Host& inner);
  i64 with_credentials(HostCall& call, Host& inner);
  i64 with_owner(HostCall& call, Host& inner);
  void translate_answer(const HostCall& call, i64& result);
  void translate_messages(const HostCall& call);
  void translate_signalfd(const HostCall& call, i64 result);
  void note_reaped(const HostCall& call, i64 result);
  void store_guest_pid(const HostCall& call, u64 address);
  bool to_host(u64& argument, bool negative_is_group) const;
  bool clock_to_host(u64& clock) const;
  i32 to_guest_owner(i32 owner);

  SeededMachine& machine_;
  Complaints& complaints_;
  bool has_signalfd_ = false;
};

}  // namespace orrery::host
