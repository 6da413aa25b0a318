#include "lens/io/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

namespace orrery::lens::io {
namespace {

template <class Address>
bool read(std::span<const u8> bytes, Address& address) {
  if (bytes.size() < sizeof address) return false;
  std::memcpy(&address, bytes.data(), sizeof address);
  return true;
}

std::string local_name(std::span<const u8> bytes) {
  constexpr std::size_t kPathAt = offsetof(sockaddr_un, sun_path);
  if (bytes.size() <= kPathAt) return "";
  const std::string path(reinterpret_cast<const char*>(bytes.data()) + kPathAt, bytes.size() - kPathAt);
  return path[0] == '\0' ? "@" + path.substr(1) : path.substr(0, path.find('\0'));
}

}  // namespace

std::string address_text(std::span<const u8> bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  sa_family_t family = AF_UNSPEC;
  if (!read(bytes, family)) return "";
  if (sockaddr_in v4; family == AF_INET && read(bytes, v4)) {
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  if (sockaddr_in6 v6; family == AF_INET6 && read(bytes, v6)) {
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  return family == AF_UNIX ? local_name(bytes) : "";
}

std::string socket_kind(u64 family, u64 type) {
  constexpr u64 kTypeBits = 0xf;  // SOCK_TYPE_MASK of linux/net.h
  const u64 plain = type & kTypeBits;
  if (family == AF_INET || family == AF_INET6)
    return plain == SOCK_STREAM ? "tcp" : plain == SOCK_DGRAM ? "udp" : "raw socket";
  if (family == AF_UNIX)
    return plain == SOCK_STREAM ? "unix stream" : plain == SOCK_DGRAM ? "unix datagram" : "unix packet";
  if (family == AF_NETLINK) return "netlink";
  return "socket";
}

}  // namespace orrery::lens::io
