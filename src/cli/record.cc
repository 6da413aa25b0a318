// `orrery record`: runs a program on the machine and writes down what enters it.
//
// Three processes: this one, which starts the others and waits; the engine, which becomes the program;
// and the writer, in a session of its own, which drains the rings and outlives both. The writer is there
// before the program runs, so whoever of the three is killed, and whenever: the program never waits for a
// writer that does not come, and what it did is in the recording up to the last flush. Processes that the
// program forks are engines too, which get their rings from the writer (trace/family.h).
#include <fcntl.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <optional>

#include "base/clock_hosted.h"
#include "cli/command.h"
#include "cli/host_limits.h"
#include "cli/launch.h"
#include "cli/profile.h"
#include "cli/program_check.h"
#include "cli/recording_text.h"
#include "cli/supervise.h"
#include "host/seeded_machine.h"
#include "host/tsc_clock.h"
#include "trace/family.h"
#include "trace/recordings_hosted.h"
#include "trace/ring_hosted.h"
#include "trace/writer_hosted.h"

extern char** environ;

namespace orrery::cli {
namespace {

struct RecordOptions {
  std::string output;
  std::string profile = "auto";
  std::optional<u64> seed;
  u64 aslr = 0;
  bool no_follow = false;
  std::string only;  ///< a pattern; empty: all are followed
  u64 free_bytes_least = kFreeBytesLeast;
  double timeout_seconds = 0;      ///< 0: none
  std::vector<std::string> words;  ///< the program and its arguments
};

Result<Program> find(const RecordOptions& options) {
  Program program;
  program.path = find_program(options.words.front());
  if (program.path.empty()) {
    const int error = errno;
    static std::string what;  // an Error does not own it
    what = options.words.front();
    if (what.starts_with('-')) what += ", which is no option (see --help), nor a program";
    return Error{what.c_str(), error};
  }
  char* directory = get_current_dir_name();
  if (directory == nullptr) return Error{"finding the current directory", errno};
  program.directory = directory;
  std::free(directory);
  program.arguments = options.words;
  for (char** variable = environ; *variable != nullptr; ++variable)
    program.environment.emplace_back(*variable);
  return program;
}

// --- the clock of the events ---

struct ClockSample {
  u64 tsc = host::TscClock::tsc();
  u64 ns = monotonic_ns();
};

/// The longer ago `earlier` was taken, the better.
void set_clock(machine::LaunchHeader& header, const ClockSample& earlier) {
  const ClockSample now;
  header.clock_tsc = now.tsc;
  header.clock_ns = now.ns;
  if (now.tsc > earlier.tsc)
    header.clock_ns_per_tick_32 = static_cast<u64>(
        (static_cast<unsigned __int128>(now.ns - earlier.ns) << 32) / (now.tsc - earlier.tsc));
}

// --- one recording ---

class Recorder {
 public:
  Recorder(const RecordOptions& options, machine::Mode mode) : options_(options), mode_(mode) {}

  /// What the guest ended with.
  Result<int> run() {
    TRY(prepare());
    if (mode_ != machine::Mode::record) {
      if (options_.seed) machine_page_ = TRY(make_machine_page());
      const pid_t guest = TRY(start());
      const Supervised ended =
          supervise({.guest = guest, .timeout_ns = static_cast<u64>(options_.timeout_seconds * 1e9)});
      timed_out_ = ended.timed_out;
      return ended.status;
    }
    TRY(make_recording());
    auto guest = begin_recording();
    if (!guest) {
      take_back();
      return guest.error();
    }
    const Supervised ended =
        supervise({.guest = guest.value(),
                   .writer = writer_,
                   .writer_done_fd = writer_done_.get(),
                   .timeout_ns = static_cast<u64>(options_.timeout_seconds * 1e9),
                   .waiting = [] {
                     complain("the program has ended, and processes it left behind go on; Ctrl-C ends them");
                   }});
    timed_out_ = ended.timed_out;
    complete_ = ended.complete;
    // For `ls`; a full disk must not turn the guest's end into a failure of ours.
    if (WIFSIGNALED(ended.status)) (void)trace::note_fatal_signal(recording_, WTERMSIG(ended.status));
    if (!complete_) (void)trace::settle_recording(recording_);
    return ended.status;
  }

  /// Whether the writer stored all it was given; false when it was killed.
  bool complete() const { return complete_; }

  bool timed_out() const { return timed_out_; }

