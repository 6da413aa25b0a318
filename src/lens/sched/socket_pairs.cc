#include "lens/sched/socket_pairs.h"

#include <algorithm>
#include <map>
#include <string>

namespace orrery::lens::sched {
namespace {

/// "6379" of "127.0.0.1:6379"; all of a path.
std::string service_of(const std::string& address) {
  if (address.starts_with('/') || address.starts_with('@')) return address;
  return address.substr(address.rfind(':') + 1);
}

/// A listening socket hands connections out in the order in which they were made.
struct Service {
  std::vector<const io::OpenFile*> accepted{}, connected{};
};

}  // namespace

std::unordered_map<u64, u64> pair_sockets(std::span<const io::OpenFilePointer> files) {
  std::unordered_map<u64, u64> pairs;
  const auto join = [&](const io::OpenFile& left, const io::OpenFile& right) {
    pairs[left.number] = right.number;
    pairs[right.number] = left.number;
  };
  std::map<std::string, Service> services;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const io::OpenFile& file = *files[i];
    const bool is_pair = file.call == "pipe" || file.call == "pipe2" || file.call == "socketpair";
    if (is_pair && i + 1 < files.size() && files[i + 1]->call == file.call &&
        files[i + 1]->opened_ns == file.opened_ns && !pairs.contains(file.number))
      join(file, *files[i + 1]);
    if (file.how == nullptr || is_pair) continue;
    const bool accepted = std::string_view(file.how) == "accepted";
    Service& service = services[service_of(accepted ? file.local : file.peer)];
    (accepted ? service.accepted : service.connected).push_back(&file);
  }
  const auto by_time = [](const io::OpenFile* left, const io::OpenFile* right) {
    return left->connected_ns.value_or(0) < right->connected_ns.value_or(0);
  };
  for (auto& [name, service] : services) {
    if (service.accepted.size() != service.connected.size()) continue;  // others connect too
    std::stable_sort(service.connected.begin(), service.connected.end(), by_time);
    std::stable_sort(service.accepted.begin(), service.accepted.end(), by_time);
    for (std::size_t i = 0; i < service.accepted.size(); ++i)
      join(*service.accepted[i], *service.connected[i]);
  }
  return pairs;
}

}  // namespace orrery::lens::sched
