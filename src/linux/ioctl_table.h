// What ioctl(2) requests take: a value, or a pointer with a direction and a size. Old requests carry
// neither in their number (asm-generic/ioctls.h, linux/sockios.h), so they stand in a table; newer ones are
// built by _IOC(direction, type, number, size).
#pragma once

#include <optional>
#include <span>

#include "base/types.h"
#include "linux/syscall_row.h"

namespace orrery::abi {

struct IoctlRow {
  u32 request = 0;
  const char* name = nullptr;
  Direction direction = Direction::none;  ///< none: the argument is a value, or there is none
  u32 size_bytes = 0;
  bool returns_fd = false;
};

std::span<const IoctlRow> ioctl_rows();

/// The row of a request that the table lists, or null.
const IoctlRow* find_ioctl(u32 request);

/// What an unlisted request takes, told from its number; none if that cannot be trusted: the number says
/// nothing, or the structure of its kind of device may hold pointers that the kernel writes through.
std::optional<IoctlRow> decode_ioctl(u32 request);

}  // namespace orrery::abi