  const std::string& recording() const { return recording_; }

 private:
  Status prepare() {
    TRY(refuse(host_trouble(read_host_limits())));
    engine_ = TRY(find_engine());
    program_ = TRY(find(options_));
    room_ = TRY(find_descriptor_room());
    use_all_descriptors(room_);  // the soft limit is the program's; it is told it whatever ours is
    header_.mode = mode_;
    header_.seeded = options_.seed ? 1 : 0;
    header_.seed = options_.seed.value_or(0);
    header_.aslr = options_.aslr;
    header_.no_follow = options_.no_follow ? 1 : 0;
    std::memcpy(header_.only, options_.only.data(), options_.only.size());
    header_.signals_ignored = ignored_signals();
    header_.signals_blocked = blocked_signals();
    header_.nofile_soft = room_.soft_before;
    header_.engine_fd_first = static_cast<u64>(room_.first);
    header_.parent_pid = getpid();
    TRY(set_profile(header_, options_.profile));
    return Nothing{};
  }

  Status make_recording() {
    TRY(check_place());
    TRY(check_program());
    recording_ = TRY(trace::create_recording(program_.arguments.front(), options_.output));
    TRY(trace::keep_engine(recording_, engine_));
    store_ = Fd(TRY(trace::open_store()));
    files_ = Fd(TRY(trace::open_files(recording_)));
    ring_.emplace(TRY(trace::MappedRing::create()));
    machine_page_ = TRY(make_machine_page());
    return Nothing{};
  }

  /// What all processes of the machine share; behind it, what --seed decides for all of them.
  Result<Fd> make_machine_page() const {
    Fd page(memfd_create("orrery-machine", MFD_CLOEXEC));
    const trace::MachinePage first;
    const u64 size_bytes = trace::kMachinePageBytes + (options_.seed ? sizeof(host::SeededMachine) : 0);
    if (!page || ftruncate(page.get(), static_cast<off_t>(size_bytes)) != 0 ||
        write(page.get(), &first, sizeof first) != static_cast<ssize_t>(sizeof first))
      return Error{"making the machine's page", errno};
    return page;
  }

  /// What is known to go wrong is said before anything is started.
  static Status refuse(const std::optional<std::string>& trouble) {
    if (!trouble) return Nothing{};
    static std::string words;  // an Error does not own them
    words = "cannot record: " + *trouble;
    return Error{words.c_str()};
  }

  Status check_place() const {
    const std::string place = options_.output.empty() ? trace::recordings_directory() : options_.output;
    std::error_code error;
    if (!options_.output.empty() && std::filesystem::exists(place, error) &&
        !(std::filesystem::is_directory(place, error) && std::filesystem::is_empty(place, error)))
      TRY(refuse(printable(place) + " is there already: remove it, or name another place with -o"));
    const std::string directory = nearest_directory(place);
    TRY(refuse(noexec_trouble(directory)));
    TRY(refuse(space_trouble(directory, options_.free_bytes_least)));
    return Nothing{};
  }

  Status check_program() const {
    if (is_orrery_itself(program_.path) && starts_an_engine(options_.words))
      return Error{"a recording cannot be made inside a recording, and the program is orrery itself"};
    if (has_file_capabilities(program_.path))
      complain(printable(program_.path) + ": its file capabilities are ignored");
    return Nothing{};
  }

  /// `path` or the first directory above it that is there.
  static std::string nearest_directory(const std::string& path) {
    std::error_code error;
    std::filesystem::path at = std::filesystem::absolute(path, error);
    while (!std::filesystem::is_directory(at, error) && at.has_relative_path()) at = at.parent_path();
    return at;
  }

  static bool starts_an_engine(const std::vector<std::string>& words) {
    return std::any_of(words.begin() + 1, words.end(), [](const std::string& word) {
      return word == "record" || word == "replay" || word == "why" || word == "run";
    });
  }

  Result<pid_t> begin_recording() {
    TRY(start_writer());
    adopt_orphans();
    const pid_t guest = TRY(start());
    family_ = Fd();  // its hang-up shall tell the writer that no engine is left
    header_.pid = options_.seed ? machine::seeded_pid(*options_.seed) : guest;
    if (options_.seed) header_.parent_pid = 1;
    // The engine fills in its own pid; what is kept is the block as it will be then.
    const std::vector<u8> block = make_launch_block(header_, program_);
    const Status launch = trace::write_launch(recording_, block);
    const Status info = launch ? write_first_info(header_.pid) : Nothing{};
    announcement_ = Fd();  // the writer may write `info` from now on
    // Without them no replay; but the program runs, and is not stopped for that.
    for (const Status* status : {&launch, &info})
      if (!*status) complain(status->error());
    return guest;
  }

