// The engine's one-line warnings, on the guest's stderr with our name in front. Each distinct line is
// said once: a program that asks for the same thing a million times is told once.
#pragma once

#include <vector>

#include "base/types.h"
#include "kernel/report.h"

namespace orrery::engine {

class StderrReport final : public kernel::ReportSink {
 public:
  explicit StderrReport(bool silent) : silent_(silent) {}
  void line(std::string_view text) override;

 private:
  bool silent_;
  std::vector<u64> said_;  ///< hashes of the lines already said
};

}  // namespace orrery::engine
