#include "machine/family_link.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/raw_syscall.h"
#include "machine/engine_memory.h"
#include "machine/launch.h"
#include "trace/family_message.h"
#include "trace/ring.h"

namespace orrery::machine {

using host::raw_syscall;

namespace {

template <class Attempt>
i64 until_done(const Attempt& attempt) {
  i64 result;
  do {
    result = attempt();
  } while (result == -EINTR);
  return result;
}

Error failure(const char* doing, i64 result) { return Error{doing, static_cast<int>(-result)}; }

}  // namespace

Result<u64> map_ring(int fd) {
  const i64 file_bytes = raw_syscall(__NR_lseek, fd, 0, SEEK_END);
  const u64 capacity = file_bytes > 0 ? trace::ring_capacity_of_file(static_cast<u64>(file_bytes)) : 0;
  if (capacity == 0) return Error{"find the event ring"};
  for (const trace::RingPiece& piece : trace::ring_pieces(kRingStart, capacity)) {
    const i64 mapped = raw_syscall(__NR_mmap, piece.address, piece.size_bytes, PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_FIXED, fd, piece.file_offset);
    if (mapped < 0 && mapped > -4096) return failure("map the event ring", mapped);
  }
  if (!trace::ring_is_valid(reinterpret_cast<void*>(kRingStart), capacity))
    return Error{"recognise the event ring"};
  return capacity;
}

Status FamilyLink::map_machine_page() {
  const int fd = first_fd_ + kMachineFd;
  const i64 size_bytes = raw_syscall(__NR_lseek, fd, 0, SEEK_END);
  if (size_bytes < static_cast<i64>(trace::kMachinePageBytes))
    return failure("find the machine's page", size_bytes);
  const i64 mapped = raw_syscall(__NR_mmap, kMachinePageStart, size_bytes, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
  if (mapped < 0) return failure("map the machine's page", mapped);
  page_ = reinterpret_cast<trace::MachinePage*>(mapped);
  if (page_->version != trace::kFamilyVersion) return Error{"recognise the machine's page"};
  return Nothing{};
}

FamilyLink::MappedOrder FamilyLink::map_replay_order() {
  const int fd = first_fd_ + kMachineFd;
  const i64 size_bytes = raw_syscall(__NR_lseek, fd, 0, SEEK_END);
  if (size_bytes <= 0) return {};
  const i64 mapped = raw_syscall(__NR_mmap, kMachinePageStart, size_bytes, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
  if (mapped < 0) return {};
  return {reinterpret_cast<trace::ReplayOrder*>(mapped), static_cast<u64>(size_bytes)};
}

Result<FamilyLink::Joined> FamilyLink::join(u32 process) {
  raw_syscall(__NR_munmap, kRingStart, trace::ring_mapped_bytes(trace::kRingCapacityMost));
  for (const int parents : {kRingFd, kControlFd, kLifeFd}) raw_syscall(__NR_close, first_fd_ + parents);
  joined_ = false;
  const int own = first_fd_ + kOwnFd;
  trace::FamilyRequest request;
  request.process = process;
  TRY(send_request(request, own));
  joined_ = true;
  const auto [ring, life, control] = TRY(receive_reply(own));
  auto capacity = map_ring(ring);
  raw_syscall(__NR_close, ring);
  if (!capacity) return capacity.error();
  if (life >= 0) die_with(TRY(move_to(life, kLifeFd)));
  if (control >= 0) TRY(move_to(control, kControlFd));
  return Joined{.ring_bytes = capacity.value(), .controlled = control >= 0};
}

Result<int> FamilyLink::move_to(int fd, int place) {
  const i64 moved = raw_syscall(__NR_dup3, fd, first_fd_ + place, O_CLOEXEC);
  raw_syscall(__NR_close, fd);
  if (moved < 0) return failure("move a descriptor", moved);
  return first_fd_ + place;
}

/// The kernel kills this process when the pipe hangs up, whatever it does at that time: a replay that nobody
/// waits for must not run on. F_SETSIG sends any signal where there would be SIGIO (fcntl(2)).
void FamilyLink::die_with(int pipe) {
  raw_syscall(__NR_fcntl, pipe, F_SETOWN, raw_syscall(__NR_getpid));
  raw_syscall(__NR_fcntl, pipe, F_SETSIG, SIGKILL);
  raw_syscall(__NR_fcntl, pipe, F_SETFL, O_ASYNC);
}

int FamilyLink::kept_file(u32 file_number, int guest_fd) {
  const int answers = first_fd_ + kAnswerFd;
  trace::FamilyRequest request;
  request.kept_file = file_number + 1;
  int file = -1;
  if (send_request(request, answers, guest_fd)) {
    if (auto fds = receive_reply(answers)) file = fds.value()[0];
  }
  raw_syscall(__NR_close, answers);
  return file;
}

/// The other end of the socket that goes with the request becomes `own`, whatever that was before. `with`:
/// goes along too, unless it is -1.
Status FamilyLink::send_request(trace::FamilyRequest& request, int own, int with) {
  i32 ends[2] = {-1, -1};
  const i64 made = raw_syscall(__NR_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
  if (made < 0) return failure("make a socket", made);
  const i64 moved = raw_syscall(__NR_dup3, ends[0], own, O_CLOEXEC);
  raw_syscall(__NR_close, ends[0]);
  request.pid = static_cast<i32>(raw_syscall(__NR_getpid));
  trace::FamilyMessage message(&request, sizeof request);
  const int passed[] = {ends[1], with};
  message.put({passed, with >= 0 ? std::size_t{2} : std::size_t{1}});
  const i64 sent = until_done(
      [&] { return raw_syscall(__NR_sendmsg, first_fd_ + kFamilyFd, &message.header(), MSG_NOSIGNAL); });
  raw_syscall(__NR_close, ends[1]);
  if (moved < 0) return failure("move a socket", moved);
  if (sent != static_cast<i64>(sizeof request)) return failure("ask for an event ring", sent);
  return Nothing{};
}

/// What came with it, in the order of trace/family.h; or what else was asked for.
Result<FamilyLink::Received> FamilyLink::receive_reply(int own) {
  trace::FamilyReply reply;
  trace::FamilyMessage message(&reply, sizeof reply);
  const i64 got =
      until_done([&] { return raw_syscall(__NR_recvmsg, own, &message.header(), MSG_CMSG_CLOEXEC); });
  if (got != static_cast<i64>(sizeof reply)) return failure("receive an event ring", got < 0 ? got : -EPIPE);
  const auto fds = message.descriptors();
  if (reply.error != 0 || fds[0] < 0) return Error{"receive an event ring", static_cast<int>(reply.error)};
  return fds;
}

void FamilyLink::tell_end(i32 status) {
  if (!joined_) return;
  const trace::FamilyEnd end{status};
  raw_syscall(__NR_write, first_fd_ + kOwnFd, &end, sizeof end);
}

}  // namespace orrery::machine
