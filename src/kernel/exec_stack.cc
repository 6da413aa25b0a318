// From high to low: 8 zero bytes, the executed path, the environment strings, the argument strings (both
// lists ascending in memory), the platform string, 16 random bytes, alignment, then upwards from the stack
// pointer: argc, argv[], NULL, envp[], NULL, auxv. Address randomization of the stack (arch_align_stack) is
// left out: layouts are the same in every run.
#include "kernel/exec_stack.h"

#include <algorithm>
#include <cstring>

namespace orrery::kernel {
namespace {

constexpr std::string_view kPlatform{"x86_64", 7};  // with its NUL
constexpr u64 kRandomBytes = 16;

class Writer {
 public:
  Writer(StackContent& out) : out_(out) {}
  void word(u64 value) { place(cursor_, &value, sizeof value), cursor_ += sizeof value; }
  void bytes_at(u64 address, const void* data, std::size_t size) { place(address - out_.start, data, size); }

  /// Pointers to each string of `list`, which lies at `address`, and a NULL.
  void pointers(const StringList& list, u64 address) {
    std::string_view rest(list.bytes.data(), list.bytes.size());
    for (u32 i = 0; i < list.count; ++i) {
      word(address + (list.bytes.size() - rest.size()));
      rest.remove_prefix(rest.find('\0') + 1);
    }
    word(0);
  }

 private:
  void place(u64 offset, const void* data, std::size_t size) {
    if (size != 0) std::memcpy(out_.bytes.data() + offset, data, size);
  }
  StackContent& out_;
  u64 cursor_ = 0;
};

}  // namespace

void StringList::push_back(std::string_view text) {
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.push_back('\0');
  ++count;
}

void StringList::push_front(std::string_view text) {
  bytes.insert(bytes.begin(), '\0');
  bytes.insert(bytes.begin(), text.begin(), text.end());
  ++count;
}

void StringList::pop_front() {
  if (count == 0) return;
  bytes.erase(bytes.begin(), std::find(bytes.begin(), bytes.end(), '\0') + 1);
  --count;
}

StackPlan plan_stack(const StackRequest& request) {
  StackPlan plan;
  plan.execfn = request.top - sizeof(u64) - (request.executed_path.size() + 1);
  plan.environment = plan.execfn - request.environment.bytes.size();
  plan.arguments = plan.environment - request.arguments.bytes.size();
  plan.platform = (plan.arguments & ~u64{15}) - kPlatform.size();
  plan.random = plan.platform - kRandomBytes;
  return plan;
}

StackContent build_stack(const StackRequest& request, const StackPlan& plan, const AuxVector& auxv) {
  StackContent out;
  out.auxv = auxv.words;
  out.auxv.insert(out.auxv.end(), {0, 0});
  const u64 pointers = u64{request.arguments.count} + 1 + request.environment.count + 1 + 1;
  const u64 tables = plan.random - out.auxv.size() * sizeof(u64);
  out.start = (tables - pointers * sizeof(u64)) & ~u64{15};
  out.bytes.resize(request.top - out.start);

  Writer writer(out);
  writer.word(request.arguments.count);
  writer.pointers(request.arguments, plan.arguments);
  writer.pointers(request.environment, plan.environment);
  for (const u64 word : out.auxv) writer.word(word);
  writer.bytes_at(plan.random, request.random.data(), request.random.size());
  writer.bytes_at(plan.platform, kPlatform.data(), kPlatform.size());
  writer.bytes_at(plan.arguments, request.arguments.bytes.data(), request.arguments.bytes.size());
  writer.bytes_at(plan.environment, request.environment.bytes.data(), request.environment.bytes.size());
  writer.bytes_at(plan.execfn, request.executed_path.data(), request.executed_path.size());
  return out;
}

bool arguments_too_big(const StringList& arguments, const StringList& environment,
                       std::string_view executed_path, u64 stack_limit_bytes) {
  constexpr u64 kLeastBytes = 32 * kPageBytes;        // ARG_MAX
  constexpr u64 kMostBytes = (u64{8} << 20) / 4 * 3;  // _STK_LIM / 4 * 3
  const u64 limit = std::max(std::min(kMostBytes, stack_limit_bytes / 4), kLeastBytes);
  const u64 pointers = (u64{std::max(arguments.count, 1U)} + environment.count) * sizeof(u64);
  if (limit <= pointers) return true;
  return arguments.bytes.size() + environment.bytes.size() + executed_path.size() + 1 > limit - pointers;
}

}  // namespace orrery::kernel
