#include "lens/cpu/cpu_context.h"

#include <algorithm>
#include <cstring>

#include "lens/code_place.h"
#include "lens/task_machine.h"

namespace orrery::lens {
namespace {

/// How far back of the pc a function's beginning is looked for.
constexpr u64 kFunctionBytesMost = 1 << 16;

std::string name_of(const elf::Images& images, u64 address) {
  const elf::Location location = elf::locate(images, address);
  if (location.symbol.empty()) return "";
  const std::string offset = location.symbol_offset == 0 ? "" : "+" + std::to_string(location.symbol_offset);
  return short_function(location.symbol) + offset;
}

/// XSAVE's standard form (SDM vol. 1, 13.4 and 13.5).
VectorRegisters read_vectors(const std::vector<u8>& image) {
  VectorRegisters out;
  const auto at = [&](u64 offset, u64 size_bytes) {
    std::vector<u8> bytes(size_bytes);
    if (offset + size_bytes <= image.size()) std::memcpy(bytes.data(), image.data() + offset, size_bytes);
    return bytes;
  };
  const auto number = [&](u64 offset, auto value) {
    if (offset + sizeof value <= image.size()) std::memcpy(&value, image.data() + offset, sizeof value);
    return value;
  };
  constexpr u64 kAvx = 1 << 2, kAvx512 = 0xe0, kPkru = 1 << 9;
  if (image.size() < 512) return out;
  const u64 components = number(512, u64{0});
  const bool has_avx = (components & kAvx) != 0, has_avx512 = (components & kAvx512) == kAvx512;
  out.x87_control = number(0, u16{0});
  out.x87_status = number(2, u16{0});
  out.x87_tags = image[4];
  out.mxcsr = number(24, u32{0});
  for (u64 i = 0; i < 8; ++i) out.x87.push_back(at(32 + 16 * i, 10));
  for (u64 i = 0; i < (has_avx512 ? 32 : 16); ++i) {
    std::vector<u8> bytes = i < 16 ? at(160 + 16 * i, 16) : at(1664 + 64 * (i - 16), 64);
    const auto append = [&](const std::vector<u8>& more) {
      bytes.insert(bytes.end(), more.begin(), more.end());
    };
    if (i < 16 && has_avx) append(at(576 + 16 * i, 16));
    if (i < 16 && has_avx512) append(at(1152 + 32 * i, 32));
    out.vectors.push_back(std::move(bytes));
  }
  for (u64 i = 0; has_avx512 && i < 8; ++i) out.masks.push_back(number(1088 + 8 * i, u64{0}));
  if ((components & kPkru) != 0) out.pkru = number(2688, u32{0});
  return out;
}

class Reader {
 public:
  Reader(ReplaySession& session, const machine::ControlTask& task)
      : machine_(session, task), images_(session.images()) {
    const elf::MachineRegisters& registers = machine_.registers();
    std::copy(std::begin(registers.gpr), std::end(registers.gpr), std::begin(registers_.gpr));
    registers_.rflags = registers.rflags;
    registers_.fs_base = registers.fs_base;
    registers_.gs_base = registers.gs_base;
    pc_ = registers.rip;
  }

  CpuContext read(const machine::ControlTask& task, Neighbours neighbours) {
    CpuContext out{.task = task};
    add_before(out, neighbours.before);
    out.current = out.around.size();
    u64 address = pc_;
    for (u64 i = 0; i <= neighbours.after; ++i) {
      const x86::ShownInstruction shown = decode(address, i == 0);
      if (shown.length == 0) break;
      out.around.push_back(instruction(address, shown));
      if (i == 0) add_operands(shown, out);
      address += shown.length;
    }
    out.vectors = read_vectors(machine_.vector_state());
    return out;
  }

 private:
  x86::ShownInstruction decode(u64 address, bool with_operands) {
    u8 bytes[15] = {};
    const u64 count = machine_.read(address, bytes);
    return x86::disassemble(
        std::span(bytes).first(count), address, [&](u64 target) { return name_of(images_, target); },
        with_operands ? &registers_ : nullptr);
  }

  CpuInstruction instruction(u64 address, const x86::ShownInstruction& shown) {
    CpuInstruction out{.address = address, .bytes = std::vector<u8>(shown.length), .text = shown.text};
    machine_.read(address, out.bytes);
    const elf::Location location = elf::locate(images_, address);
    out.function = short_function(location.symbol);
    out.offset = location.symbol_offset;
    if (!location.frames.empty()) out.source = location.frames.front().source;
    return out;
  }

  /// x86 code can be read forward only: from the beginning of the function.
  void add_before(CpuContext& out, u64 count) {
    const elf::Location location = elf::locate(images_, pc_);
    if (location.symbol.empty() || location.symbol_offset > kFunctionBytesMost) return;
    std::vector<u64> addresses;
    for (u64 address = pc_ - location.symbol_offset; address < pc_;) {
      const u8 length = decode(address, false).length;
      if (length == 0) return;
      addresses.push_back(address);
      address += length;
      if (address > pc_) return;  // data among the code
    }
    const u64 first = addresses.size() > count ? addresses.size() - count : 0;
    for (u64 i = first; i < addresses.size(); ++i)
      out.around.push_back(instruction(addresses[i], decode(addresses[i], false)));
  }

  void add_operands(const x86::ShownInstruction& shown, CpuContext& out) {
    out.taken = shown.taken;
    for (const x86::ShownOperand& each : shown.operands) {
      CpuOperand operand{.operand = each};
      if (each.address) {
        operand.name = name_of(images_, *each.address);
        operand.bytes.resize(std::min<u32>(each.size_bits / 8, 64));
        operand.bytes.resize(machine_.read(*each.address, operand.bytes));
      } else if (each.value) {
        operand.name = name_of(images_, *each.value);
      }
      out.operands.push_back(std::move(operand));
    }
  }

  TaskMachine machine_;
  const elf::Images& images_;
  x86::OperandRegisters registers_;
  u64 pc_ = 0;
};

}  // namespace

CpuContext read_cpu(ReplaySession& session, const machine::ControlTask& task, Neighbours neighbours) {
  return Reader(session, task).read(task, neighbours);
}

}  // namespace orrery::lens
