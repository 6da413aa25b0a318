// A host mapping and a guest region are mostly the same range, but not always: the host merges neighbours
// that differ for the guest alone (code is mapped readable only) and splits at pages with translated code. A
// mapping that spans several regions gives its figures to them in the order of addresses, to each at most its
// size; so sums are exact, and neighbours of one file may be told apart wrongly.
#include "kernel/resident.h"

#include <algorithm>

#include "kernel/lines.h"
#include "kernel/proc_self.h"

namespace orrery::kernel {
namespace {

bool is_mapping_line(std::string_view line) {
  return !line.empty() && ((line[0] >= '0' && line[0] <= '9') || (line[0] >= 'a' && line[0] <= 'f'));
}

u64 hexadecimal(std::string_view& text) {
  u64 value = 0;
  while (!text.empty()) {
    const char c = text[0];
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(c >= 'a' && c <= 'f')) break;
    value = value << 4 | static_cast<u64>(digit ? c - '0' : c - 'a' + 10);
    text.remove_prefix(1);
  }
  return value;
}

u64 decimal(std::string_view text) {
  u64 value = 0;
  text.remove_prefix(std::min(text.find_first_of("0123456789"), text.size()));
  for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1))
    value = value * 10 + static_cast<u64>(text[0] - '0');
  return value;
}

}  // namespace

MeasuredMemory::MeasuredMemory(const std::vector<memory::Region>& regions, std::vector<char> smaps)
    : text_(std::move(smaps)) {
  for (const memory::Region& region : regions) regions_.push_back(&region);
  region_count_ = regions_.size();
  read_sample();
  values_.resize(region_count_ * names_.size());
  std::string_view rest(text_.data(), text_.size());
  while (!rest.empty()) {
    std::string_view head = next_line(rest);
    Mapping mapping;
    mapping.start = hexadecimal(head);
    head.remove_prefix(std::min<std::size_t>(1, head.size()));
    mapping.end = hexadecimal(head);
    const char* const first = rest.data();
    while (!rest.empty() && !is_mapping_line(rest)) next_line(rest);
    share_out(mapping, {first, static_cast<std::size_t>(rest.data() - first)});
  }
  regions_.clear();
}

void MeasuredMemory::read_sample() {
  std::string_view rest(text_.data(), text_.size());
  next_line(rest);
  const char* const first = rest.data();
  while (!rest.empty() && !is_mapping_line(rest)) {
    const std::string_view line = next_line(rest);
    names_.push_back(line.substr(0, line.find(':')));
  }
  if (!names_.empty()) sample_ = {first, static_cast<std::size_t>(rest.data() - first)};
}

void MeasuredMemory::share_out(const Mapping& mapping, std::string_view lines) {
  while (first_region_ < region_count_ && regions_[first_region_]->end <= mapping.start) ++first_region_;
  std::vector<u64> left;
  while (!lines.empty()) {
    const std::string_view line = next_line(lines);
    left.push_back(decimal(line.substr(std::min(line.find(':'), line.size()))));
  }
  if (left.size() != names_.size()) return;  // another kernel's lines
  for (std::size_t i = first_region_; i < region_count_ && regions_[i]->start < mapping.end; ++i) {
    if (regions_[i]->on_paper) continue;
    const u64 start = std::max(mapping.start, regions_[i]->start);
    const u64 end = std::min(mapping.end, regions_[i]->end);
    for (std::size_t k = 0; k < left.size(); ++k) {
      const u64 share = std::min(left[k], (end - start) >> 10);
      values_[i * names_.size() + k] += share;
      left[k] -= share;
    }
  }
}

std::size_t MeasuredMemory::column(std::string_view name) const {
  return static_cast<std::size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin());
}

u64 MeasuredMemory::kilobytes(std::size_t region, std::string_view name) const {
  const std::size_t at = column(name);
  return at < names_.size() && region < region_count_ ? values_[region * names_.size() + at] : 0;
}

u64 MeasuredMemory::total_kilobytes(std::string_view name) const {
  u64 total = 0;
  for (std::size_t region = 0; region < region_count_; ++region) total += kilobytes(region, name);
  return total;
}

MeasuredMemory measure_memory(Process& process, const ProcessView& view) {
  return {view.regions, read_host_file(process, "/proc/self/smaps")};
}

u64 engine_resident_pages(Process& process, u64 host_pages) {
  constexpr u64 kMuch = 256;
  EngineResident& known = process.engine_resident;
  const u64 change = std::max(known.host_pages, host_pages) - std::min(known.host_pages, host_pages);
  if (!known.measured || change > kMuch) {
    const u64 guests = measure_memory(process, view_of(process)).total_kilobytes("Rss") / (kPageBytes >> 10);
    known = {true, host_pages, host_pages - std::min(guests, host_pages)};
  }
  return known.engine_pages;
}

}  // namespace orrery::kernel
