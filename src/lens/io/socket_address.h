// Addresses of sockets in the words people use.
#pragma once

#include <span>
#include <string>

#include "base/types.h"

namespace orrery::lens::io {

/// "127.0.0.1:6379", "[::1]:80", "/run/x.sock", "@name" of an abstract one; "" if there is none, or of
/// another family. `bytes`: a struct sockaddr.
std::string address_text(std::span<const u8> bytes);

/// What socket(2) makes: "tcp", "udp", "unix stream", "netlink".
std::string socket_kind(u64 family, u64 type);

}  // namespace orrery::lens::io
