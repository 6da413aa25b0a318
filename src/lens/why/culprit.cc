#include "lens/why/culprit.h"

#include <algorithm>
#include <csignal>

namespace orrery::lens::why {
namespace {

constexpr int kShellSignalBase = 128;  // POSIX shells: "greater than 128", all use 128 + the signal

/// The child's end, as its parent would have passed it on.
bool passed_on(const TreeProcess& parent, const TreeProcess& child) {
  if (parent.fatal_signal) return false;  // it died of its own
  const int status = parent.exit_status.value_or(0);
  if (status == 0) return false;
  if (child.fatal_signal) return status == kShellSignalBase + *child.fatal_signal;
  return child.exit_status == status;
}

bool is_crash(int signal) {
  for (const int one : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS})
    if (signal == one) return true;
  return false;
}

/// The last child to end, if its parent then ended as it did. An earlier one with the same status is no
/// cause: its parent went on. Of several that ran beside each other and ended so, that which was started
/// last: a shell's pipeline ends as its last command does, whichever is over first.
const TreeProcess* blamed_child(const ProcessTree& tree, const TreeProcess& parent) {
  const TreeProcess* last = nullptr;
  for (const u32 number : parent.children) {
    const TreeProcess& child = tree.at(number);
    if (last == nullptr || child.end_ns >= last->end_ns) last = &child;
  }
  const auto may_be_it = [&](const TreeProcess& child) {
    return child.event_count != 0 && passed_on(parent, child);
  };
  if (last == nullptr || !may_be_it(*last)) return nullptr;
  const TreeProcess* blamed = last;
  for (const u32 number : parent.children) {
    const TreeProcess& child = tree.at(number);
    const bool beside = child.end_ns >= last->start_ns;
    if (beside && child.process > blamed->process && may_be_it(child)) blamed = &child;
  }
  return blamed;
}

}  // namespace

std::vector<u32> trace_blame(const ProcessTree& tree, u32 from) {
  std::vector<u32> chain = {from};
  for (const TreeProcess* child = nullptr;
       (child = blamed_child(tree, tree.at(chain.back()))) != nullptr && !child->native;)
    chain.push_back(child->process);
  return chain;
}

std::vector<u32> find_crashed(const ProcessTree& tree, u32 from) {
  std::vector<u32> crashed, left = {from};
  while (!left.empty()) {
    const TreeProcess& process = tree.at(left.back());
    left.pop_back();
    left.insert(left.end(), process.children.begin(), process.children.end());
    if (process.process != from && !process.native && is_crash(process.fatal_signal.value_or(0)))
      crashed.push_back(process.process);
  }
  std::sort(crashed.begin(), crashed.end(), [&](u32 left_one, u32 right_one) {
    return tree.at(left_one).end_ns < tree.at(right_one).end_ns;
  });
  return crashed;
}

std::optional<u32> find_blamed_native(const ProcessTree& tree, u32 parent) {
  const TreeProcess* child = blamed_child(tree, tree.at(parent));
  return child != nullptr && child->native ? std::optional(child->process) : std::nullopt;
}

ProcessFact fact_of(const TreeProcess& process) {
  ProcessFact fact{.process = process.process, .pid = process.pid, .end = end_words(process)};
  for (const std::string& word : process.arguments) fact.command += (fact.command.empty() ? "" : " ") + word;
  if (fact.command.empty()) fact.command = process.program;
  return fact;
}

}  // namespace orrery::lens::why
