#include "cli/replay_family.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <span>

#include "cli/replay_process.h"
#include "trace/family_message.h"
#include "trace/family_writer_hosted.h"
#include "trace/feeder_hosted.h"

namespace orrery::cli {
namespace {

constexpr u64 kFeederWaitNs = 5'000'000;
/// A request and the socket that came with it. False at the end.
bool receive(int socket, trace::FamilyRequest& request, Fd& passed) {
  trace::FamilyMessage message(&request, sizeof request);
  ssize_t got;
  while ((got = recvmsg(socket, &message.header(), MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  if (got > 0) {
    const auto fds = message.descriptors();
    passed = Fd(fds[0]);
    for (std::size_t at = 1; at < fds.size(); ++at) const Fd extra(fds[at]);
  }
  if (got != static_cast<ssize_t>(sizeof request)) request.version = 0;
  return got > 0;
}

void refuse(int socket, u32 error) {
  trace::FamilyReply answer{error};
  [[maybe_unused]] const ssize_t sent = send(socket, &answer, sizeof answer, MSG_NOSIGNAL);
}

void give(int socket, std::span<const int> fds) {
  trace::FamilyReply answer;
  trace::FamilyMessage message(&answer, sizeof answer);
  message.put(fds);
  [[maybe_unused]] const ssize_t sent = sendmsg(socket, &message.header(), MSG_NOSIGNAL);
}

/// Who made the socket. What a process says of itself is not believed: it runs a stranger's recording.
pid_t owner_of(int socket) {
  ucred owner{};
  socklen_t size = sizeof owner;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &owner, &size) == 0 ? owner.pid : -1;
}

}  // namespace

Result<std::unique_ptr<ReplayFamily>> ReplayFamily::start(const std::string& recording, Wanted wanted) {
  std::unique_ptr<ReplayFamily> family(new ReplayFamily(recording, std::move(wanted)));
  TRY(family->open());
  family->acceptor_ = std::thread([self = family.get()] { self->accept_all(); });
  return family;
}

Status ReplayFamily::open() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return Error{"making a socket", errno};
  our_end_ = Fd(ends[0]);
  engines_end_ = Fd(ends[1]);
  if (wanted_.only) return Nothing{};
  order_fd_ = Fd(memfd_create("orrery-order", MFD_CLOEXEC));
  const u64 size_bytes = trace::ReplayOrder::bytes_for(trace::kReplayProcessesMost);
  if (!order_fd_ || ftruncate(order_fd_.get(), static_cast<off_t>(size_bytes)) != 0)
    return Error{"making memory for the order of processes", errno};
  void* page = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, order_fd_.get(), 0);
  if (page == MAP_FAILED) return Error{"mapping the order of processes", errno};
  order_ = static_cast<trace::ReplayOrder*>(page);
  order_->version = trace::kFamilyVersion;
  order_->process_count = trace::kReplayProcessesMost;
  order_->processes_begun = 1;
  return Nothing{};
}

ReplayFamily::~ReplayFamily() {
  engines_end_ = Fd();
  if (acceptor_.joinable()) {
    kill_all();
    wait();
  }
  if (order_ != nullptr) munmap(order_, trace::ReplayOrder::bytes_for(trace::kReplayProcessesMost));
}

/// Until the last engine that holds the other end is gone.
void ReplayFamily::accept_all() {
  for (;;) {
    trace::FamilyRequest request;
    Fd socket;
    if (!receive(our_end_.get(), request, socket)) break;
    if (!socket) continue;
    const bool sound =
        request.version == trace::kFamilyVersion && request.process < trace::kReplayProcessesMost;
    if (!sound) {
      refuse(socket.get(), EPROTO);
    } else if (request.kept_file != 0) {
      give_file(request.kept_file - 1, socket.get());
    } else if (wanted_.only && !wanted_.only->has(request.process)) {
      refuse(socket.get(), ECANCELED);
    } else {
      begin(request, std::move(socket));
    }
  }
  wanted_.control = nullptr;  // who waits for its answers learns that none will come
}

void ReplayFamily::give_file(u32 file_number, int socket) {
  const int file = shared_copies_.get(file_number);
  if (file < 0)
    refuse(socket, ENOENT);
  else
    give(socket, {&file, 1});
}

void ReplayFamily::begin(const trace::FamilyRequest& request, Fd socket) {
  auto child = std::make_unique<Child>();
  child->request = request;
  child->pid = owner_of(socket.get());
  child->socket = std::move(socket);
  if (wanted_.control) child->control = wanted_.control(request.process);
  const std::lock_guard lock(mutex_);
  std::erase_if(children_, [](const std::unique_ptr<Child>& each) {
    if (each->gone) each->thread.join();
    return each->gone;
  });
  if (ending_ && child->pid > 0) kill(child->pid, SIGKILL);
  Child& added = *children_.emplace_back(std::move(child));
  added.thread = std::thread([this, &added] { serve(added); });
}

void ReplayFamily::serve(Child& child) {
  trace::TraceReader reader(wanted_.trace, child.request.process);
  auto ring = trace::MappedRing::create(trace::kForkedRingBytes);
  int pipe_ends[2] = {-1, -1};
  const bool has_pipe = pipe2(pipe_ends, O_CLOEXEC) == 0;
  Fd life(pipe_ends[0]);
  child.life = Fd(pipe_ends[1]);
  if (!ring || !has_pipe || !ring.value().become_hosted_peer()) {
    refuse(child.socket.get(), ENOMEM);
    return note_end(child, &reader, nullptr);
  }
  const Fd control = std::move(child.control);
  const int fds[] = {ring.value().fd(), life.get(), control.get()};
  give(child.socket.get(), {fds, control ? std::size(fds) : std::size(fds) - 1});
  life = Fd();
  feed(child, reader, ring.value());
  ring.value().leave_hosted_peer();
}

/// Until the engine says how it ended, or is gone.
void ReplayFamily::feed(Child& child, trace::TraceReader& reader, trace::MappedRing& ring) {
  trace::FutexWaiter waiter;
  trace::Producer producer(ring.base(), ring.capacity_bytes());
  trace::RingFeeder feeder(reader, producer, waiter);
  auto state = trace::RingFeeder::State::fed;
  for (;;) {
    if (state == trace::RingFeeder::State::fed) state = feeder.feed_and_wait(kFeederWaitNs);
    pollfd end{.fd = child.socket.get(), .events = POLLIN, .revents = 0};
    const int ready = poll(&end, 1, state == trace::RingFeeder::State::fed ? 0 : -1);
    if (ready <= 0) continue;
    trace::FamilyEnd word;
    const ssize_t got = recv(child.socket.get(), &word, sizeof word, 0);
    if (got < 0 && errno == EINTR) continue;
    return note_end(child, &reader, got == static_cast<ssize_t>(sizeof word) ? &word : nullptr);
  }
}

void ReplayFamily::note_end(Child& child, const trace::TraceReader* reader, const trace::FamilyEnd* end) {
  if (order_ != nullptr) {
    trace::ReplayProgress& progress = order_->progress[child.request.process];
    for (u64* at : {&progress.next_ns, &progress.shared_ns}) __atomic_store_n(at, ~u64{0}, __ATOMIC_RELEASE);
  }
  const std::lock_guard lock(mutex_);
  child.gone = true;
  ++outcome_.processes;
  if (reader != nullptr) {
    outcome_.events += reader->event_count();
    if (reader->ending() == trace::Ending::damaged) {
      outcome_.damaged = true;
      outcome_.damage = reader->trouble();
    }
  }
  if (end != nullptr && end->status == kDiffered) outcome_.differed = true;
  if (end == nullptr && !ending_) outcome_.lost = true;
  if (!outcome_.differed && !outcome_.lost) return;
  // One that stands still would keep the others waiting for their turn.
  kill_all(lock);
}

void ReplayFamily::kill_ancestors() {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  for (const auto& each : children_)
    if (!each->gone && each->pid > 0 && each->request.process != wanted_.asked) kill(each->pid, SIGKILL);
}

void ReplayFamily::kill_all() { kill_all(std::lock_guard(mutex_)); }

void ReplayFamily::kill_all(const std::lock_guard<std::mutex>&) {
  ending_ = true;
  for (const auto& each : children_)
    if (!each->gone && each->pid > 0) kill(each->pid, SIGKILL);
}

ReplayFamily::Outcome ReplayFamily::wait() {
  if (acceptor_.joinable()) acceptor_.join();
  for (const auto& child : children_)
    if (child->thread.joinable()) child->thread.join();
  children_.clear();
  return outcome_;
}

}  // namespace orrery::cli
