// A recording somebody damaged: a good trace with the fuzzer's edits (offset, value), cut to a length.
// The reader yields events that parse or says where the damage is, for each process; it reads the same events
// again, and in order of time the merged reader yields as many.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "trace/processes_hosted.h"
#include "trace/trace_file_hosted.h"

namespace {

namespace trace = orrery::trace;
using orrery::u32;
using orrery::u64;
using orrery::u8;

/// 80 events of three processes in six chunks, as the writer leaves them.
std::vector<u8> good_trace() {
  const std::string path = "/tmp/orrery-trace-fuzz-" + std::to_string(getpid());
  auto created = trace::TraceAppender::create(path, 1);
  if (!created) std::abort();
  auto appender = created.take();
  u64 numbers[3] = {0, 0, 0};
  for (u32 chunk = 0; chunk < 6; chunk++) {
    std::vector<u8> events;
    u64& number = numbers[chunk % 3];
    for (u64 left = 10 + number % 7; left > 0; left--, number++) {
      trace::EventHeader header;
      header.kind = trace::EventKind::syscall;
      header.number = number;
      header.time_ns = chunk * 100 + number;
      header.payload_bytes = static_cast<u32>(number * 3 % 50);
      header.size_bytes = static_cast<u32>(trace::event_bytes(header.payload_bytes));
      const std::size_t at = events.size();
      events.resize(at + header.size_bytes, static_cast<u8>(number));
      std::memcpy(events.data() + at, &header, sizeof header);
    }
    if (!appender.append(events, 1, chunk % 3)) std::abort();
  }
  if (!appender.finish()) std::abort();
  std::vector<u8> bytes(appender.stored_bytes() + 4096);
  const ssize_t size = pread(appender.fd(), bytes.data(), bytes.size(), 0);
  if (size <= 0) std::abort();
  bytes.resize(static_cast<std::size_t>(size));
  unlink(path.c_str());
  return bytes;
}

u64 read_process(const std::shared_ptr<const trace::OpenedTrace>& opened, u32 process) {
  trace::TraceReader reader(opened, process);
  u64 count = 0, last = 0;
  trace::EventView event;
  while (reader.next(event) == trace::ReadStatus::event) {
    if (trace::event_bytes(event.payload.size()) != event.header->size_bytes) std::abort();
    if (count > 0 && event.header->number != last + 1) std::abort();
    last = event.header->number;
    count++;
  }
  if (reader.ending() == trace::Ending::damaged && reader.trouble().empty()) std::abort();
  if (count > 0) (void)reader.seek(last);
  return count;
}

u64 read_all(const std::string& path) {
  std::string trouble;
  const auto opened = trace::OpenedTrace::open(path, trouble);
  if (!opened) {
    if (trouble.empty()) std::abort();
    return 0;
  }
  u64 count = 0;
  for (const auto& [process, chunks] : opened->processes()) count += read_process(opened, process);
  u64 merged = 0;
  trace::MergedReader reader(opened);
  trace::EventView event;
  while (reader.next(event) == trace::ReadStatus::event) merged++;
  if (merged != count || trace::read_processes(opened).size() != opened->processes().size()) std::abort();
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<u8> good = good_trace();
  std::vector<u8> bytes = good;
  if (size >= 2) bytes.resize(bytes.size() - (data[0] == 0 ? std::size_t{data[1]} * 4 % bytes.size() : 0));
  for (std::size_t i = 2; i + 3 <= size; i += 3) {
    const std::size_t at = data[i] | std::size_t{data[i + 1]} << 8;
    bytes[at % bytes.size()] = data[i + 2];
  }
  const int fd = memfd_create("trace", MFD_CLOEXEC);
  if (fd < 0 || write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const u64 first = read_all(path);
  if (read_all(path) != first) std::abort();
  close(fd);
  return 0;
}
