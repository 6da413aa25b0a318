#include "lens/cache/code_types.h"

#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <tuple>

namespace orrery::lens::cache {
namespace {

using elf::DataTypes;
using elf::TypeId;
using elf::VariablePlace;
using x86::FlowExit;
using x86::FlowKind;
using x86::InstructionFlow;
using x86::OperandForm;

constexpr int kRegisters = 16;
/// psABI, figure 3.4: registers that a function need not keep for its caller: rax, rcx, rdx, rsi, rdi,
/// r8-r11.
constexpr u32 kNotKept = 0x0fc7;
/// Larger functions are generated tables of code; they are left unknown.
constexpr std::size_t kInstructionsMost = 1 << 16;

/// What a register or a place in the frame holds.
struct Value {
  enum class Kind : u8 { unknown, pointer, frame } kind = Kind::unknown;
  TypeId type = elf::kNoType;  ///< of what it points into
  i64 offset = 0;              ///< in it, or behind the canonical frame address
  bool operator==(const Value&) const = default;
};

/// Before an instruction.
struct State {
  Value registers[kRegisters];
  std::map<i64, Value> saved;  ///< by place in the frame

  /// Keeps what both say; whether anything is lost.
  bool meet(const State& other) {
    bool changed = false;
    for (int reg = 0; reg < kRegisters; ++reg) {
      if (registers[reg].kind == Value::Kind::unknown || registers[reg] == other.registers[reg]) continue;
      registers[reg] = {};
      changed = true;
    }
    changed |= std::erase_if(saved, [&](const auto& place) {
                 const auto same = other.saved.find(place.first);
                 return same == other.saved.end() || same->second != place.second;
               }) != 0;
    return changed;
  }
};

struct Instruction {
  u64 pc = 0;
  InstructionFlow flow{};
  std::vector<u32> variables{};  ///< that are in registers, or where one points to
  std::optional<elf::FrameRule> rule{};
};

class Function {
 public:
  Function(DataTypes& types, u64 begin, u64 end) : types_(types) {
    decode(begin, end);
    if (code_.empty()) return;
    if (!types_.exist()) return;  // then only what pushes and pops is told
    variables_ = types_.variables_of(begin);
    place_variables();
    place_rules();
  }

  std::unordered_map<u64, InstructionData> run() {
    std::unordered_map<u64, InstructionData> found;
    if (code_.empty()) return found;
    if (types_.exist()) follow();
    before_.resize(code_.size());
    for (std::size_t at = 0; at < code_.size(); ++at) {
      const InstructionFlow& flow = code_[at].flow;
      if (!flow.memory && !flow.pushes && !flow.pops) continue;
      State unknown;
      if (before_[at]) unknown = *before_[at];
      set_known(code_[at], unknown);
      InstructionData& data = found[code_[at].pc];
      data.pushes = flow.pushes, data.pops = flow.pops;
      if (flow.memory && types_.exist()) data.operand = accessed(code_[at], unknown, *flow.memory);
    }
    return found;
  }

 private:
  void decode(u64 begin, u64 end) {
    const std::vector<u8> bytes = types_.code_at(begin, end - begin);
    for (u64 at = 0; at < bytes.size();) {
      const InstructionFlow flow = x86::flow_of(std::span(bytes).subspan(at), begin + at);
      if (flow.length == 0 || code_.size() == kInstructionsMost) return code_.clear();
      code_.push_back({.pc = begin + at, .flow = flow});
      at += flow.length;
    }
  }

  std::size_t index_of(u64 pc) const {
    const auto at = std::lower_bound(code_.begin(), code_.end(), pc,
                                     [](const Instruction& each, u64 wanted) { return each.pc < wanted; });
    return static_cast<std::size_t>(at - code_.begin());
  }

  /// Those of the frame are looked for when it is accessed.
  void place_variables() {
    for (u32 number = 0; number < variables_.size(); ++number) {
      const VariablePlace& variable = variables_[number];
      if (variable.kind == VariablePlace::Kind::frame) continue;
      for (std::size_t at = index_of(variable.begin); at < code_.size() && code_[at].pc < variable.end; ++at)
        code_[at].variables.push_back(number);
    }
  }

  void place_rules() {
    std::optional<elf::FrameRule> rule;
    for (Instruction& each : code_) {
      if (!rule || each.pc < rule->begin || each.pc >= rule->end) rule = types_.frame_at(each.pc);
      each.rule = rule;
    }
  }

  // --- from instruction to instruction ---

