#include "lens/call.h"

#include <asm/unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "linux/error_names.h"
#include "linux/signal_names.h"
#include "linux/syscall_table.h"

namespace orrery::lens {
namespace {

constexpr u64 kPathBytesMost = 4096;
constexpr u64 kBufferBytesShown = 32;
constexpr u64 kVectorsMost = 64;

std::string hexadecimal(u64 value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%" PRIx64, value);
  return text;
}

std::string flags_text(abi::Flags flags, u64 value) {
  const abi::FlagTable& table = abi::flag_table(flags);
  std::string text;
  u64 rest = value;
  for (const abi::FlagName& flag : table.names) {
    if (table.one_of ? value != flag.value : (flag.value == 0 || (rest & flag.mask) != flag.value)) continue;
    text += (text.empty() ? "" : "|") + std::string(flag.name);
    rest &= ~flag.mask;
    if (table.one_of) return text;
  }
  if (text.empty()) {
    const char* zero = value == 0 ? abi::flag_name(flags, 0) : nullptr;
    return zero ? zero : hexadecimal(value);
  }
  return rest == 0 ? text : text + "|" + hexadecimal(rest);
}

std::string signal_text(u64 number) {
  const abi::SignalName* signal = abi::find_signal(static_cast<int>(number));
  return signal ? signal->name : std::to_string(number);
}

std::string octal(u64 mode) {
  char text[24];
  std::snprintf(text, sizeof text, "0%" PRIo64, mode & 07777);
  return text;
}

/// Bytes that the call reads; what it writes is not there yet.
std::string buffer_text(ReplaySession& session, const abi::Arg& arg, u64 address,
                        const std::array<u64, 6>& arguments) {
  if (address == 0) return "NULL";
  if (arg.direction != abi::Direction::in || arg.rule != abi::SizeRule::argument) return hexadecimal(address);
  const u64 size_bytes = arguments[arg.size_arg];
  std::string bytes(std::min(size_bytes, kBufferBytesShown + 1), '\0');
  bytes.resize(session.read(address, {reinterpret_cast<u8*>(bytes.data()), bytes.size()}));
  return quote(bytes, kBufferBytesShown);
}

std::string argument_text(ReplaySession& session, const abi::Arg& arg, u64 value,
                          const std::array<u64, 6>& arguments) {
  using abi::ArgKind;
  switch (arg.kind) {
    case ArgKind::decimal:
    case ArgKind::fd:
    case ArgKind::pid:
    case ArgKind::user_id:
      return std::to_string(static_cast<i32>(value));
    case ArgKind::directory_fd:
      return static_cast<i32>(value) == -100 ? "AT_FDCWD" : std::to_string(static_cast<i32>(value));
    case ArgKind::long_decimal:
      return std::to_string(static_cast<i64>(value));
    case ArgKind::size:
      return std::to_string(value);
    case ArgKind::mode:
      return octal(value);
    case ArgKind::flags:
      return flags_text(arg.flags, value);
    case ArgKind::signal:
      return signal_text(value);
    case ArgKind::path:
    case ArgKind::string:
      return value == 0 ? "NULL" : quote(session.read_string(value, kPathBytesMost), kPathBytesMost);
    case ArgKind::buffer:
      return buffer_text(session, arg, value, arguments);
    default:
      return value == 0 ? "NULL" : hexadecimal(value);
  }
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

std::string result_text(const Call& call) {
  if (!call.returned) return "?";
  if (call.failed()) {
    const abi::ErrorName* error = abi::find_error(call.error());
    return error ? std::string("-1 ") + error->name + " (" + error->text + ")"
                 : "-1 errno " + std::to_string(call.error());
  }
  const abi::SyscallRow* row = abi::find_syscall(call.number);
  const bool address = row && row->result == abi::ResultKind::address;
  return address ? hexadecimal(static_cast<u64>(call.result)) : std::to_string(call.result);
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

std::string Call::text() const { return name + "(" + words + ") = " + result_text(*this); }

Call read_call(ReplaySession& session) {
  const elf::MachineRegisters& registers = session.registers();
  const u64* gpr = registers.gpr;
  // rax; rdi, rsi, rdx, r10, r8, r9 (System V ABI, A.2.1).
  Call call{.event = session.stop().event,
            .number = gpr[0],
            .arguments = {gpr[7], gpr[6], gpr[2], gpr[10], gpr[8], gpr[9]}};
  const abi::SyscallRow* row = abi::find_syscall(call.number);
  if (!row || !row->name) {
    call.name = "syscall_" + std::to_string(call.number);
    return call;
  }
  call.name = row->name;
  for (u64 i = 0; i < row->arg_count; ++i) {
    const abi::Arg& arg = row->args[i];
    call.words += (i == 0 ? "" : ", ") + argument_text(session, arg, call.arguments[i], call.arguments);
    if (arg.kind == abi::ArgKind::path && call.path.empty() && call.arguments[i] != 0) {
      call.path = session.read_string(call.arguments[i], kPathBytesMost);
    }
  }
  if (call.number == __NR_write || call.number == __NR_writev) {
    call.fd = static_cast<int>(call.arguments[0]);
    call.written = written_bytes(session, call);
  }
  return call;
}

void finish_call(ReplaySession& session, Call& call) {
  call.returned = true;
  call.result = static_cast<i64>(session.registers().gpr[0]);
}

}  // namespace orrery::lens
