#include "x86/disassemble_hosted.h"

#include <string>

#include "x86/decode.h"
#include "x86/zydis_hosted.h"

namespace orrery::x86 {
namespace {

/// What the formatter's hook needs.
struct Formatting {
  const Zydis& zydis;
  const AddressNames* names;
  ZydisFormatterFunc print_address = nullptr;
};

/// An address, and the name of what lies there.
ZyanStatus print_address(const ZydisFormatter* formatter, ZydisFormatterBuffer* buffer,
                         ZydisFormatterContext* context) {
  const auto* const formatting = static_cast<const Formatting*>(context->user_data);
  const ZyanStatus status = formatting->print_address(formatter, buffer, context);
  const Zydis& zydis = formatting->zydis;
  u64 address = 0;
  if (ZYAN_FAILED(status) || ZYAN_FAILED(zydis.absolute_address(context->instruction, context->operand,
                                                                context->runtime_address, &address)))
    return status;
  const std::string name = (*formatting->names)(address);
  ZyanString* text = nullptr;
  if (name.empty() || ZYAN_FAILED(zydis.buffer_string(buffer, &text))) return status;
  const std::string words = " <" + name + ">";
  ZyanStringView view;
  zydis.view_inside(&view, words.c_str());
  return zydis.append(text, &view);
}

/// What operands stand for, with these registers.
class Operands {
 public:
  Operands(const Zydis& zydis, const ZydisDecodedInstruction& instruction, u64 address,
           const OperandRegisters& registers)
      : zydis_(zydis), instruction_(instruction), address_(address), registers_(registers) {}

  ShownOperand shown(const ZydisDecodedOperand& operand) const {
    ShownOperand out{.is_read = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0,
                     .is_written = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0,
                     .is_explicit = operand.visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN,
                     .size_bits = operand.size};
    switch (operand.type) {
      case ZYDIS_OPERAND_TYPE_REGISTER:
        out.kind = OperandKind::register_;
        out.name = zydis_.name_of(operand.reg.value);
        out.value = named_value(operand.reg.value);
        break;
      case ZYDIS_OPERAND_TYPE_MEMORY:
        out.kind = OperandKind::memory;
        out.address = memory_address(operand);
        if (operand.mem.type == ZYDIS_MEMOP_TYPE_AGEN) out.is_read = out.is_written = false;  // lea
        break;
      default: {
        u64 target = operand.imm.value.u;
        const bool is_target = operand.imm.is_relative != 0;
        if (is_target) zydis_.absolute_address(&instruction_, &operand, address_, &target);
        out.kind = is_target ? OperandKind::target : OperandKind::immediate;
        out.value = target;
      }
    }
    return out;
  }

 private:
  u64 register_value(ZydisRegister reg) const {
    if (reg == ZYDIS_REGISTER_RIP) return address_;
    const ZydisRegister whole = zydis_.largest_enclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    const ZydisRegisterClass kind = zydis_.class_of(whole);
    return kind == ZYDIS_REGCLASS_GPR64 ? registers_.gpr[zydis_.id_of(whole)] : 0;
  }

  /// Of a general register, as wide as it is named.
  std::optional<u64> named_value(ZydisRegister reg) const {
    const ZydisRegisterClass kind = zydis_.class_of(reg);
    const u64 whole = register_value(reg);
    switch (kind) {
      case ZYDIS_REGCLASS_GPR64:
        return whole;
      case ZYDIS_REGCLASS_GPR32:
        return whole & 0xffff'ffff;
      case ZYDIS_REGCLASS_GPR16:
        return whole & 0xffff;
      case ZYDIS_REGCLASS_GPR8: {
        const bool is_high = reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH;
        return (is_high ? whole >> 8 : whole) & 0xff;
      }
      default:
        return std::nullopt;
    }
  }

