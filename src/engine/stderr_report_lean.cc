#include <asm/unistd.h>

#include <algorithm>

#include "base/hash.h"
#include "engine/stderr_report.h"
#include "host/raw_syscall.h"

namespace orrery::engine {

namespace {

constexpr std::string_view kPrefix = "orrery: ";

}  // namespace

void StderrReport::line(std::string_view text) {
  if (silent_) return;
  const u64 hash = xxh64({reinterpret_cast<const u8*>(text.data()), text.size()});
  if (std::find(said_.begin(), said_.end(), hash) != said_.end()) return;
  said_.push_back(hash);
  std::vector<char> words(kPrefix.begin(), kPrefix.end());
  words.insert(words.end(), text.begin(), text.end());
  words.push_back('\n');
  host::raw_syscall(__NR_write, 2, words.data(), words.size());
}

}  // namespace orrery::engine
