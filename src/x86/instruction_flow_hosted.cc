#include "x86/instruction_flow_hosted.h"

#include "x86/zydis_hosted.h"

namespace orrery::x86 {
namespace {

/// The general register that this is, or is a part of; -1 if it is none.
i8 general(const Zydis& zydis, ZydisRegister reg) {
  const ZydisRegister whole = zydis.largest_enclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
  if (zydis.class_of(whole) != ZYDIS_REGCLASS_GPR64) return -1;
  return static_cast<i8>(zydis.id_of(whole));
}

OperandForm form_of(const Zydis& zydis, const ZydisDecodedInstruction& instruction,
                    const ZydisDecodedOperand& operand, u64 address) {
  const ZydisDecodedOperandMem& memory = operand.mem;
  OperandForm form{.scale = memory.scale,
                   .has_segment = memory.segment == ZYDIS_REGISTER_FS || memory.segment == ZYDIS_REGISTER_GS,
                   .displacement = memory.disp.has_displacement ? memory.disp.value : 0,
                   .size_bytes = operand.size / 8u};
  form.index = general(zydis, memory.index);
  form.is_absolute = memory.base == ZYDIS_REGISTER_RIP || memory.base == ZYDIS_REGISTER_NONE;
  if (memory.base == ZYDIS_REGISTER_RIP)
    form.displacement += static_cast<i64>(address + instruction.length);
  else if (!form.is_absolute)
    form.base = general(zydis, memory.base);
  return form;
}

FlowExit exit_of(const ZydisDecodedInstruction& instruction) {
  switch (instruction.meta.category) {
    case ZYDIS_CATEGORY_CALL:
      return FlowExit::call;
    case ZYDIS_CATEGORY_COND_BR:
      return FlowExit::jump_if;
    case ZYDIS_CATEGORY_UNCOND_BR:
      return FlowExit::jump;
    case ZYDIS_CATEGORY_RET:
      return FlowExit::leaves;
    default:
      break;
  }
  const auto mnemonic = instruction.mnemonic;
  const bool ends = mnemonic == ZYDIS_MNEMONIC_HLT || mnemonic == ZYDIS_MNEMONIC_UD2;
  return ends ? FlowExit::leaves : FlowExit::none;
}

bool is_whole(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && operand.size == 64;
}

/// What moves or adds whole registers.
void set_kind(const Zydis& zydis, const ZydisDecodedInstruction& instruction,
              const ZydisDecodedOperand* operands, InstructionFlow& flow) {
  const auto mnemonic = instruction.mnemonic;
  const bool moves = mnemonic == ZYDIS_MNEMONIC_MOV, adds = mnemonic == ZYDIS_MNEMONIC_ADD,
             subtracts = mnemonic == ZYDIS_MNEMONIC_SUB, addresses = mnemonic == ZYDIS_MNEMONIC_LEA;
  if (!moves && !adds && !subtracts && !addresses) return;
  const ZydisDecodedOperand &to = operands[0], &from = operands[1];
  const i8 to_reg = is_whole(to) ? general(zydis, to.reg.value) : i8{-1};
  const i8 from_reg = is_whole(from) ? general(zydis, from.reg.value) : i8{-1};
  const bool is_immediate = from.type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
  if (moves && to.type == ZYDIS_OPERAND_TYPE_MEMORY && from_reg >= 0)
    flow.kind = FlowKind::store;
  else if (to_reg < 0)
    return;
  else if (addresses)
    flow.kind = FlowKind::address;
  else if (moves && from.type == ZYDIS_OPERAND_TYPE_MEMORY)
    flow.kind = FlowKind::load;
  else if (moves && from_reg >= 0)
    flow.kind = FlowKind::copy;
  else if (((adds || subtracts) && is_immediate) || (adds && from_reg >= 0))
    flow.kind = FlowKind::add;
  if (flow.kind == FlowKind::other) return;
  flow.to = to_reg;
  flow.from = from_reg;
  if (is_immediate) flow.immediate = subtracts ? -from.imm.value.s : from.imm.value.s;
}

}  // namespace

InstructionFlow flow_of(std::span<const u8> bytes, u64 address) {
  const Zydis* const zydis = x86::zydis();
  InstructionFlow flow;
  if (zydis == nullptr) return flow;
  ZydisDecoder decoder;
  zydis->decoder_init(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  if (ZYAN_FAILED(zydis->decode_full(&decoder, bytes.data(), bytes.size(), &instruction, operands)))
    return flow;
  flow.length = instruction.length;
  flow.exit = exit_of(instruction);
  int memories = 0;
  for (u8 at = 0; at < instruction.operand_count; ++at) {
    const ZydisDecodedOperand& operand = operands[at];
    const bool is_written = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    const bool is_hidden = operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
    if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER && is_written) {
      const i8 reg = general(*zydis, operand.reg.value);
      if (reg >= 0) flow.written = static_cast<u16>(flow.written | 1u << reg);
    }
    if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY) {
      if (is_hidden && operand.mem.base == ZYDIS_REGISTER_RSP)
        (is_written ? flow.pushes : flow.pops) = true;
      else if (++memories == 1)
        flow.memory = form_of(*zydis, instruction, operand, address);
    }
    u64 target = 0;
    if (operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operand.imm.is_relative != 0 &&
        ZYAN_SUCCESS(zydis->absolute_address(&instruction, &operand, address, &target)))
      flow.target = target;
  }
  if (memories != 1) flow.memory.reset();
  set_kind(*zydis, instruction, operands, flow);
  return flow;
}

}  // namespace orrery::x86
