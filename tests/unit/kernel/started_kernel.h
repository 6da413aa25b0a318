// A guest kernel over the live host, with a real program loaded at the guest's addresses in the test's own
// process. Nothing of it is run; tests look at memory and registers and make calls for it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "host/live_host.h"
#include "kernel/kernel.h"
#include "kernel/process.h"
#include "kernel/report.h"
#include "kernel/task.h"

namespace orrery::kernel {

class Lines final : public ReportSink {
 public:
  void line(std::string_view text) override { all.emplace_back(text); }
  std::vector<std::string> all;
};

class StartedKernel : public testing::Test {
 protected:
  static Configuration configuration() {
    Configuration out;
    out.pid = getpid();
    out.parent_pid = getppid();
    return out;
  }

  i64 start(const std::string& path, std::vector<std::string> arguments = {},
            std::vector<std::string> environment = {"A=1"}) {
    if (arguments.empty()) arguments.push_back(path);
    std::vector<const char*> argv, envp;
    for (const auto& text : arguments) argv.push_back(text.c_str());
    for (const auto& text : environment) envp.push_back(text.c_str());
    return kernel.start(path, argv, envp, failing);
  }
  void TearDown() override {
    if (started()) kernel.address_space().clear();
  }
  bool started() { return !kernel.address_space().regions().empty(); }

  Task& task() { return kernel.current(); }
  Process& process() { return task().process; }
  memory::AddressSpace& space() { return kernel.address_space(); }
  std::string failing_path() const { return {failing.begin(), failing.end()}; }

  host::LiveHost host{0};
  Lines lines;
  Kernel kernel{host, configuration(), &lines};
  std::vector<char> failing;
};

}  // namespace orrery::kernel
