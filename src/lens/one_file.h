// A stopped machine as if one of its files were all that is mapped: its image is opened without opening all
// others again whenever the map changes.
#pragma once

#include <vector>

#include "elf/stopped_machine_hosted.h"

namespace orrery::lens {

class OneFile final : public elf::StoppedMachine {
 public:
  OneFile(elf::StoppedMachine& machine, const elf::MappedRegion& of) : machine_(machine) {
    for (const elf::MappedRegion& each : machine.regions())
      if (each.path == of.path && each.kept_file == of.kept_file) regions_.push_back(each);
  }
  const elf::MachineRegisters& registers() override { return machine_.registers(); }
  u64 read(u64 address, std::span<u8> out) override { return machine_.read(address, out); }
  const std::vector<elf::MappedRegion>& regions() override { return regions_; }

 private:
  elf::StoppedMachine& machine_;
  std::vector<elf::MappedRegion> regions_;
};

}  // namespace orrery::lens
