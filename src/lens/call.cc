#include "lens/call.h"

#include <asm/unistd.h>

#include <algorithm>
#include <cstdio>

#include "linux/syscall_print.h"
#include "linux/syscall_table.h"

namespace orrery::lens {
namespace {

constexpr u64 kPathBytesMost = 4096;
constexpr u64 kStringBytesShown = 32;
constexpr u64 kVectorsMost = 64;

/// The printer's way to the stopped machine's memory.
class SessionMemory final : public abi::MemoryReader {
 public:
  explicit SessionMemory(ReplaySession& session) : session_(session) {}
  std::size_t read(u64 address, std::span<u8> out) const override { return session_.read(address, out); }

 private:
  ReplaySession& session_;
};

std::string printed(ReplaySession& session, const Call& call) {
  const SessionMemory memory(session);
  Text text;
  const abi::SyscallRow* row = abi::find_syscall(call.number);
  // Paths are shown whole, data is cut.
  const abi::PrintOptions options{.string_bytes_most = std::max(kStringBytesShown, call.path.size())};
  if (row && row->name) {
    abi::print_syscall(*row, call.arguments, call.result, memory, text, options);
  } else {
    abi::print_unknown_syscall(call.number, call.arguments, call.result, text);
  }
  return std::string(text.view());
}

/// The bytes that a write(2) or writev(2) is about to write.
std::string written_bytes(ReplaySession& session, const Call& call) {
  std::string bytes;
  const auto add = [&](u64 address, u64 size_bytes) {
    const u64 before = bytes.size();
    bytes.resize(before + std::min(size_bytes, kWrittenBytesMost - before));
    const u64 got =
        session.read(address, {reinterpret_cast<u8*>(bytes.data() + before), bytes.size() - before});
    bytes.resize(before + got);
  };
  if (call.number == __NR_write) {
    add(call.arguments[1], call.arguments[2]);
    return bytes;
  }
  for (u64 i = 0; i < std::min(call.arguments[2], kVectorsMost); ++i) {
    u64 vector[2] = {};
    if (!session.read_value(call.arguments[1] + i * sizeof vector, vector)) break;
    add(vector[0], vector[1]);
  }
  return bytes;
}

}  // namespace

std::string quote(const std::string& text, u64 bytes_most) {
  std::string out = "\"";
  for (u64 i = 0; i < text.size() && i < bytes_most; ++i) {
    const unsigned char letter = static_cast<unsigned char>(text[i]);
    char escape[8];
    if (letter == '"' || letter == '\\') {
      out += std::string("\\") + text[i];
    } else if (letter == '\n') {
      out += "\\n";
    } else if (letter == '\t') {
      out += "\\t";
    } else if (letter == '\r') {
      out += "\\r";
    } else if (letter < 0x20 || letter == 0x7f) {
      std::snprintf(escape, sizeof escape, "\\%o", static_cast<unsigned>(letter));
      out += escape;
    } else {
      out += text[i];
    }
  }
  return out + (text.size() > bytes_most ? "\"..." : "\"");
}

Call read_call(ReplaySession& session) {
  const elf::MachineRegisters& registers = session.registers();
  const u64* gpr = registers.gpr;
  // rax; rdi, rsi, rdx, r10, r8, r9 (System V ABI, A.2.1).
  Call call{.event = session.stop().event,
            .number = gpr[0],
            .arguments = {gpr[7], gpr[6], gpr[2], gpr[10], gpr[8], gpr[9]}};
  const elf::MappedRegion* code = session.find_region(registers.rip);
  call.from_loader = code && code->path.find("/ld-linux-x86-64.so") != std::string::npos;
  const abi::SyscallRow* row = abi::find_syscall(call.number);
  if (!row || !row->name) {
    call.name = "syscall_" + std::to_string(call.number);
    return call;
  }
  call.name = row->name;
  for (u64 i = 0; i < row->arg_count; ++i) {
    if (row->args[i].kind != abi::ArgKind::path || call.arguments[i] == 0) continue;
    call.path = session.read_string(call.arguments[i], kPathBytesMost);
    break;
  }
  if (call.number == __NR_write || call.number == __NR_writev) {
    call.fd = static_cast<int>(call.arguments[0]);
    call.written = written_bytes(session, call);
  }
  // Most calls return and are printed again then; of one that does not, only the arguments are known.
  call.text = printed(session, call);
  if (const auto end = call.text.rfind(" = "); end != std::string::npos)
    call.text.replace(end, std::string::npos, " = ?");
  return call;
}

void finish_call(ReplaySession& session, Call& call) {
  call.returned = true;
  call.result = static_cast<i64>(session.registers().gpr[0]);
  const bool became_another = call.number == __NR_execve || call.number == __NR_execveat;
  if (became_another && call.result == 0) {  // the memory that its arguments lay in is gone
    constexpr std::string_view kUnknown = "?";
    if (call.text.ends_with(kUnknown)) call.text.replace(call.text.size() - kUnknown.size(), 1, "0");
    return;
  }
  call.text = printed(session, call);
}

}  // namespace orrery::lens
