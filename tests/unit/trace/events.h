// Events for tests: made, made up at random, and compared.
#pragma once

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "trace/event_view.h"

namespace orrery::trace {

inline void add_event(std::vector<u8>& out, EventHeader header, const std::vector<u8>& payload = {}) {
  header.payload_bytes = static_cast<u32>(payload.size());
  header.size_bytes = static_cast<u32>(event_bytes(payload.size()));
  const std::size_t at = out.size();
  out.resize(at + header.size_bytes, 0);
  std::memcpy(out.data() + at, &header, sizeof header);
  if (!payload.empty()) std::memcpy(out.data() + at + sizeof header, payload.data(), payload.size());
}

/// `count` events numbered from `first` on, with fields of every kind of size.
inline std::vector<u8> random_events(u64 seed, u64 first, u64 count, u64 payload_most = 200) {
  std::mt19937_64 random(seed);
  std::vector<u8> out;
  EventHeader header;
  for (u64 i = 0; i < count; ++i) {
    header.kind = static_cast<EventKind>(1 + random() % (kEventKindCount - 1));
    header.detail = static_cast<u16>(random() % 400);
    header.number = first + i;
    header.task = static_cast<i32>(random() % 3 == 0 ? random() : 1000);
    header.ticks = random() % 50 == 0 ? random() : header.ticks + random() % 1000;
    header.pc = random() % 4 == 0 ? random() : header.pc;
    header.request_hash = random();
    header.result = static_cast<i64>(random() % 2 == 0 ? random() : 0 - random() % 200);
    header.time_ns += random() % 100'000;
    std::vector<u8> payload(random() % 2 == 0 ? 0 : random() % payload_most);
    for (u8& byte : payload) byte = static_cast<u8>(random() % 7);
    add_event(out, header, payload);
  }
  return out;
}

/// A directory that goes with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/orrery-test-XXXXXX";
    path_ = mkdtemp(name);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    const std::string command = "rm -rf '" + path_ + "'";
    [[maybe_unused]] const int status = std::system(command.c_str());
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace orrery::trace
