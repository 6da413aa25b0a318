// Debug files from a server, where the user named one: $DEBUGINFOD_URLS. libdebuginfod is loaded when it is
// first wanted, so that a machine without it, and a run that asks nothing, need none of it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/types.h"

struct debuginfod_client;

namespace orrery::elf {

class Debuginfod {
 public:
  using Complain = std::function<void(const std::string& sentence)>;
  explicit Debuginfod(Complain complain);
  ~Debuginfod();
  Debuginfod(const Debuginfod&) = delete;
  Debuginfod& operator=(const Debuginfod&) = delete;

  /// Where the debug file of that build lies now, in libdebuginfod's cache; "" if no server has it. A server
  /// that cannot be reached is complained of, and none is asked again. `whose`: for messages.
  std::string find_debug_file(std::span<const u8> build_id, const std::string& whose);

 private:
  struct Library;
  bool begin();
  void give_up(const std::string& why);

  Complain complain_;
  std::unique_ptr<Library> library_;
  debuginfod_client* client_ = nullptr;
  bool gave_up_ = false;
};

}  // namespace orrery::elf
