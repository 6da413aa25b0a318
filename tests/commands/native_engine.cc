// Takes the engine's place beside a copy of `orrery`, and runs the program natively: so what `orrery record`
// does for a tree of processes (adopting, waiting, ending, handing signals on) is tested apart from what the
// machine can run. Like engines, all processes hold the family's socket for life. The recording has one
// event.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "machine/launch.h"
#include "trace/event.h"
#include "trace/ring_hosted.h"

namespace {

namespace machine = orrery::machine;
namespace trace = orrery::trace;
using orrery::u8;

std::vector<char> read_all(int fd) {
  std::vector<char> bytes(static_cast<std::size_t>(lseek(fd, 0, SEEK_END)));
  if (pread(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) _exit(69);
  return bytes;
}

void write_one_event(int ring_fd) {
  auto mapped = trace::MappedRing::map(ring_fd);
  if (!mapped) _exit(69);
  const trace::MappedRing ring = mapped.take();
  trace::FutexWaiter waiter;
  trace::Producer producer(ring.base(), ring.capacity_bytes());
  trace::EventHeader event;
  event.size_bytes = sizeof event;
  event.kind = trace::EventKind::tsc;
  std::memcpy(producer.reserve(sizeof event), &event, sizeof event);
  producer.commit(sizeof event, waiter);
  producer.close(waiter);
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 69;
  const int first = std::atoi(words[1]);
  std::vector<char> launch = read_all(first + machine::kLaunchFd);
  machine::LaunchHeader header;
  std::memcpy(&header, launch.data(), sizeof header);
  if (header.mode == machine::Mode::record) write_one_event(first + machine::kRingFd);
  std::vector<char*> strings;
  for (char *at = launch.data() + sizeof header, *end = launch.data() + launch.size(); at < end;
       at += std::strlen(at) + 1)
    strings.push_back(at);
  std::vector<char*> arguments(strings.begin() + 2, strings.begin() + 2 + header.argument_count);
  std::vector<char*> environment(strings.begin() + 2 + header.argument_count, strings.end());
  arguments.push_back(nullptr);
  environment.push_back(nullptr);
  execve(strings[0], arguments.data(), environment.data());
  return 69;
}