  /// Nothing ran, so nothing is kept.
  void take_back() {
    announcement_ = Fd();
    family_ = Fd();
    if (writer_done_) (void)got_byte(writer_done_);
    (void)trace::remove_recording(recording_);
  }

  Result<pid_t> start() {
    set_clock(header_, started_);
    const std::vector<u8> block = make_launch_block(header_, program_);
    const Fd launch = TRY(make_launch_memory(block));
    EngineStart start{.engine = engine_,
                      .descriptors = {{machine::kLaunchFd, launch.get()},
                                      {machine::kRingFd, ring_ ? ring_->fd() : -1},
                                      {machine::kStoreFd, store_.get()},
                                      {machine::kFilesFd, files_.get()},
                                      {machine::kFamilyFd, family_.get()},
                                      {machine::kMachineFd, machine_page_.get()}},
                      .room = room_,
                      .signals_ignored = header_.signals_ignored,
                      .signals_blocked = header_.signals_blocked,
                      .announcement_fd = announcement_.get()};
    const HeldSignals held;  // one that comes now is passed on when there is someone to pass it on to
    const pid_t guest = TRY(start_engine(start));
    pass_on_signals(guest);
    return guest;
  }

  Status write_first_info(i32 pid) {
    trace::RecordingInfo info;
    info.program = program_.path;
    info.arguments = program_.arguments;
    info.directory = program_.directory;
    info.orrery_version = "0.1.0";
    info.profile = header_.profile;
    info.seed = options_.seed;
    info.aslr = options_.aslr;
    info.pid = pid;
    trace::describe_host(info);
    return trace::write_info(recording_, info);
  }

  struct Pipe {
    Fd read, write;
  };
  static Result<Pipe> make_pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return Error{"making a pipe", errno};
    return Pipe{Fd(ends[0]), Fd(ends[1])};
  }

  static Result<Pipe> make_sockets(int type) {
    int ends[2];
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) return Error{"making a socket", errno};
    return Pipe{Fd(ends[0]), Fd(ends[1])};
  }

  /// Returns when the writer drains the ring.
  Status start_writer() {
    Pipe done = TRY(make_pipe()), ready = TRY(make_pipe()), announcement = TRY(make_sockets(SOCK_STREAM));
    Pipe family = TRY(make_sockets(SOCK_SEQPACKET));
    auto trace = TRY(trace::TraceAppender::create(recording_ + "/trace", realtime_ns()));
    const pid_t writer = fork();
    if (writer < 0) return Error{"starting the writer", errno};
    if (writer == 0) {
      announcement.write = Fd();
      family.write = Fd();
      _exit(trace::run_writer({.recording = recording_,
                               .ring_fd = ring_->fd(),
                               .guest_announcement_fd = announcement.read.get(),
                               .family_fd = family.read.release(),
                               .trace = &trace,
                               .done_fd = done.write.get(),
                               .ready_fd = ready.write.get()}));
    }
    writer_ = writer;
    family_ = std::move(family.write);
    ready.write = Fd();
    writer_done_ = std::move(done.read);
    announcement_ = std::move(announcement.write);
    if (!got_byte(ready.read)) return Error{"starting the writer: it ended at once", 0};
    return Nothing{};
  }

  static bool got_byte(const Fd& pipe) {
    char byte;
    ssize_t got;
    while ((got = read(pipe.get(), &byte, 1)) < 0 && errno == EINTR) {
    }
    return got == 1;
  }

  const RecordOptions& options_;
  machine::Mode mode_;
  ClockSample started_;
  std::string engine_;
  Program program_;
  DescriptorRoom room_;
  machine::LaunchHeader header_;
  std::string recording_;
  Fd store_, files_, machine_page_, writer_done_;
  Fd family_;  ///< the engines' end of the socket of trace/family.h
  pid_t writer_ = 0;
  Fd announcement_;  ///< see trace::WriterOptions
  bool complete_ = false;
  bool timed_out_ = false;
  std::optional<trace::MappedRing> ring_;
};

