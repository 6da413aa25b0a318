#include "lens/errors/leak_search.h"

#include <sys/mman.h>

#include <algorithm>

namespace orrery::lens::errors {
namespace {

using memory::layout::Range;

constexpr u64 kPieceBytes = 1 << 20;
constexpr u64 kWordBytes = sizeof(u64);
constexpr u64 kRedZoneBytes = 128;  ///< System V ABI, AMD64, 3.2.2

class Search {
 public:
  Search(ReplaySession& session, const HeapBlocks& blocks, const HeapShadow& shadow, const OddMemory& odd)
      : session_(session), shadow_(shadow), odd_(odd) {
    for (const HeapBlock& block : blocks.live()) leaks_.push_back({block, LeakKind::definite});
    found_.assign(leaks_.size(), Found::none);
  }

  std::vector<Leak> run() {
    mark_from_roots();
    for (std::size_t number = 0; number < leaks_.size(); ++number)
      if (found_[number] == Found::none) mark_from_lost(number);
    return std::move(leaks_);
  }

 private:
  /// How a block has been found so far; what leads through the midst of one block is no better from there on.
  enum class Found : u8 { none, inside, begin };

  /// Calls visit(word) for each aligned word that can be read.
  template <class Visit>
  void scan(u64 address, u64 size_bytes, Visit visit) {
    const u64 end = address + size_bytes;
    std::vector<u64> words;
    for (u64 at = (address + kWordBytes - 1) / kWordBytes * kWordBytes; at + kWordBytes <= end;) {
      words.resize(std::min(kPieceBytes, end - at) / kWordBytes);
      const std::span<u8> bytes(reinterpret_cast<u8*>(words.data()), words.size() * kWordBytes);
      const u64 got = session_.read_through(at, bytes);
      for (u64 word = 0; word < got / kWordBytes; ++word) visit(words[word]);
      if (got < bytes.size()) return;
      at += got;
    }
  }

  /// The block that an address lies in; how many there are if it lies in none.
  std::size_t block_at(u64 address) const {
    if (!shadow_.is_held(address)) return leaks_.size();
    const auto above =
        std::upper_bound(leaks_.begin(), leaks_.end(), address,
                         [](u64 wanted, const Leak& leak) { return wanted < leak.block.address; });
    if (above == leaks_.begin()) return leaks_.size();
    const HeapBlock& block = std::prev(above)->block;
    if (address >= block.address + std::max<u64>(1, block.size_bytes)) return leaks_.size();
    return static_cast<std::size_t>(std::prev(above) - leaks_.begin());
  }

  void mark_from_roots() {
    std::vector<Range> unused = odd_.stacks;
    // Copies: what follows asks the session more.
    const std::vector<machine::ControlTask> tasks = session_.tasks();
    const std::vector<elf::MappedRegion> regions = session_.regions();
    for (const machine::ControlTask& task : tasks) {
      if (task.state == machine::TaskState::ended) continue;
      for (const u64 word : task.gpr) look_at(word, Found::begin);
      constexpr int kRsp = 4;
      const u64 rsp = task.gpr[kRsp];
      std::erase_if(unused, [&](const Range& stack) { return stack.contains(rsp); });
      for (const elf::MappedRegion& region : regions)
        if (rsp >= region.start && rsp < region.end)
          unused.push_back({region.start, std::max(region.start, rsp - kRedZoneBytes)});
    }
    for (const elf::MappedRegion& region : regions)
      if ((region.protection & PROT_WRITE) != 0) scan_roots({region.start, region.end}, unused);
    while (!to_follow_.empty()) {
      const std::size_t number = to_follow_.back();
      to_follow_.pop_back();
      const Found by = found_[number];
      leaks_[number].kind = by == Found::begin ? LeakKind::reachable : LeakKind::possible;
      const HeapBlock& block = leaks_[number].block;
      scan(block.address, block.size_bytes, [&](u64 word) { look_at(word, by); });
    }
  }

  /// All of a region but the heap and what of stacks is not used.
  void scan_roots(Range region, const std::vector<Range>& unused) {
    const bool is_allocators =
        std::any_of(odd_.allocators.begin(), odd_.allocators.end(),
                    [&](const Range& file) { return file.overlaps(region.start, region.end); });
    for (const Range& each : unused)
      if (each.contains(region.start)) region.start = std::min(region.end, each.end);
    for (u64 at = region.start; at < region.end;) {
      const u64 begin = at;
      while (at < region.end && at - begin < kPieceBytes && !shadow_.is_held(at))
        at = page_floor(at) + kPageBytes;
      scan(begin, std::min(at, region.end) - begin, [&](u64 word) {
        const std::size_t number = is_allocators ? block_at(word) : 0;
        if (is_allocators && (number == leaks_.size() || leaks_[number].block.address != word)) return;
        look_at(word, Found::begin);
      });
      while (at < region.end && shadow_.is_held(at)) at = page_floor(at) + kPageBytes;
    }
  }

  void look_at(u64 word, Found by) {
    const std::size_t number = block_at(word);
    if (number == leaks_.size()) return;
    const Found found = word == leaks_[number].block.address ? by : Found::inside;
    if (found <= found_[number]) return;
    found_[number] = found;
    to_follow_.push_back(number);
  }

  /// A block that nothing leads to, and those that it leads to: also such as were taken for lost before it
  /// was come to.
  void mark_from_lost(std::size_t lost) {
    found_[lost] = Found::begin;
    to_follow_.push_back(lost);
    while (!to_follow_.empty()) {
      const HeapBlock& block = leaks_[to_follow_.back()].block;
      to_follow_.pop_back();
      scan(block.address, block.size_bytes, [&](u64 word) {
        const std::size_t number = block_at(word);
        if (number == leaks_.size() || number == lost) return;
        if (leaks_[number].kind == LeakKind::definite) leaks_[number].kind = LeakKind::indirect;
        if (found_[number] != Found::none) return;
        found_[number] = Found::begin;
        to_follow_.push_back(number);
      });
    }
  }

  ReplaySession& session_;
  const HeapShadow& shadow_;
  const OddMemory& odd_;
  std::vector<Leak> leaks_;
  std::vector<Found> found_;
  std::vector<std::size_t> to_follow_;
};

}  // namespace

std::vector<Leak> find_leaks(ReplaySession& session, const HeapBlocks& blocks, const HeapShadow& shadow,
                             const OddMemory& odd) {
  return Search(session, blocks, shadow, odd).run();
}

}  // namespace orrery::lens::errors
