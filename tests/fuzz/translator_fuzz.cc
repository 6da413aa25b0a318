// Any bytes as guest code: what the block builder makes of them keeps its promises. Marks and exits lie
// inside the block, links can be made, nothing is longer than it may be, and no instruction that would
// leave the machine (syscall, cpuid, hlt ...) stands in the emitted code, however the bytes were arranged.
// Nothing is executed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "../unit/translate/guest_memory.h"
#include "translate/block_builder.h"
#include "translate/code_cache.h"
#include "x86/decode.h"

namespace {

namespace translate = orrery::translate;
using orrery::i32;
using orrery::u32;
using orrery::u64;
using orrery::u8;
using translate::Block;
using translate::BlockExit;
using translate::GuestMemory;

void require(bool condition) {
  if (!condition) std::abort();
}

/// Where the code ends in the guest's memory: in the midst of a page, or where nothing more is mapped.
u64 place(u8 choice, u64 size) {
  if ((choice & 1) != 0) return GuestMemory::kCode + GuestMemory::kCodeBytes - size;
  return GuestMemory::kCode + 0x4000 - (choice >> 1) % 64;
}

void check_marks(const translate::BuiltBlock& built) {
  const Block& block = built.block;
  require(!built.marks.empty() && built.marks.front().host_offset == 0);
  u32 host = 0, guest = 0;
  for (const translate::InstructionMark& mark : built.marks) {
    require(mark.host_offset >= host && mark.guest_offset >= guest);
    require(block.host_entry + mark.host_offset < block.host_end);
    require(mark.guest_offset <= block.guest_bytes);
    require(mark.borrowed <= translate::Borrowed::shadow_load);
    host = mark.host_offset;
    guest = mark.guest_offset;
  }
}

void check_exits(const translate::BuiltBlock& built) {
  const Block& block = built.block;
  for (const BlockExit& exit : built.exits) {
    require(exit.instruction_bytes <= 15);
    if (exit.jump_offset == translate::kNone) continue;
    require(exit.jump_offset >= block.host_entry && exit.jump_offset + 4 <= block.host_end);
    require(exit.stub_offset >= block.host_entry && exit.stub_offset < block.host_end);
    i32 distance;
    std::memcpy(&distance, translate::cache_at(exit.jump_offset), sizeof distance);
    require(orrery::i64{exit.jump_offset} + 4 + distance == orrery::i64{exit.stub_offset});
  }
}

/// Every host instruction between the first and the last mark may be run; behind the last there are stubs
/// and literals.
void check_code(const translate::BuiltBlock& built) {
  using orrery::x86::Category;
  u32 at = built.block.host_entry;
  const u32 end = built.block.host_entry + built.marks.back().host_offset;
  while (at < end) {
    const auto decoded =
        orrery::x86::decode({translate::cache_at(at), std::min<u64>(15, built.block.host_end - at)});
    require(decoded.length != 0);
    require(decoded.category != Category::invalid && decoded.category != Category::syscall);
    require(decoded.category != Category::gated && decoded.category != Category::trap);
    require(decoded.category != Category::far_transfer && decoded.category != Category::ret);
    at += decoded.length;
  }
  require(at == end);
}

void check(const translate::BuiltBlock& built, u64 pc, u32 cache_offset) {
  const Block& block = built.block;
  require(block.pc == pc && block.host_begin == cache_offset);
  require(block.host_begin <= block.host_entry && block.host_entry <= block.host_end);
  require(block.host_end - cache_offset <= translate::kBlockHostBytesMost);
  require(block.guest_bytes >= 1);
  const u64 last_page = orrery::page_floor(pc + block.guest_bytes - 1);
  require(last_page - orrery::page_floor(pc) <= orrery::kPageBytes);
  check_marks(built);
  check_exits(built);
  check_code(built);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4 || size > 4096) return 0;
  static GuestMemory memory(GuestMemory::For::building);
  const orrery::x86::FeatureSet features = [&] {
    auto offered = translate::all_features();
    if ((data[0] & 8) != 0) offered = {};
    offered.add(orrery::x86::Feature::base);
    return offered;
  }();
  const translate::BuildOptions options{
      .variant = (data[0] & 1) != 0 ? translate::Variant::exact : translate::Variant::fast,
      .tick_home = (data[0] & 2) != 0 ? translate::TickHome::memory : translate::TickHome::vector,
      .instructions_most = (data[0] & 16) != 0 ? 1u : 128u,
      .may_widen = (data[0] & 4) != 0};
  const std::span<const u8> code(data + 2, size - 2);
  const u64 start = place(data[1], code.size());
  memory.put(code, start - GuestMemory::kCode);

  // From block to block, as the guest would run; also into the middle of instructions.
  translate::BlockBuilder builder(memory.space(), features);
  std::vector<u64> pcs = {start, start + code.size() / 2};
  u32 cache_offset = 0;
  for (std::size_t next = 0; next < pcs.size() && next < 24; ++next) {
    if (!builder.build(pcs[next], cache_offset, 1 + static_cast<u32>(next), options)) continue;
    check(builder.result(), pcs[next], cache_offset);
    cache_offset = builder.result().block.host_end;
    for (const BlockExit& exit : builder.result().exits)
      if (exit.pc - start < code.size() && std::find(pcs.begin(), pcs.end(), exit.pc) == pcs.end())
        pcs.push_back(exit.pc);
  }
  // The next input begins with pages of nothing.
  const std::vector<u8> zeros(code.size());
  memory.put(zeros, start - GuestMemory::kCode);
  return 0;
}
