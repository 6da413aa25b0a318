#include "elf/debuginfod_hosted.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/base_name.h"
#include "base/clock_hosted.h"

namespace orrery::elf {
namespace {

constexpr u64 kSecond = 1'000'000'000;
/// How long a server may be silent, unless the user told libdebuginfod.
constexpr u64 kPatienceSeconds = 30;
/// Who waits longer than this is told for what.
constexpr u64 kQuietSeconds = 2;

/// One request under way. libdebuginfod's callback gets no word of who asked: it runs on the thread that did.
struct Request {
  std::string what;
  const Debuginfod::Complain& complain;
  u64 patience_ns;
  u64 begun_ns = monotonic_ns();
  u64 moved_ns = begun_ns;  ///< when something came last
  long done = 0;
  bool told = false, given_up = false;
};
thread_local Request* current_request = nullptr;

/// Called some times a second; another value than 0 ends the request. Until a server answers, `done` counts
/// these calls, and `all` is 0.
int watch_request(debuginfod_client*, long done, long all) {
  Request* const request = current_request;
  if (!request) return 0;
  const u64 now = monotonic_ns();
  if (all > 0 && done != request->done) {
    request->done = done;
    request->moved_ns = now;
  }
  if (!request->told && now - request->begun_ns > kQuietSeconds * kSecond) {
    request->told = true;
    request->complain("asking debuginfod for " + request->what + " …");
  }
  request->given_up = now - request->moved_ns > request->patience_ns;
  return request->given_up ? 1 : 0;
}

u64 patience_ns() {
  const char* const named = std::getenv("DEBUGINFOD_TIMEOUT");
  const long seconds = named ? std::strtol(named, nullptr, 10) : 0;
  return (seconds > 0 ? static_cast<u64>(seconds) : kPatienceSeconds) * kSecond;
}

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

/// What is used of elfutils/debuginfod.h, which Debian has in a package for developers.
struct Debuginfod::Library {
  using Progress = int (*)(debuginfod_client*, long, long);
  debuginfod_client* (*begin)() = nullptr;
  void (*end)(debuginfod_client*) = nullptr;
  int (*find_debug_file)(debuginfod_client*, const unsigned char*, int, char**) = nullptr;
  void (*set_progress)(debuginfod_client*, Progress) = nullptr;

  bool load() {
    void* const library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
    return library && find(library, "debuginfod_begin", begin) && find(library, "debuginfod_end", end) &&
           find(library, "debuginfod_find_debuginfo", find_debug_file) &&
           find(library, "debuginfod_set_progressfn", set_progress);
  }
};

Debuginfod::Debuginfod(Complain complain) : complain_(std::move(complain)) {}

Debuginfod::~Debuginfod() {
  if (client_) library_->end(client_);
}

void Debuginfod::give_up(const std::string& why) {
  gave_up_ = true;
  complain_(why + "; going on without debuginfod");
}

bool Debuginfod::begin() {
  if (client_ || gave_up_) return !gave_up_;
  const char* const servers = std::getenv("DEBUGINFOD_URLS");
  if (!servers || std::strspn(servers, " ") == std::strlen(servers)) {
    gave_up_ = true;
    return false;
  }
  library_ = std::make_unique<Library>();
  if (library_->load()) client_ = library_->begin();
  if (client_)
    library_->set_progress(client_, watch_request);
  else
    give_up("DEBUGINFOD_URLS is set, but libdebuginfod.so.1 cannot be used");
  return client_ != nullptr;
}

std::string Debuginfod::find_debug_file(std::span<const u8> build_id, const std::string& whose) {
  if (!begin()) return "";
  Request request{.what = "the debug information of " + std::string(base_name(whose)),
                  .complain = complain_,
                  .patience_ns = patience_ns()};
  current_request = &request;
  char* path = nullptr;
  const int fd =
      library_->find_debug_file(client_, build_id.data(), static_cast<int>(build_id.size()), &path);
  current_request = nullptr;
  const std::string found = fd >= 0 && path ? path : "";
  std::free(path);
  if (fd >= 0) close(fd);
  if (fd < 0 && (request.given_up || fd != -ENOENT)) {
    const std::string why = request.given_up
                                ? "no answer for " + std::to_string(request.patience_ns / kSecond) + " s"
                                : std::strerror(-fd);
    give_up("asking " + std::string(std::getenv("DEBUGINFOD_URLS")) + " for " + request.what + ": " + why);
  }
  return found;
}

}  // namespace orrery::elf
