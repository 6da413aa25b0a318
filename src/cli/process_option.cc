#include "cli/process_option.h"

#include <charconv>

#include "cli/command.h"
#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

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

}  // namespace

std::map<u32, i32> pids_of(const lens::ProcessTree& tree) {
  std::map<u32, i32> pids;
  for (const auto& [number, process] : tree) pids[number] = process.pid;
  return pids;
}

std::set<u32> choose_processes(const std::map<u32, i32>& pids, const std::string& word) {
  std::set<u32> found = find_processes(pids, word);
  if (found.empty()) complain("no process " + printable(word) + " is in the recording; orrery ps lists them");
  return found;
}

}  // namespace orrery::cli
