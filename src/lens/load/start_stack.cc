#include "lens/load/start_stack.h"

#include <elf.h>

namespace orrery::lens::load {
namespace {

constexpr u64 kStringBytesMost = 1 << 17;  // MAX_ARG_STRLEN
constexpr u64 kEntriesMost = 1 << 20;

/// The strings of a vector that ends with a null pointer; `at` is behind it then.
std::vector<std::string> read_vector(elf::StoppedMachine& machine, u64& at) {
  std::vector<std::string> strings;
  for (u64 pointer = 0; strings.size() < kEntriesMost;
       strings.push_back(machine.read_string(pointer, kStringBytesMost))) {
    if (!machine.read_value(at, pointer)) break;
    at += sizeof pointer;
    if (pointer == 0) break;
  }
  return strings;
}

}  // namespace

StartStack read_start_stack(elf::StoppedMachine& machine) {
  StartStack stack;
  u64 at = machine.registers().gpr[elf::kRspIndex] + sizeof(u64);  // argc
  stack.argv = at;
  stack.arguments = read_vector(machine, at);
  for (const std::string& each : read_vector(machine, at)) {
    const auto equals = each.find('=');
    if (equals != std::string::npos)
      stack.environment.emplace(each.substr(0, equals), each.substr(equals + 1));
  }
  for (u64 pair[2] = {}, count = 0; count < kEntriesMost; ++count, at += sizeof pair) {
    if (!machine.read_value(at, pair) || pair[0] == AT_NULL) break;
    stack.auxiliary[pair[0]] = pair[1];
  }
  return stack;
}

}  // namespace orrery::lens::load
