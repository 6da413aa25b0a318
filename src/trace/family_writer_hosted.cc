// Rings for forked processes.
//
// One thread accepts requests; each living process has one that drains its ring, because a ring's
// consumer sleeps on a futex of that ring and an engine must notice its consumer's death (the robust futex
// belongs to a thread). Compressing happens in those threads, so a parallel build has a parallel writer.
//
// That a process is gone is told by the hang-up of its own socket; that all are, by the hang-up of the
// family's socket, which every engine holds for life. So the writer needs no list of pids, no supervisor, and
// no relationship to the processes, and it sees the end of a process killed by SIGKILL as well.
#include "trace/family_writer_hosted.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>

#include "trace/family_message.h"
#include "trace/recordings_hosted.h"
#include "trace/store_hosted.h"

namespace orrery::trace {
namespace {

/// Threads that wait for the next process; more of them end.
constexpr u64 kIdleMost = 4;

/// A process that is gone meanwhile does not miss it.
void reply(int socket, int error, int ring_fd) {
  FamilyReply words{.error = static_cast<u32>(error)};
  FamilyMessage message(&words, sizeof words);
  message.put({&ring_fd, ring_fd >= 0 ? std::size_t{1} : 0});
  while (sendmsg(socket, &message.header(), MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

bool hung_up(int socket) {
  pollfd fd{.fd = socket, .events = POLLRDHUP, .revents = 0};
  return poll(&fd, 1, 0) == 1;
}

}  // namespace

FamilyWriter::FamilyWriter(int family_fd, const std::string& recording, TraceSink& sink, FlushLimits limits)
    : family_fd_(family_fd), recording_(recording), sink_(sink), limits_(limits) {
  if (family_fd_ < 0) return;
  try {
    acceptor_ = std::thread([this] { accept_all(); });
  } catch (const std::exception&) {
    close(family_fd_);  // engines are told that nobody listens
  }
}

void FamilyWriter::wait() {
  if (acceptor_.joinable()) acceptor_.join();
}

void FamilyWriter::accept_all() {
  while (accept_one()) {
  }
  close(family_fd_);
  std::unique_lock lock(mutex_);
  closing_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return workers_.empty(); });
  lock.unlock();
  join_finished();
}

/// False when no engine is left.
bool FamilyWriter::accept_one() {
  FamilyRequest words{.version = 0};
  FamilyMessage message(&words, sizeof words);
  const ssize_t got = recvmsg(family_fd_, &message.header(), MSG_CMSG_CLOEXEC);
  if (got < 0 && errno == EINTR) return true;
  if (got <= 0) return false;
  join_finished();
  const auto fds = message.descriptors();
  const Request request{.process = words.process, .socket = fds[0]};
  if (request.socket < 0) return true;  // its end hangs up, and the process knows
  const bool whole = got == static_cast<ssize_t>(sizeof words) && words.version == kFamilyVersion;
  if (whole && words.kept_file != 0) {
    keep_file(words.kept_file - 1, fds[1], request.socket);
    for (const int fd : fds)
      if (fd >= 0) close(fd);
    return true;
  }
  for (std::size_t at = 1; at < fds.size(); ++at)
    if (fds[at] >= 0) close(fds[at]);
  const bool sound = whole && request.process != 0 && known_.insert(request.process).second;
  const int error = sound ? sink_.trouble() : EPROTO;
  if (error == 0) {
    hand_over(request);
  } else {
    reply(request.socket, error, -1);
    close(request.socket);
  }
  return true;
}

namespace {

/// link(2) into a recording reads nothing, so a descriptor that cannot be read from would do.
bool may_read(int fd) {
  const int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_WRONLY;
}

}  // namespace

/// Who asks gets only what it can read itself: a kept copy may be of a file that it has no right to.
i64 FamilyWriter::keep_or_open(int store, int files, u32 file_number, int fd) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
  LibcStoreCalls calls;
  FileIdentity identity;
  if (!may_read(fd) || calls.identify(fd, identity) < 0) return -EACCES;
  const i64 there = calls.open_at(files, file_name(file_number).text, kFlags, 0);
  if (there >= 0) {
    const auto known = kept_.find(file_number);
    if (known != kept_.end() && known->second == identity) return there;
    calls.close(static_cast<int>(there));
    return -EEXIST;
  }
  FileReference reference;
  const i64 kept = FileStore(calls, store, files).keep(fd, file_number, reference);
  if (kept >= 0) kept_[file_number] = identity;
  return kept;
}

void FamilyWriter::keep_file(u32 file_number, int fd, int socket) {
  auto store = open_store();
  auto files = open_files(recording_);
  i64 kept = -EACCES;
  if (store && files) kept = keep_or_open(store.value(), files.value(), file_number, fd);
  reply(socket, kept < 0 ? static_cast<int>(-kept) : 0, kept < 0 ? -1 : static_cast<int>(kept));
  if (store) close(store.value());
  if (files) close(files.value());
  if (kept >= 0) close(static_cast<int>(kept));
}

void FamilyWriter::hand_over(Request request) {
  const std::lock_guard lock(mutex_);
  if (idle_ <= requests_.size()) {
    const auto worker = workers_.emplace(workers_.end());
    try {
      worker->thread = std::thread([this, worker] { work(worker); });
    } catch (const std::exception&) {
      workers_.erase(worker);
      reply(request.socket, EAGAIN, -1);
      close(request.socket);
      return;
    }
    ++idle_;
  }
  requests_.push_back(request);
  changed_.notify_one();
}

void FamilyWriter::work(std::list<Worker>::iterator self) {
  std::unique_ptr<ChunkEncoder> encoder;
  for (Request request; next_request(request);) {
    try {
      if (!encoder) encoder = std::make_unique<ChunkEncoder>();
      serve(request, *encoder);
    } catch (const std::bad_alloc&) {
      reply(request.socket, ENOMEM, -1);
    }
    close(request.socket);
    const std::lock_guard lock(mutex_);
    ++idle_;
  }
  const std::lock_guard lock(mutex_);
  finished_.splice(finished_.end(), workers_, self);
  changed_.notify_all();
}

/// False when the thread is not needed any more.
bool FamilyWriter::next_request(Request& request) {
  std::unique_lock lock(mutex_);
  if (requests_.empty() && idle_ <= kIdleMost)
    changed_.wait(lock, [this] { return !requests_.empty() || closing_; });
  --idle_;
  if (requests_.empty()) return false;
  request = requests_.front();
  requests_.pop_front();
  return true;
}

void FamilyWriter::serve(const Request& request, ChunkEncoder& encoder) {
  auto made = MappedRing::create(kForkedRingBytes);
  if (!made) return reply(request.socket, made.error().errno_value, -1);
  MappedRing ring = made.take();
  if (const Status status = ring.become_hosted_peer(); !status)
    return reply(request.socket, status.error().errno_value, -1);
  reply(request.socket, 0, ring.fd());
  ring.close_descriptor();
  RingDrain drain(request.process, ring, sink_, encoder, limits_);
  sink_.process_ended(request.process, drain.run([&] { return hung_up(request.socket); }));
  ring.leave_hosted_peer();
}

void FamilyWriter::join_finished() {
  std::list<Worker> finished;
  {
    const std::lock_guard lock(mutex_);
    finished.splice(finished.end(), finished_);
  }
  for (Worker& worker : finished) worker.thread.join();
}

}  // namespace orrery::trace
