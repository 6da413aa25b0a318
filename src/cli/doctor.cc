// `orrery doctor`: what this host allows a recorder to do, and what that means for its user. Every line is
// something that was tried or read just now, not derived from version numbers.
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/host_limits.h"
#include "cli/launch.h"
#include "cli/program_check.h"
#include "cli/recording_text.h"
#include "cli/style.h"
#include "memory/layout.h"
#include "trace/recordings_hosted.h"
#include "x86/cpu_profile.h"

namespace orrery::cli {
namespace {

struct DoctorOptions {
  std::vector<std::string> programs;
  std::string proc = "/proc";
  bool json = false;
};

enum class Health { good, limited, bad };

struct Finding {
  const char* name;
  Health health;
  std::string fact;     ///< what was found
  std::string meaning;  ///< what follows; empty when there is nothing to do
};

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// A fact, and what host_limits.h says against it.
Finding judged(const char* name, std::string fact, const std::optional<std::string>& trouble) {
  return {name, trouble ? Health::bad : Health::good, std::move(fact), trouble.value_or("")};
}

Finding kernel(const HostLimits& limits) {
  return judged("kernel", "Linux " + limits.kernel_release + " " + limits.machine, kernel_trouble(limits));
}

Finding engine() {
  auto found = find_engine();
  if (!found)
    return {"engine", Health::bad, "not found", "install orrery-engine beside orrery, or in ../lib/orrery"};
  return {"engine", Health::good, found.value(), ""};
}

// --- the processor ---

Finding fsgsbase() {
  constexpr u64 kHwcap2Fsgsbase = 2;
  const bool has = (getauxval(AT_HWCAP2) & kHwcap2Fsgsbase) != 0;
  return {"fsgsbase", has ? Health::good : Health::limited, has ? "enabled" : "not enabled by the kernel",
          has ? "" : "programs that change fs or gs often (Wine, some runtimes) record more slowly"};
}

Finding tick_counter() {
  auto profile = x86::make_cpu_profile("auto", x86::this_cpu(getauxval(AT_HWCAP2)));
  if (!profile)
    return {"cpu", Health::bad, profile.error().doing, "this processor cannot be offered to programs"};
  const bool spare = profile.value().spare_vector_registers;
  return {"avx512vl", spare ? Health::good : Health::limited, spare ? "present" : "absent",
          spare ? "" : "ticks are counted in memory: tight loops record up to twice as slowly"};
}

std::string profiles_offered() {
  std::string offered;
  for (const char* name : {"x86-64-v2", "x86-64-v3", "x86-64-v4", "host"}) {
    if (!x86::make_cpu_profile(name, x86::this_cpu(getauxval(AT_HWCAP2)))) continue;
    offered += offered.empty() ? name : std::string(", ") + name;
  }
  return offered;
}

Finding profiles() {
  const std::string offered = profiles_offered();
  return {"profiles", offered.empty() ? Health::bad : Health::good, "--cpu " + offered,
          offered.empty() ? "this processor is older than x86-64-v2" : ""};
}

// --- memory ---

std::string limit_words(u64 bytes) {
  return bytes == HostLimits::kUnlimited ? "unlimited" : "limited to " + human_bytes(bytes);
}

Finding address_space(const HostLimits& limits) {
  return judged("address space", limit_words(limits.address_space_bytes), address_space_trouble(limits));
}

Finding data(const HostLimits& limits) {
  return judged("data", limit_words(limits.data_bytes), data_trouble(limits));
}

Finding overcommit(const HostLimits& limits) {
  return judged("overcommit", "vm.overcommit_memory=" + limits.overcommit_mode, overcommit_trouble(limits));
}

/// The engine's own places must be free in a fresh process, so they are tried in this one.
Finding layout() {
  using namespace memory::layout;
  const Range arenas{kEngineHigh.start, kEngineHigh.start + kGiB};
  for (const Range& range : {kCodeCache, kMiddleShadow, kHighShadow, arenas}) {
    void* const got = mmap(reinterpret_cast<void*>(range.start), range.size_bytes(), PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == MAP_FAILED)
      return {"layout", Health::bad, std::string("fixed addresses cannot be had: ") + std::strerror(errno),
              "the engine needs them; is this process under an emulator or a sanitizer?"};
    munmap(got, range.size_bytes());
  }
  return {"layout", Health::good, "the engine's fixed addresses are free", ""};
}

// --- descriptors and files ---

Finding file_size(const HostLimits& limits) {
  return judged("file size", limit_words(limits.file_size_bytes), file_size_trouble(limits));
}

Finding descriptors(const HostLimits& limits) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const std::string fact =
      std::to_string(limit.rlim_cur) + " now, " + std::to_string(limit.rlim_max) + " at most";
  if (const auto trouble = descriptor_trouble(limits)) return judged("descriptors", fact, trouble);
  const bool few = limit.rlim_max <= limit.rlim_cur && limit.rlim_cur < 1024;
  return {"descriptors", few ? Health::limited : Health::good, fact,
          few ? "the engine takes 16 of them from the program" : ""};
}

Finding memfd() {
  const Fd fd(memfd_create("orrery-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  return {"memfd", fd ? Health::good : Health::bad, fd ? "allowed" : std::strerror(errno),
          fd ? "" : "the event ring lies in one: nothing can be recorded here"};
}

/// What can be done in the recordings' file system, by doing it.
struct Disk {
  std::string directory;
  std::string trouble;
  u64 free_bytes = 0;
  bool reflinks = false;
  bool hard_links = false;
};

Disk examine_disk() {
  Disk disk;
  auto store = trace::open_store();
  disk.directory = trace::data_directory();
  if (!store) {
    disk.trouble = std::strerror(store.error().errno_value);
    return disk;
  }
  const Fd store_directory(store.take());
  struct statvfs space {};
  if (statvfs(disk.directory.c_str(), &space) == 0) disk.free_bytes = u64{space.f_bavail} * space.f_frsize;
  const std::string one = disk.directory + "/.doctor-1-" + std::to_string(getpid());
  const std::string two = disk.directory + "/.doctor-2-" + std::to_string(getpid());
  const Fd from(open(one.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!from || write(from.get(), "x", 1) != 1) disk.trouble = std::strerror(errno);
  disk.hard_links = link(one.c_str(), two.c_str()) == 0;
  unlink(two.c_str());
  const Fd to(open(two.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  disk.reflinks = to && ioctl(to.get(), FICLONE, from.get()) == 0;
  unlink(one.c_str());
  unlink(two.c_str());
  return disk;
}

std::vector<Finding> disk_findings() {
  const Disk disk = examine_disk();
  if (!disk.trouble.empty())
    return {{"recordings", Health::bad, disk.directory + ": " + disk.trouble,
             "set XDG_DATA_HOME to a directory that can be written"}};
  if (const auto trouble = noexec_trouble(disk.directory))
    return {{"recordings", Health::bad, disk.directory, *trouble}};
  if (const auto trouble = space_trouble(disk.directory, kFreeBytesLeast))
    return {{"recordings", Health::bad, disk.directory, *trouble}};
  constexpr u64 kLittle = u64{1} << 30;
  const bool little = disk.free_bytes < kLittle;
  return {{"recordings", little ? Health::limited : Health::good,
           disk.directory + ", " + human_bytes(disk.free_bytes) + " free",
           little ? "a full disk ends a recording; the program goes on" : ""},
          {"reflinks", Health::good, disk.reflinks ? "supported" : "not supported here",
           disk.reflinks ? "" : "files a program maps are copied the first time they are seen"},
          {"hard links", disk.hard_links ? Health::good : Health::limited,
           disk.hard_links ? "supported" : "not supported here",
           disk.hard_links ? "" : "every recording holds its own copies of mapped files"}};
}

// --- what a sandbox may forbid ---

/// Runs `attempt` in a child; true if it exits with 0.
template <class Attempt>
bool works_in_child(Attempt attempt) {
  const pid_t child = fork();
  if (child == 0) _exit(attempt() ? 0 : 1);
  int status = 1;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Finding writable_code() {
  const bool works = works_in_child([] {
    void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return false;
    *static_cast<unsigned char*>(page) = 0xc3;  // ret
    reinterpret_cast<void (*)()>(page)();
    return true;
  });
  return {
      "code memory", works ? Health::good : Health::bad,
      works ? "can be written and executed" : "a policy forbids memory that is written and executed",
      works ? "" : "the translator writes code: allow it (SELinux execmem, PaX MPROTECT) for orrery-engine"};
}

Finding seccomp() {
  const int mode = prctl(PR_GET_SECCOMP);
  const bool can_filter = prctl(PR_SET_SECCOMP, 2, nullptr) != 0 && errno == EFAULT;
  std::string fact = mode == 2 ? "this process is under a filter" : "no filter";
  fact += can_filter ? "; filters can be installed" : "; filters cannot be installed";
  return {"seccomp", can_filter ? Health::good : Health::limited, fact,
          mode == 2 ? "calls that the filter forbids fail for recorded programs too" : ""};
}

Finding yama() {
  const std::string scope = first_line("/proc/sys/kernel/yama/ptrace_scope");
  return {"ptrace", Health::good, scope.empty() ? "no restrictions (no Yama)" : "yama.ptrace_scope=" + scope,
          "not needed: nothing is traced"};
}

Finding performance_counters() {
  const std::string paranoid = first_line("/proc/sys/kernel/perf_event_paranoid");
  return {"counters", Health::good, "perf_event_paranoid=" + (paranoid.empty() ? "absent" : paranoid),
          "not needed: ticks are counted in software"};
}

/// What programs may look for and will not be given.
Finding devices() {
  std::string found;
  for (const char* path : {"/dev/dri", "/dev/nvidiactl", "/dev/kfd", "/dev/fb0"})
    if (access(path, F_OK) == 0) found += std::string(found.empty() ? "" : ", ") + path;
  if (found.empty()) return {"devices", Health::good, "no graphics devices", ""};
  return {"devices", Health::good, found,
          "graphics devices are refused to recorded programs: they fall back to drawing by themselves"};
}

Finding core_pattern() {
  return {"core dumps", Health::good, "core_pattern=" + first_line("/proc/sys/kernel/core_pattern"),
          "recorded programs leave none: their memory is in the recording"};
}

/// The calls that a recording cannot do without, tried where a filter may have taken them away.
Finding needed_calls() {
  std::string missing;
  const Fd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!self) missing += " pidfd_open";
  u32 word = 0;
  if (syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0) < 0) missing += " futex";
  if (!works_in_child([] { return true; })) missing += " fork";
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0)
    close(ends[0]), close(ends[1]);
  else
    missing += " socketpair";
  if (missing.empty()) return {"calls", Health::good, "all that are needed are allowed", ""};
  return {"calls", Health::bad, "refused:" + missing,
          "allow them in the container's seccomp profile, or run it with --security-opt seccomp=unconfined"};
}

/// The engine asks for a fixed layout; where a filter refuses it still fits, but randomization may collide.
Finding fixed_layout() {
  constexpr unsigned long kNoRandomize = 0x0040000;  // ADDR_NO_RANDOMIZE
  const bool works = works_in_child([] {
    return personality(kNoRandomize) >= 0 &&
           (static_cast<unsigned long>(personality(~0U)) & kNoRandomize) != 0;
  });
  return {"personality", works ? Health::good : Health::limited, works ? "allowed" : "refused by a filter",
          works ? "" : "the host's own mappings are placed at random; rarely one is in the engine's way"};
}

std::vector<Finding> program_findings(const std::vector<std::string>& programs) {
  std::vector<Finding> findings;
  for (const std::string& name : programs) {
    const std::string path = find_program(name);
    if (path.empty()) {
      findings.push_back(
          {"program", Health::bad, name + ": " + std::strerror(errno), "there is nothing to record"});
      continue;
    }
    const auto remarks = check_program(path);
    for (const ProgramRemark& remark : remarks)
      findings.push_back(
          {"program", remark.prevents ? Health::bad : Health::limited, remark.fact, remark.meaning});
    if (remarks.empty()) findings.push_back({"program", Health::good, path + " can be started", ""});
  }
  return findings;
}

std::vector<Finding> examine(const DoctorOptions& options) {
  const HostLimits limits = read_host_limits(options.proc);
  std::vector<Finding> findings = {kernel(limits),
                                   engine(),
                                   fsgsbase(),
                                   tick_counter(),
                                   profiles(),
                                   layout(),
                                   address_space(limits),
                                   data(limits),
                                   overcommit(limits),
                                   file_size(limits),
                                   descriptors(limits),
                                   memfd(),
                                   writable_code(),
                                   seccomp(),
                                   needed_calls(),
                                   fixed_layout(),
                                   devices()};
  for (Finding& finding : disk_findings()) findings.push_back(std::move(finding));
  for (Finding& finding : std::vector<Finding>{yama(), performance_counters(), core_pattern()})
    findings.push_back(std::move(finding));
  for (Finding& finding : program_findings(options.programs)) findings.push_back(std::move(finding));
  return findings;
}

const char* health_name(Health health) {
  switch (health) {
    case Health::good:
      return "good";
    case Health::limited:
      return "limited";
    case Health::bad:
      return "bad";
  }
  return "";
}

void print_findings(const std::vector<Finding>& findings, const Style& style) {
  for (const Finding& finding : findings) {
    std::string mark = style.green("ok  ");
    if (finding.health == Health::limited) mark = style.yellow("warn");
    if (finding.health == Health::bad) mark = style.red("BAD ");
    std::printf("%s  %-14s %s\n", mark.c_str(), finding.name, printable(finding.fact).c_str());
    if (!finding.meaning.empty()) std::printf("      %-14s %s\n", "", style.dim(finding.meaning).c_str());
  }
}

int doctor(const DoctorOptions& options, const Session& session) {
  const std::vector<Finding> findings = examine(options);
  Health worst = Health::good, host = Health::good;
  for (const Finding& finding : findings) {
    worst = std::max(worst, finding.health);
    if (std::strcmp(finding.name, "program") != 0) host = std::max(host, finding.health);
  }
  if (options.json) {
    nlohmann::ordered_json document = {{"verdict", health_name(worst)}};
    for (const Finding& finding : findings)
      document["findings"].push_back({{"name", finding.name},
                                      {"health", health_name(finding.health)},
                                      {"fact", finding.fact},
                                      {"meaning", finding.meaning}});
    print_json(document);
  } else {
    print_findings(findings, Style::for_stream(session.color, STDOUT_FILENO));
    std::printf("\n%s\n", host == Health::bad       ? "Programs cannot be recorded here."
                          : worst == Health::bad    ? "Programs can be recorded here, but not all of these."
                          : host == Health::limited ? "Programs can be recorded here, with the limits above."
                                                    : "Programs can be recorded here.");
  }
  return worst == Health::bad ? kCannotRun : kNothingFound;
}

}  // namespace

void add_doctor(Arguments app, Session& session) {
  auto options = std::make_shared<DoctorOptions>();
  const Arguments command = app.command("doctor", "Say what this host allows, and what that means");
  command.option("PROG", options->programs, "Programs to look at as well");
  command.flag("--json", options->json, "Print JSON");
  command.option("--proc", options->proc, "Where /proc is").hidden();  // for tests; not listed
  command.set_examples("  orrery doctor\n  orrery doctor ./program\n  orrery doctor --json | jq .verdict\n");
  command.run([options, &session] { session.exit_code = doctor(*options, session); });
}

}  // namespace orrery::cli
