// See syscall_print.h. Arguments are printed one by one as their rows say; the few whose meaning depends on
// another argument (open's mode, fcntl's and ioctl's third) are told apart by the call's number.
#include "linux/syscall_print.h"

#include <asm/unistd.h>

#include <algorithm>

#include "linux/error_names.h"
#include "linux/ioctl_table.h"
#include "linux/signal_names.h"
#include "linux/struct_print.h"

namespace orrery::abi {
namespace {

/// One call being printed.
struct Printed {
  const SyscallRow& row;
  const std::array<u64, 6>& args;
  i64 result;
  Printer printer;

  u64 value(int index) const { return args[static_cast<std::size_t>(index)]; }
  bool failed() const { return is_error(result); }
};

constexpr u64 kOpenCreates = 0100, kOpenTemporary = 020000000;

/// Three digits at least.
void print_mode(u64 mode, Text& out) { out.character('0').octal(mode, 2); }

/// open(2) looks at its mode only when it may make a file.
bool is_unused_mode(const Printed& call, int index) {
  if (index == 0) return false;
  const Arg& before = call.row.args[static_cast<std::size_t>(index) - 1];
  if (call.row.args[static_cast<std::size_t>(index)].kind != ArgKind::mode || before.flags != Flags::open)
    return false;
  return (call.value(index - 1) & (kOpenCreates | kOpenTemporary)) == 0;
}

void print_fcntl_argument(const Printed& call) {
  constexpr u64 kSetDescriptor = 2, kGetLock = 5, kSetLockWait = 7, kSetStatus = 4, kSeals = 1033;
  const u64 command = call.value(1) & 0xffff'ffff;
  Text& out = call.printer.out;
  if (command == kSetDescriptor) return print_flags(Flags::descriptor, call.value(2), out);
  if (command == kSetStatus) return print_flags(Flags::open, call.value(2), out);
  if (command == kSeals) return print_flags(Flags::seal, call.value(2), out);
  if (command >= kGetLock && command <= kSetLockWait)
    return print_struct(call.printer, Struct::flock, call.value(2));
  out.integer(static_cast<i64>(call.value(2)));
}

void print_ioctl_argument(const Printed& call, bool is_request) {
  const auto request = static_cast<u32>(call.value(1));
  const IoctlRow* row = find_ioctl(request);
  Text& out = call.printer.out;
  if (is_request) {
    if (row != nullptr)
      out.add(row->name);
    else
      out.add("0x").hex(request);
    return;
  }
  constexpr u32 kGetWindow = 0x5413, kSetWindow = 0x5414;
  const bool shown = row != nullptr && row->direction != Direction::none && !call.failed();
  if (shown && (request == kGetWindow || request == kSetWindow))
    return print_struct(call.printer, Struct::winsize, call.value(2));
  if (shown && row->size_bytes == 4) return print_struct(call.printer, Struct::i32_value, call.value(2));
  if (row != nullptr && row->direction == Direction::none)
    return static_cast<void>(out.integer(static_cast<i64>(call.value(2))));
  call.printer.pointer(call.value(2));
}

/// How many items of an array are there to see.
u64 item_count(const Printed& call, const Arg& arg) {
  if (arg.rule != SizeRule::items) return arg.size_bytes > struct_info(arg.structure).size_bytes ? 2 : 1;
  const u64 count = call.value(arg.size_arg) & 0xffff'ffff;
  if (arg.written != Written::result_items || !arg.is_written()) return count;
  return std::min(count, static_cast<u64>(std::max<i64>(call.result, 0)));
}

void print_structures(const Printed& call, const Arg& arg, u64 address) {
  const u32 item_bytes = struct_info(arg.structure).size_bytes;
  if (item_bytes == 0) return call.printer.pointer(address);
  const bool is_array = arg.rule == SizeRule::items || arg.size_bytes > item_bytes;
  const u64 count = item_count(call, arg);
  Text& out = call.printer.out;
  if (is_array) out.add("[");
  for (u64 i = 0; i < count; ++i) {
    if (i != 0) out.add(", ");
    if (i >= call.printer.options.items_most) {
      out.add("...");
      break;
    }
    print_struct(call.printer, arg.structure, address + i * item_bytes);
  }
  if (is_array) out.add("]");
}

u64 shown_bytes(const Printed& call, const Arg& arg) {
  const u64 size = call.value(arg.size_arg);
  if (arg.written != Written::result_bytes || !arg.is_written()) return size;
  return std::min(size, static_cast<u64>(std::max<i64>(call.result, 0)));
}

/// The size of a socket address that came back: the word its length pointer points at.
u64 length_word(const Printed& call, const Arg& arg) {
  u32 length = 0;
  if (arg.rule == SizeRule::argument) return call.value(arg.size_arg);
  call.printer.load(call.value(arg.size_arg), length);
  return length;
}

void print_pointed(const Printed& call, const Arg& arg, u64 address) {
  const bool nothing_written =
      call.failed() && arg.direction == Direction::out && arg.written != Written::always;
  if (address == 0 || nothing_written) return call.printer.pointer(address);
  constexpr u64 kAll = ~u64{0};
  const u64 transferred = arg.is_written() ? static_cast<u64>(std::max<i64>(call.result, 0)) : kAll;
  switch (arg.rule) {
    case SizeRule::c_string:
      return call.printer.string(address);
    case SizeRule::io_vectors:
      return call.printer.vectors(address, call.value(arg.size_arg) & 0xffff'ffff, transferred);
    case SizeRule::message:
      return print_message(call.printer, address, transferred);
    case SizeRule::fd_set:
      return print_descriptor_set(call.printer, address, call.value(arg.size_arg) & 0xffff);
    default:
      break;
  }
  if (arg.structure == Struct::sockaddr)
    return print_socket_address(call.printer, address, length_word(call, arg));
  if (arg.kind == ArgKind::structure) return print_structures(call, arg, address);
  if (arg.rule == SizeRule::length_pointer) return call.printer.pointer(address);
  call.printer.buffer(address, shown_bytes(call, arg));
}

void print_argument(const Printed& call, int index) {
  const Arg& arg = call.row.args[static_cast<std::size_t>(index)];
  const u64 value = call.value(index);
  Text& out = call.printer.out;
  constexpr i32 kAtFdCwd = -100;
  if (call.row.number == __NR_fcntl && index == 2) return print_fcntl_argument(call);
  if (call.row.number == __NR_ioctl && index >= 1) return print_ioctl_argument(call, index == 1);
  if (arg.is_pointer()) return print_pointed(call, arg, value);
  switch (arg.kind) {
    case ArgKind::directory_fd:
      if (static_cast<i32>(value) == kAtFdCwd) {
        out.add("AT_FDCWD");
        return;
      }
      [[fallthrough]];
    case ArgKind::decimal:
    case ArgKind::fd:
    case ArgKind::pid:
    case ArgKind::user_id:
      out.integer(static_cast<i32>(value));
      return;
    case ArgKind::long_decimal:
      out.integer(static_cast<i64>(value));
      return;
    case ArgKind::size:
      out.decimal(value);
      return;
    case ArgKind::mode:
      print_mode(value & 0xffff, out);
      return;
    case ArgKind::flags:
      return print_flags(arg.flags, value, out);
    case ArgKind::signal:
      return print_signal(static_cast<int>(value), out);
    case ArgKind::address:
      return call.printer.pointer(value);
    default:
      out.add(value == 0 ? "" : "0x").hex(value);
      return;
  }
}

}  // namespace

void print_syscall(const SyscallRow& row, const std::array<u64, 6>& args, i64 result,
                   const MemoryReader& memory, Text& out, const PrintOptions& options) {
  const Printed call{row, args, result, Printer{memory, options, out}};
  out.add(row.name).add("(");
  for (int i = 0; i < row.arg_count; ++i) {
    if (is_unused_mode(call, i)) break;
    if (i != 0) out.add(", ");
    print_argument(call, i);
  }
  out.add(")");
  print_result(row, result, out);
}

void print_unknown_syscall(u64 number, const std::array<u64, 6>& args, i64 result, Text& out) {
  out.add("syscall_").decimal(number).add("(");
  for (std::size_t i = 0; i < args.size(); ++i) out.add(i == 0 ? "0x" : ", 0x").hex(args[i]);
  out.add(")");
  print_result(SyscallRow{}, result, out);
}

void print_result(const SyscallRow& row, i64 result, Text& out) {
  out.add(" = ");
  if (is_error(result)) {
    const ErrorName* error = find_error(static_cast<int>(-result));
    const bool restarts = result <= -512 && result >= -516;
    out.add(restarts ? "? " : "-1 ");
    if (error == nullptr)
      out.add("errno ").integer(-result);
    else
      out.add(error->name).add(" (").add(error->text).add(")");
    return;
  }
  if (row.result == ResultKind::address)
    out.add("0x").hex(static_cast<u64>(result));
  else if (row.number == __NR_umask)
    print_mode(static_cast<u64>(result), out);
  else if (row.result == ResultKind::nothing)
    out.add("?");
  else
    out.integer(result);
}

void print_flags(Flags table, u64 value, Text& out) {
  const FlagTable& names = flag_table(table);
  value &= 0xffff'ffff;
  if (names.one_of) {
    const char* name = flag_name(table, value);
    if (name != nullptr)
      out.add(name);
    else
      out.add("0x").hex(value);
    return;
  }
  u64 left = value;
  bool first = true;
  for (const FlagName& flag : names.names) {
    const bool set = (value & flag.mask) == flag.value && ((left & flag.value) != 0 || flag.value == 0);
    if (!set || (flag.value != 0 && (left & flag.value) != flag.value)) continue;
    out.add(first ? "" : "|").add(flag.name);
    first = false;
    left &= ~flag.value;
  }
  if (left != 0 || first) {
    out.add(first ? "" : "|");
    if (left == 0)
      out.add("0");
    else
      out.add("0x").hex(left);
  }
}

void print_signal(int number, Text& out) {
  if (const SignalName* signal = find_signal(number); signal != nullptr)
    out.add(signal->name);
  else if (number >= kFirstRealTimeSignal && number <= kLastSignal)
    out.add("SIGRT_").integer(number - kFirstRealTimeSignal);
  else
    out.integer(number);
}

void print_bytes(std::span<const u8> bytes, Text& out) {
  out.add("\"");
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const u8 byte = bytes[i];
    const bool digit_follows = i + 1 < bytes.size() && bytes[i + 1] >= '0' && bytes[i + 1] <= '7';
    switch (byte) {
      case '\n':
        out.add("\\n");
        break;
      case '\t':
        out.add("\\t");
        break;
      case '\r':
        out.add("\\r");
        break;
      case '\v':
        out.add("\\v");
        break;
      case '\f':
        out.add("\\f");
        break;
      case '"':
        out.add("\\\"");
        break;
      case '\\':
        out.add("\\\\");
        break;
      default:
        if (byte >= 0x20 && byte < 0x7f)
          out.character(static_cast<char>(byte));
        else
          out.add("\\").octal(byte, digit_follows ? 3 : 0);
    }
  }
  out.add("\"");
}

}  // namespace orrery::abi
