// A program recorded by `orrery record`, and sessions with replays of it.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "cli/replay_process.h"
#include "lens/replay_session.h"

namespace orrery::testing {

class Recorded {
 public:
  /// `words`: the program below ORRERY_PROGRAMS, and its arguments. `options`: of `orrery record`.
  explicit Recorded(const std::string& words, const std::string& options = "") {
    std::string place = std::filesystem::temp_directory_path() / "orrery-session-XXXXXX";
    home_ = mkdtemp(place.data());
    const std::string command = "XDG_DATA_HOME=" + home_ + " ORRERY_COLOR=never " ORRERY_COMMAND " record " +
                                options + " -- " + ORRERY_PROGRAMS "/" + words + " > " + home_ + "/output";
    status_ = std::system(command.c_str());
    std::ifstream file(home_ + "/output");
    for (std::string line; std::getline(file, line);) lines_.push_back(line);
  }
  ~Recorded() { std::filesystem::remove_all(home_); }
  Recorded(const Recorded&) = delete;
  Recorded& operator=(const Recorded&) = delete;

  int status() const { return WEXITSTATUS(status_); }
  /// Of its output.
  const std::vector<std::string>& lines() const { return lines_; }
  /// In the line "name ADDRESS".
  u64 address(const std::string& name) const {
    for (const std::string& line : lines_)
      if (line.starts_with(name + " 0x")) return std::stoull(line.substr(name.size() + 1), nullptr, 16);
    ADD_FAILURE() << "the program did not say where " << name << " is";
    return 0;
  }
  /// The lines that are numbers.
  std::vector<u64> numbers() const {
    std::vector<u64> found;
    for (const std::string& line : lines_)
      if (line.find_first_not_of("0123456789") == std::string::npos) found.push_back(std::stoull(line));
    return found;
  }
  std::string directory() const { return home_ + "/orrery/recordings/latest"; }

 private:
  std::string home_;
  int status_ = -1;
  std::vector<std::string> lines_;
};

/// A replay that waits at the start of one of the recording's processes.
class Session {
 public:
  explicit Session(const Recorded& recorded, u32 process = 0) : is_first_(process == 0) {
    auto replay = cli::ReplayProcess::start(recorded.directory(), {.asked = process});
    if (!replay) {
      ADD_FAILURE() << replay.error().doing;
      std::abort();
    }
    replay_ = replay.take();
    auto session = replay_->attach({});
    if (!session) {
      ADD_FAILURE() << session.error().doing;
      std::abort();
    }
    session_ = session.take();
  }
  lens::ReplaySession* operator->() { return session_.get(); }
  u64 argument() { return session_->registers().gpr[7]; }  // rdi

  /// Runs on; an ended replay if that fails.
  lens::Stop run(u64 before = ~u64{0}) {
    auto stop = session_->run_before(before);
    EXPECT_TRUE(static_cast<bool>(stop));
    return stop ? stop.value() : lens::Stop{.reason = machine::StopReason::diverged};
  }
  /// From the stop before the end: whether the replay then ends as the recording did. Of a process that was
  /// forked only that stop tells, as the engine that was started goes when it has forked.
  bool ends_equal() {
    EXPECT_EQ(session_->stop().reason, machine::StopReason::exit);
    const bool gone = !session_->run_before(~u64{0});
    const int status = replay_->wait();
    return gone && (!is_first_ || (WIFEXITED(status) && WEXITSTATUS(status) == cli::kToTheEnd));
  }

 private:
  bool is_first_;
  std::unique_ptr<cli::ReplayProcess> replay_;
  std::unique_ptr<lens::ReplaySession> session_;
};

}  // namespace orrery::testing
