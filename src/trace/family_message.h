// A message of trace/family.h and the descriptors that travel beside it (unix(7), SCM_RIGHTS): how it is laid
// out for sendmsg and recvmsg, which both sides call in their own way.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "base/types.h"

namespace orrery::trace {

class FamilyMessage {
 public:
  static constexpr std::size_t kDescriptorsMost = 3;

  /// The message's bytes, to be sent or to be received into.
  FamilyMessage(void* bytes, std::size_t size_bytes) : part_{bytes, size_bytes} {
    header_.msg_iov = &part_;
    header_.msg_iovlen = 1;
    header_.msg_control = control_.data();
    header_.msg_controllen = CMSG_LEN(kDescriptorsMost * sizeof(int));  // no room for one more
  }
  FamilyMessage(const FamilyMessage&) = delete;
  FamilyMessage& operator=(const FamilyMessage&) = delete;

  msghdr& header() { return header_; }

  /// At most kDescriptorsMost, before it is sent.
  void put(std::span<const int> fds) {
    header_.msg_controllen = fds.empty() ? 0 : CMSG_SPACE(fds.size_bytes());
    if (fds.empty()) return;
    cmsghdr* const rights = CMSG_FIRSTHDR(&header_);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }

  /// After it was received: the descriptors, which are the receiver's from now on; -1 where there is none.
  std::array<int, kDescriptorsMost> descriptors() {
    std::array<int, kDescriptorsMost> fds = {-1, -1, -1};
    const cmsghdr* const rights = CMSG_FIRSTHDR(&header_);
    if (rights == nullptr || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) return fds;
    const std::size_t bytes = rights->cmsg_len - CMSG_LEN(0);
    std::memcpy(fds.data(), CMSG_DATA(rights), bytes < sizeof fds ? bytes : sizeof fds);
    return fds;
  }

 private:
  alignas(cmsghdr) std::array<u8, CMSG_SPACE(kDescriptorsMost * sizeof(int))> control_{};
  iovec part_;
  msghdr header_{};
};

}  // namespace orrery::trace
