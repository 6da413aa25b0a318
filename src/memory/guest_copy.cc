// Guest memory from engine code, with the kernel's rules: an access outside what the guest itself may do
// fails with EFAULT, and so does one to a file page that is no longer there.
#include <cerrno>
#include <cstring>

#include "memory/address_space.h"
#include "memory/guarded_copy.h"

namespace orrery::memory {

bool AddressSpace::read(u64 address, std::span<u8> out) const {
  if (!accessible(address, out.size(), Access::read)) return false;
  return guarded_copy(out.data(), reinterpret_cast<const void*>(address), out.size()) == out.size();
}

bool AddressSpace::read(u64 address, std::span<u8> out) {
  if (!accessible(address, out.size(), Access::read)) return false;
  return guarded_copy(out.data(), reinterpret_cast<const void*>(address), out.size()) == out.size();
}

bool AddressSpace::write(u64 address, std::span<const u8> in) {
  if (!accessible(address, in.size(), Access::write)) return false;
  prepare_write(address, in.size());
  return guarded_copy(reinterpret_cast<void*>(address), in.data(), in.size()) == in.size();
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
    out.insert(out.end(), piece, piece + length);
    if (length < have) return static_cast<i64>(out.size());
    if (have < wanted) return -EFAULT;
    address += have;
  }
}

}  // namespace orrery::memory