  void follow() {
    before_.resize(code_.size());
    reach(0, {});
    while (!waiting_.empty()) {
      const std::size_t at = *waiting_.begin();
      waiting_.erase(waiting_.begin());
      State state = *before_[at];
      const Instruction& each = code_[at];
      set_known(each, state);
      step(each, state);
      const FlowExit exit = each.flow.exit;
      if (exit != FlowExit::jump && exit != FlowExit::leaves) reach(at + 1, state);
      const bool jumps = exit == FlowExit::jump || exit == FlowExit::jump_if;
      if (!jumps || !each.flow.target) continue;
      const std::size_t target = index_of(*each.flow.target);
      if (target < code_.size() && code_[target].pc == *each.flow.target) reach(target, state);
    }
  }

  void reach(std::size_t at, const State& state) {
    if (at >= code_.size()) return;
    const bool changed = !before_[at] || before_[at]->meet(state);
    if (!before_[at]) before_[at] = state;
    if (changed) waiting_.insert(at);
  }

  /// What DWARF says of this pc. Of several that one register holds, the outermost that leads to a structure:
  /// others are of functions that were inlined, and lead to parts of it.
  void set_known(const Instruction& at, State& state) {
    if (at.rule) state.registers[at.rule->reg] = {Value::Kind::frame, elf::kNoType, -at.rule->offset};
    u32 told = 0;
    for (const u32 number : at.variables) {
      const VariablePlace& variable = variables_[number];
      Value& reg = state.registers[variable.reg];
      const bool in_register = variable.kind == VariablePlace::Kind::in_register;
      if (!in_register && reg.kind == Value::Kind::frame) continue;
      const Value value = in_register ? led_to(variable.type, variable.offset)
                                      : within({Value::Kind::pointer, variable.type, -variable.offset});
      const bool is_better = (told >> variable.reg & 1) == 0 && (is_in_record(value) || !is_in_record(reg));
      if (!is_better) continue;
      reg = value;
      told |= is_in_record(value) ? 1u << variable.reg : 0;
    }
  }

  bool is_in_record(const Value& value) const {
    return value.kind == Value::Kind::pointer && types_.type(value.type).kind == elf::TypeKind::record;
  }

  /// A value of this type, and as much more.
  Value led_to(TypeId type, i64 more) const {
    const elf::DataType& known = types_.type(type);
    if (known.kind != elf::TypeKind::pointer || known.target == elf::kNoType) return {};
    return within({Value::Kind::pointer, known.target, more});
  }

  /// A pointer into an array points into some element, also when it has left another.
  Value within(const Value& value) const {
    if (value.kind != Value::Kind::pointer) return value;
    const auto [element, offset] = in_element(types_, value.type, value.offset);
    return {Value::Kind::pointer, element, static_cast<i64>(offset)};
  }

  /// Of a place in the frame: that of the variable there, if it is an array, or `any`.
  Value in_variable(const Instruction& at, const State& state, const Value& value, bool any) {
    if (value.kind != Value::Kind::frame) return value;
    const auto variable = frame_variable(at, state, value.offset);
    if (!variable || (!any && types_.type(variable->first).kind != elf::TypeKind::array)) return value;
    return within({Value::Kind::pointer, variable->first, static_cast<i64>(variable->second)});
  }

  /// Some element's place, of what is no pointer's none.
  Value indexed(const Instruction& at, const State& state, const Value& value) {
    const Value element = in_variable(at, state, value, true);
    return element.kind == Value::Kind::pointer ? element : Value{};
  }

  Value plus(Value value, i64 more) const {
    if (value.kind == Value::Kind::unknown) return {};
    value.offset += more;
    return within(value);
  }

  /// The variable that lies there, and how far into it that is.
  std::optional<std::pair<TypeId, u64>> frame_variable(const Instruction& at, const State& state,
                                                       i64 offset) {
    std::optional<std::pair<TypeId, u64>> found;
    const auto look = [&](const VariablePlace& variable, i64 begin) {
      const u64 size = types_.type(variable.type).size_bytes;
      const u64 into = static_cast<u64>(offset - begin);
      if (offset >= begin && into < size) found = std::pair(variable.type, into);
    };
    for (const u32 number : at.variables) {
      const VariablePlace& variable = variables_[number];
      const Value& reg = state.registers[variable.reg];
      if (variable.kind == VariablePlace::Kind::memory && reg.kind == Value::Kind::frame)
        look(variable, reg.offset + variable.offset);
    }
    for (const VariablePlace& variable : variables_)
      if (variable.kind == VariablePlace::Kind::frame && at.pc >= variable.begin && at.pc < variable.end)
        look(variable, variable.offset);
    return found;
  }

