#include "cli/process_option.h"

#include <charconv>

namespace orrery::cli {

std::set<u32> find_processes(const std::map<u32, i32>& pids, const std::string& word) {
  const bool by_number = word.starts_with('#');
  const char* const begin = word.data() + (by_number ? 1 : 0);
  const char* const end = word.data() + word.size();
  u32 value = 0;
  const auto [at, error] = std::from_chars(begin, end, value);
  std::set<u32> found;
  if (error != std::errc{} || at != end) return found;
  for (const auto& [number, pid] : pids)
    if (by_number ? number == value : pid == static_cast<i32>(value)) found.insert(number);
  return found;
}

}  // namespace orrery::cli
