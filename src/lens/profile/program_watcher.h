// A Watcher of the programs of a process (programs.h).
#pragma once

#include "lens/lens.h"
#include "lens/profile/programs.h"

namespace orrery::lens::profile {

template <class Program>
class ProgramWatcher final : public Watcher {
 public:
  /// `add`: called at the end of the process with the rows of each program, which have its numbers.
  using Add = std::function<void(const typename Program::Rows&)>;
  ProgramWatcher(u32 process, typename Programs<Program>::Make make, Add add)
      : process_(process), programs_(std::move(make)), add_(std::move(add)) {
    for (const u64 number : Programs<Program>::calls()) calls_.set(number);
  }

  const CallSet* calls() const override { return &calls_; }
  void begin(ReplaySession& session, const Instant&) override { remember(programs_.begin(session)); }
  void enter(ReplaySession& session, const WalkedCall& walked) override {
    remember(programs_.enter(session, walked.call.number, std::data(walked.call.arguments)));
  }
  void leave(ReplaySession& session, const WalkedCall& walked) override {
    remember(programs_.leave(session, walked.call.number, std::data(walked.call.arguments),
                             walked.replaced_program()));
  }
  void end(ReplaySession& session, const Instant&) override {
    remember(programs_.finish(session));
    if (failed_) return;
    u32 program = 0;
    for (typename Program::Rows rows : programs_.rows()) {
      rows.set_program(process_, program++);
      add_(rows);
    }
  }

 private:
  void remember(const Status& status) { failed_ = failed_ || !status; }

  u32 process_;
  Programs<Program> programs_;
  Add add_;
  CallSet calls_;
  bool failed_ = false;  ///< the replay is gone: nothing is told
};

}  // namespace orrery::lens::profile
