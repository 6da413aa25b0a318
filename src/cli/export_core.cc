#include "cli/export_core.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/base_name.h"
#include "cli/at_option.h"
#include "cli/process_option.h"
#include "cli/recording_text.h"
#include "cli/stopped_process.h"
#include "lens/core/core_file.h"

namespace orrery::cli {
namespace {

/// A tree of links to the recording's copies, where gdb finds each file at its path.
Fallible<Nothing> make_sysroot(const lens::RunSummary& run, const std::string& root) {
  std::error_code error;
  for (const lens::KeptFile& file : run.files) {
    if (file.path.empty() || file.path[0] != '/' || file.kept.empty()) continue;
    const std::filesystem::path link = root + file.path;
    std::filesystem::create_directories(link.parent_path(), error);
    if (!error) std::filesystem::remove(link, error);
    if (!error) std::filesystem::create_symlink(std::filesystem::absolute(file.kept), link, error);
    if (error) return Failure(link.string() + ": " + error.message());
  }
  return Nothing{};
}

std::string gdb_command(const std::string& program, const std::string& core, const std::string& root) {
  if (root.empty()) return "gdb " + shell_words({program, core});
  return "gdb -ex " +
         shell_words({"set sysroot " + root, "-ex", "file " + root + program, "-ex", "core-file " + core});
}

bool is_crash(const StoppedProcess& stopped) {
  auto crash = lens::find_instant(stopped.recording, {.kind = lens::InstantWord::Kind::crash},
                                  stopped.instant.process);
  return crash && crash.value().at.event == stopped.instant.at.event &&
         crash.value().at.ticks == stopped.instant.at.ticks && crash.value().pc == stopped.instant.pc;
}

}  // namespace

Fallible<Nothing> export_core(const std::string& directory, const std::string& output,
                              const CoreOptions& options) {
  if (output.empty()) return Failure("a core needs a file: -o FILE");
  std::set<u32> processes;
  if (!options.process.empty()) {
    const lens::Recording recording = TRY(lens::open_recording(directory));
    processes = choose_processes(pids_of(recording.tree), options.process);
    if (processes.empty()) return Failure("no process is exported");
  }
  const auto stopped = TRY(stop_at(directory, options.at, processes));
  const lens::TreeProcess& process = stopped->recording.tree.at(stopped->instant.process);
  const int fd = open(output.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return Failure(output + ": " + std::strerror(errno));
  fchmod(fd, 0600);
  const std::string program = program_of(*stopped);
  auto written = lens::write_core(*stopped->session,
                                  {.process = process,
                                   .program = std::string(base_name(process.program)),
                                   .arguments = shell_words(process.arguments),
                                   .at_crash = is_crash(*stopped)},
                                  fd);
  if (close(fd) != 0 && written) return Failure(output + ": " + std::strerror(errno));
  if (!written) return Failure(written.error());
  if (!options.sysroot.empty()) TRY(make_sysroot(stopped->run, options.sysroot));
  std::fprintf(stderr, "orrery: %s: process %d %s\n", printable(output).c_str(), process.pid,
               instant_words(stopped->instant).c_str());
  if (written.value().regions_left_out != 0)
    std::fprintf(stderr, "orrery: %lu regions of more than 16 GB were left out\n",
                 written.value().regions_left_out);
  std::fprintf(stderr, "orrery: %s\n", printable(gdb_command(program, output, options.sysroot)).c_str());
  return Nothing{};
}

}  // namespace orrery::cli
