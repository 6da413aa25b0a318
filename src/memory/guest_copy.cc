// Guest memory from engine code, with the kernel's rules: an access outside what the guest itself may do
// fails with EFAULT, and so does one to a file page that is no longer there.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "memory/address_space.h"
#include "memory/guarded_copy.h"

namespace orrery::memory {

bool AddressSpace::read(u64 address, std::span<u8> out) const {
  if (!accessible(address, out.size(), Access::read)) return false;
  tell(address, out.size(), false);
  return guarded_copy(out.data(), reinterpret_cast<const void*>(address), out.size()) == out.size();
}

bool AddressSpace::read(u64 address, std::span<u8> out) {
  if (!accessible(address, out.size(), Access::read)) return false;
  tell(address, out.size(), false);
  return guarded_copy(out.data(), reinterpret_cast<const void*>(address), out.size()) == out.size();
}

bool AddressSpace::write(u64 address, std::span<const u8> in) {
  if (!accessible(address, in.size(), Access::write)) return false;
  tell(address, in.size(), true);
  prepare_write(address, in.size());
  return guarded_copy(reinterpret_cast<void*>(address), in.data(), in.size()) == in.size();
}

/// Within one page. A page without any permission is opened for the moment.
u64 AddressSpace::peek_page(u64 address, std::span<u8> out) {
  const Region* const found = find(address);
  if (found == nullptr || (found->protection_most & PROT_READ) == 0) return 0;
  if (found->on_paper) {
    std::memset(out.data(), 0, out.size());
    return out.size();
  }
  tell(address, out.size(), false);
  const bool opens = (found->protection & kAccessBits) == 0;
  const u64 page = page_floor(address);
  if (opens && backend_.protect(page, kPageBytes, PROT_READ) != 0) return 0;
  const u64 done = guarded_copy(out.data(), reinterpret_cast<const void*>(address), out.size());
  if (opens) (void)backend_.protect(page, kPageBytes, PROT_NONE);
  return done;
}

/// kernel: check_vma_flags() with FOLL_WRITE and FOLL_FORCE.
u64 AddressSpace::poke_page(u64 address, std::span<const u8> in) {
  const Region* const found = find(address);
  if (found == nullptr || found->on_paper) return 0;
  const Region region = *found;
  if (!region.writable() && (region.shared() || (region.protection_most & PROT_WRITE) == 0)) return 0;
  tell(address, in.size(), true);
  prepare_write(address, in.size());
  const u64 page = page_floor(address);
  if (!region.writable() && backend_.protect(page, kPageBytes, PROT_READ | PROT_WRITE) != 0) return 0;
  const u64 done = guarded_copy(reinterpret_cast<void*>(address), in.data(), in.size());
  if (!region.writable()) (void)backend_.protect(page, kPageBytes, host_protection(region.protection, false));
  return done;
}

namespace {

/// Moves `bytes` from or to `address` in parts that cross no page, up to the first that is cut short.
template <class Bytes, class MovePage>
u64 page_by_page(u64 address, Bytes bytes, const MovePage& move_page) {
  u64 done = 0;
  while (done < bytes.size()) {
    const u64 at = address + done;
    const u64 count = std::min<u64>(bytes.size() - done, kPageBytes - at % kPageBytes);
    const u64 moved = move_page(at, bytes.subspan(done, count));
    done += moved;
    if (moved < count) break;
  }
  return done;
}

}  // namespace

u64 AddressSpace::peek(u64 address, std::span<u8> out) {
  return page_by_page(address, out, [&](u64 at, std::span<u8> part) { return peek_page(at, part); });
}

u64 AddressSpace::poke(u64 address, std::span<const u8> in) {
  return page_by_page(address, in, [&](u64 at, std::span<const u8> part) { return poke_page(at, part); });
}

/// Reads in pieces that end at multiples of 256, so that little is read beyond the NUL and no piece
/// crosses a page.
i64 AddressSpace::read_string(u64 address, u64 most_bytes, std::vector<char>& out) const {
  constexpr u64 kPieceBytes = 256;
  out.clear();
  char piece[kPieceBytes];
  for (;;) {
    const u64 wanted = kPieceBytes - address % kPieceBytes;
    const u64 allowed = accessible_bytes(address, wanted, Access::read);
    const u64 have = guarded_copy(piece, reinterpret_cast<const void*>(address), allowed);
    u64 length = 0;
    while (length < have && piece[length] != '\0') ++length;
    if (out.size() + length > most_bytes) return -ENAMETOOLONG;
    tell(address, length + (length < have ? 1 : 0), false);
    out.insert(out.end(), piece, piece + length);
    if (length < have) return static_cast<i64>(out.size());
    if (have < wanted) return -EFAULT;
    address += have;
  }
}

}  // namespace orrery::memory