std::string last_part(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

/// Why the recording ends before the program did; empty if it does not.
std::string words_of_gap(const Recorder& recorder) {
  if (!recorder.complete()) return ", up to where the writer of the recording was killed";
  auto info = trace::read_info(recorder.recording());
  return info && info.value().gap ? ", up to where " + gap_reason(*info.value().gap) : "";
}

int record(const RecordOptions& options, machine::Mode mode) {
  Recorder recorder(options, mode);
  auto ended = recorder.run();
  if (!ended) return complain(ended.error());
  const char* quiet = std::getenv("ORRERY_QUIET");
  const bool may_speak = mode == machine::Mode::record && (quiet == nullptr || *quiet == 0);
  if (may_speak)
    std::fprintf(stderr, "orrery: recorded to %s%s\n",
                 printable(options.output.empty() ? last_part(recorder.recording()) : options.output).c_str(),
                 words_of_gap(recorder).c_str());
  if (recorder.timed_out()) return complain("the time was over, and the program was ended", kOutOfTime);
  return exit_code_like(ended.value());
}

void add_words(Arguments command, RecordOptions& options) {
  command.option("--cpu", options.profile,
                 "The processor the program sees: auto, host, x86-64-v2, x86-64-v3, x86-64-v4 or valgrind");
  command.option("--seed", options.seed,
                 "Clocks, random bytes, process ids and who runs when come from this number");
  command.option("--aslr", options.aslr,
                 "Move program, libraries, heap and stack by this number; 0, the default: always the same "
                 "places");
  command
      .option("--timeout", options.timeout_seconds,
              "End the program and all it has started after this many seconds; the exit status is 124 then")
      .within(0.0, 1e9);
  command.keep_rest();
}

/// Parts of a tree.
void add_following(Arguments command, RecordOptions& options) {
  const Argument no_follow =
      command.flag("--no-follow", options.no_follow,
                   "Record the first process; what others execute runs natively, with all that it starts");
  command
      .option("--only", options.only,
              "Of what others execute record programs whose path or name matches PATTERN (* and ? stand for "
              "letters); the rest runs natively, with all that it starts")
      .type_name("PATTERN")
      .excludes(no_follow)
      .checked_by([](const std::string& pattern) {
        return pattern.empty() || pattern.size() >= sizeof(machine::LaunchHeader::only)
                   ? std::string("a pattern has 1 to 247 letters")
                   : std::string();
      });
}

void add_runner(Arguments command, std::shared_ptr<RecordOptions> options, Session& session,
                machine::Mode mode) {
  add_words(command, *options);
  command.run([command, options, &session, mode] {
    options->words = command.rest();
    if (!options->words.empty() && options->words.front() == "--")
      options->words.erase(options->words.begin());
    const bool part = options->no_follow || !options->only.empty();
    if (options->words.empty())
      session.exit_code = complain(std::string("no program to run was given"), kUsage);
    else if (options->seed && part)
      session.exit_code = complain(
          std::string("--seed decides for every process of a run: not with --no-follow or --only"), kUsage);
    else
      session.exit_code = record(*options, mode);
  });
}

}  // namespace

void add_record(Arguments app, Session& session) {
  auto options = std::make_shared<RecordOptions>();
  const Arguments command =
      app.command("record", "Run a program and record it: record [OPTIONS] -- PROG ARGS...");
  command.option("-o,--output", options->output,
                 "The recording's directory; by default a new one of our own");
  command.size_option(
      "--min-free", options->free_bytes_least,
      "Do not begin with less free space than this, as 500MB; 32MB by default, 0: do not look");
  add_following(command, *options);
  add_runner(command, options, session, machine::Mode::record);
  command.set_examples(
      "  orrery record -- python3 -c 'print(1)'\n"
      "  orrery record -o crash -- ./program argument\n"
      "  orrery record --seed 7 -- ./simulation\n"
      "  orrery record --aslr 3 -- ./program       at other addresses\n"
      "  orrery record --timeout 60 -- ./server\n"
      "  orrery record --no-follow -- make -j4\n"
      "  orrery record --only '*test*' -- ./run-tests.sh\n");
}

/// The same machine without a recording. For tests and measurements; not listed.
void add_run(Arguments app, Session& session) {
  const Arguments command = app.command("run", "Run a program on the machine without recording it");
  command.hide();
  add_runner(command, std::make_shared<RecordOptions>(), session, machine::Mode::run);
}

}  // namespace orrery::cli
