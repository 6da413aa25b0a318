#include "lens/load/loaded_objects.h"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstddef>

namespace orrery::lens::load {
namespace {

constexpr u64 kPathBytesMost = 4096;
constexpr std::size_t kObjectsMost = 100'000;
constexpr int kNamespacesMost = 16;  // DL_NNS

/// struct r_debug_extended of link.h, by hand: older headers have no r_next.
struct Rendezvous {
  i32 version = 0;
  u32 padding = 0;
  u64 map = 0;
  u64 breakpoint = 0;
  u32 state = 0;
  u32 padding_too = 0;
  u64 linker_base = 0;
  u64 next = 0;  ///< version 2: the rendezvous of the next namespace (dlmopen)
};

}  // namespace

LoadedObjects::LoadedObjects(elf::StoppedMachine& machine, const StartStack& stack) {
  const u64 headers = stack.auxiliary_value(AT_PHDR), entry = stack.auxiliary_value(AT_ENTRY);
  program_ = open_at(machine, headers, &program_path_);
  if (program_) program_base_ = entry - program_->entry();
  linker_base_ = stack.auxiliary_value(AT_BASE);
  if (linker_base_ != 0) linker_ = open_at(machine, linker_base_, &linker_path_);
}

/// The file that is mapped at the address.
std::shared_ptr<ObjectFile> LoadedObjects::open_at(elf::StoppedMachine& machine, u64 address,
                                                   std::string* path) {
  const elf::MappedRegion* region = machine.find_region(address);
  if (region == nullptr || region->kept_file.empty()) return nullptr;
  if (path != nullptr) *path = region->path;
  return ObjectFile::open(region->kept_file);
}

/// DT_DEBUG of the program, which the dynamic linker fills in, leads there.
void LoadedObjects::refresh(elf::StoppedMachine& machine) {
  if (!program_ || !program_->dynamic_address()) return;
  u64 rendezvous_at = 0;
  for (u64 at = program_base_ + *program_->dynamic_address();; at += sizeof(Elf64_Dyn)) {
    Elf64_Dyn entry{};
    if (!machine.read_value(at, entry) || entry.d_tag == DT_NULL) return;
    if (entry.d_tag != DT_DEBUG) continue;
    rendezvous_at = entry.d_un.d_ptr;
    break;
  }
  std::vector<LoadedObject> now;
  for (int name_space = 0; rendezvous_at != 0 && name_space < kNamespacesMost; ++name_space) {
    Rendezvous rendezvous;
    const bool has_next = machine.read_value(rendezvous_at, rendezvous) && rendezvous.version >= 2;
    read_list(machine, rendezvous.map, name_space, now);
    rendezvous_at = has_next ? rendezvous.next : 0;
  }
  objects_ = std::move(now);
}

void LoadedObjects::read_list(elf::StoppedMachine& machine, u64 head, int name_space,
                              std::vector<LoadedObject>& objects) {
  bool is_first = name_space == 0;
  for (u64 at = head; at != 0 && objects.size() < kObjectsMost; is_first = false) {
    link_map map{};
    if (!machine.read_value(at, map)) return;
    LoadedObject object{.link_map = at, .base = map.l_addr, .name_space = name_space};
    const auto known = std::find_if(objects_.begin(), objects_.end(), [&](const LoadedObject& each) {
      return each.link_map == at && each.base == object.base;
    });
    if (known != objects_.end()) {
      object = *known;
    } else {
      object.path =
          is_first ? program_path_ : machine.read_string(reinterpret_cast<u64>(map.l_name), kPathBytesMost);
      object.file = is_first ? program_ : open_at(machine, reinterpret_cast<u64>(map.l_ld), nullptr);
    }
    objects.push_back(std::move(object));
    at = reinterpret_cast<u64>(map.l_next);
  }
}

const LoadedObject* LoadedObjects::find(u64 address) const {
  for (const LoadedObject& object : objects_)
    if (object.contains(address)) return &object;
  return nullptr;
}

}  // namespace orrery::lens::load