  /// Where an operand's address leads.
  Value address_of(const Instruction& at, const State& state, const OperandForm& form) {
    if (form.has_segment) return {};
    Value value;
    bool has_index = form.index != OperandForm::kNone;
    if (!form.is_absolute && form.base != OperandForm::kNone) value = state.registers[form.base];
    if (value.kind == Value::Kind::unknown && has_index && form.scale == 1) {
      value = state.registers[form.index];
      has_index = !form.is_absolute;
    }
    if (value.kind == Value::Kind::unknown) {
      const u64 address = static_cast<u64>(form.displacement);
      const elf::GlobalVariable* const global = types_.global_at(address);
      if (global == nullptr) return {};
      value = within({Value::Kind::pointer, global->type, static_cast<i64>(address - global->address)});
      has_index = has_index || !form.is_absolute;
    } else {
      value = plus(value, form.displacement);
    }
    return has_index ? indexed(at, state, value) : value;
  }

  AccessedData accessed(const Instruction& at, const State& state, const OperandForm& form) {
    const Value value = address_of(at, state, form);
    AccessedData data{.size_bytes = form.size_bytes};
    if (value.kind == Value::Kind::unknown) return data;
    TypeId type = value.type;
    i64 offset = value.offset;
    if (value.kind == Value::Kind::frame) {
      const auto variable = frame_variable(at, state, value.offset);
      data.kind = AccessedData::Kind::frame;
      if (!variable) return data;
      type = variable->first, offset = static_cast<i64>(variable->second);
    }
    data.kind = AccessedData::Kind::typed;
    data.by_pointer = value.kind == Value::Kind::pointer;
    std::tie(data.type, data.offset_bytes) = in_element(types_, type, offset);
    return data;
  }

  Value loaded(const Instruction& at, const State& state, const OperandForm& form) {
    const Value from = address_of(at, state, form);
    if (from.kind == Value::Kind::frame) {
      const auto saved = state.saved.find(from.offset);
      if (!frame_variable(at, state, from.offset))
        return saved == state.saved.end() ? Value{} : saved->second;
    }
    const AccessedData data = accessed(at, state, form);
    if (data.kind != AccessedData::Kind::typed) return {};
    const elf::MemberPlace member = types_.member_at(data.type, data.offset_bytes, sizeof(u64));
    return member.within_bytes == 0 ? led_to(member.type, 0) : Value{};
  }

  void step(const Instruction& at, State& state) {
    const InstructionFlow& flow = at.flow;
    Value result;
    switch (flow.kind) {
      case FlowKind::copy:
        result = state.registers[flow.from];
        break;
      case FlowKind::load:
        result = loaded(at, state, *flow.memory);
        break;
      case FlowKind::address:
        result = in_variable(at, state, address_of(at, state, *flow.memory), false);
        break;
      case FlowKind::store: {
        const Value to = address_of(at, state, *flow.memory);
        if (to.kind == Value::Kind::frame) state.saved[to.offset] = state.registers[flow.from];
        break;
      }
      case FlowKind::add:
        result = sum(at, state);
        break;
      case FlowKind::other:
        break;
    }
    const u32 written = flow.written | (flow.exit == FlowExit::call ? kNotKept : 0);
    for (int reg = 0; reg < kRegisters; ++reg)
      if ((written >> reg & 1) != 0) state.registers[reg] = {};
    if (flow.to >= 0) state.registers[flow.to] = result;
    constexpr int kResult = 0;  // rax
    if (flow.exit == FlowExit::call && flow.target)
      state.registers[kResult] = led_to(types_.returned_by(*flow.target), 0);
  }

  Value sum(const Instruction& at, const State& state) {
    const InstructionFlow& flow = at.flow;
    if (flow.memory) return {};
    const Value to = state.registers[flow.to];
    if (flow.from < 0) return plus(to, flow.immediate);
    const Value from = state.registers[flow.from];
    if (to.kind != Value::Kind::unknown && from.kind != Value::Kind::unknown) return {};
    return indexed(at, state, to.kind != Value::Kind::unknown ? to : from);
  }

  DataTypes& types_;
  std::vector<Instruction> code_;
  std::vector<VariablePlace> variables_;
  std::vector<std::optional<State>> before_;
  std::set<std::size_t> waiting_;
};

}  // namespace

std::pair<TypeId, u64> in_element(const DataTypes& types, TypeId type, i64 offset_bytes) {
  const elf::DataType& known = types.type(type);
  const TypeId element = known.kind == elf::TypeKind::array ? known.target : type;
  const i64 size = static_cast<i64>(types.type(element).size_bytes);
  if (size == 0) return {element, static_cast<u64>(std::max<i64>(0, offset_bytes))};
  return {element, static_cast<u64>((offset_bytes % size + size) % size)};
}

InstructionData CodeTypes::find(u64 pc, u64 begin, u64 end) {
  const auto [known, is_new] = functions_.try_emplace(begin);
  if (is_new) known->second = Function(types_, begin, end).run();
  const auto found = known->second.find(pc);
  return found == known->second.end() ? InstructionData{} : found->second;
}

}  // namespace orrery::lens::cache