  std::optional<u64> memory_address(const ZydisDecodedOperand& operand) const {
    // Gathers and scatters have an address an element.
    const ZydisRegisterClass index = zydis_.class_of(operand.mem.index);
    const bool is_vector =
        index == ZYDIS_REGCLASS_XMM || index == ZYDIS_REGCLASS_YMM || index == ZYDIS_REGCLASS_ZMM;
    if (is_vector) return std::nullopt;
    u64 at = static_cast<u64>(operand.mem.disp.value);
    if (operand.mem.base == ZYDIS_REGISTER_RIP)
      at += address_ + instruction_.length;
    else if (operand.mem.base != ZYDIS_REGISTER_NONE)
      at += register_value(operand.mem.base);
    if (operand.mem.index != ZYDIS_REGISTER_NONE) at += register_value(operand.mem.index) * operand.mem.scale;
    // What is pushed goes below the stack pointer.
    const bool is_pushed = operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
                           operand.mem.base == ZYDIS_REGISTER_RSP &&
                           (operand.actions & ZYDIS_OPERAND_ACTION_WRITE) != 0;
    if (is_pushed) at -= operand.size / 8;
    if (instruction_.address_width == 32) at &= 0xffff'ffff;
    if (operand.mem.segment == ZYDIS_REGISTER_FS) at += registers_.fs_base;
    if (operand.mem.segment == ZYDIS_REGISTER_GS) at += registers_.gs_base;
    return at;
  }

  const Zydis& zydis_;
  const ZydisDecodedInstruction& instruction_;
  u64 address_;
  const OperandRegisters& registers_;
};

bool condition_holds(u8 condition, u64 flags) {
  const auto flag = [&](int bit) { return (flags >> bit & 1) != 0; };
  const bool carry = flag(0), parity = flag(2), zero = flag(6), sign = flag(7), overflow = flag(11);
  const bool values[8] = {
      overflow, carry, zero, carry || zero, sign, parity, sign != overflow, zero || sign != overflow};
  return values[condition >> 1 & 7] != ((condition & 1) != 0);
}

std::optional<bool> is_taken(const Decoded& decoded, const OperandRegisters& registers) {
  if (decoded.category == Category::jump_if) return condition_holds(decoded.condition, registers.rflags);
  if (decoded.category != Category::loop) return std::nullopt;
  const u64 mask = decoded.has_67 ? 0xffff'ffff : ~u64{0};
  const u64 count = registers.gpr[1] & mask;
  const bool zero = (registers.rflags >> 6 & 1) != 0;
  if (decoded.condition == 3) return count == 0;  // jrcxz
  const bool more = ((count - 1) & mask) != 0;
  return decoded.condition == 2 ? more : more && zero == (decoded.condition == 1);
}

}  // namespace

ShownInstruction disassemble(std::span<const u8> bytes, u64 address, const AddressNames& names,
                             const OperandRegisters* registers) {
  const Zydis* const zydis = x86::zydis();
  if (zydis == nullptr)
    return {.length = decode(bytes).length, .text = std::string("? ") + kZydisFile + " is not installed"};
  ZydisDecoder decoder;
  zydis->decoder_init(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  ShownInstruction out;
  if (ZYAN_FAILED(zydis->decode_full(&decoder, bytes.data(), bytes.size(), &instruction, operands)))
    return out;
  ZydisFormatter formatter;
  zydis->formatter_init(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
  Formatting formatting{.zydis = *zydis, .names = &names};
  const void* hook = reinterpret_cast<const void*>(&print_address);  // exchanged for the one it replaces
  zydis->set_hook(&formatter, ZYDIS_FORMATTER_FUNC_PRINT_ADDRESS_ABS, &hook);
  formatting.print_address = reinterpret_cast<ZydisFormatterFunc>(const_cast<void*>(hook));
  char text[256] = {};
  zydis->format_instruction(&formatter, &instruction, operands, instruction.operand_count_visible, text,
                            sizeof text, address, &formatting);
  out.length = instruction.length;
  out.text = text;
  if (registers == nullptr) return out;
  const Operands shown(*zydis, instruction, address, *registers);
  for (u8 i = 0; i < instruction.operand_count; ++i) {
    const bool is_flags =
        operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
        (operands[i].reg.value == ZYDIS_REGISTER_RFLAGS || operands[i].reg.value == ZYDIS_REGISTER_RIP);
    if (!is_flags) out.operands.push_back(shown.shown(operands[i]));
  }
  out.taken = is_taken(decode(bytes), *registers);
  return out;
}

}  // namespace orrery::x86
