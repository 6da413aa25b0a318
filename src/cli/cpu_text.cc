#include "cli/cpu_text.h"

#include <cinttypes>
#include <cstdio>

#include "base/base_name.h"
#include "base/hexadecimal_hosted.h"
#include "cli/columns.h"
#include "cli/recording_text.h"
#include "cli/task_words.h"
#include "lens/memory_operand.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using lens::CpuContext;
using lens::CpuInstruction;
using lens::CpuOperand;
using x86::OperandKind;

struct Flag {
  int bit;
  const char *name, *words;
};
/// SDM vol. 1, 3.4.3.
constexpr Flag kFlags[] = {
    {0, "CF", "carry: the unsigned result did not fit, or was below zero"},
    {2, "PF", "parity: an even number of ones in the low byte"},
    {4, "AF", "carry out of the low four bits"},
    {6, "ZF", "zero: the result was zero, or what was compared is equal"},
    {7, "SF", "sign: the result was negative"},
    {8, "TF", "trap: single-stepping"},
    {10, "DF", "direction: string instructions go down"},
    {11, "OF", "overflow: the signed result did not fit"},
    {18, "AC", "alignment check"},
    {21, "ID", "cpuid is there"},
};
constexpr int kOrder[16] = {0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15};

std::string number_text(const char* format, u64 value) {
  char text[40];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// Most significant byte first, as the number is written.
std::string bytes_number(const std::vector<u8>& bytes) {
  std::string text;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) text += number_text("%02" PRIx64, *byte);
  return text;
}

std::string operand_name(const CpuOperand& operand) {
  switch (operand.operand.kind) {
    case OperandKind::register_:
      return operand.operand.name;
    case OperandKind::memory:
      return operand.operand.address ? "[" + hexadecimal(*operand.operand.address) + "]" : "memory";
    case OperandKind::immediate:
      return "immediate";
    case OperandKind::target:
      return "target";
  }
  return "";
}

std::string operand_words(const CpuOperand& operand) {
  const x86::ShownOperand& shown = operand.operand;
  std::string text = padded(operand_name(operand), 20);
  if (shown.kind == OperandKind::memory && (shown.is_read || shown.is_written))
    text += operand.bytes.empty() ? "= not readable" : "= 0x" + bytes_number(operand.bytes);
  else if (shown.value)
    text += "= " + hexadecimal(*shown.value);
  if (!operand.name.empty()) text += "  <" + operand.name + ">";
  const char* const how = shown.is_read && shown.is_written ? "read and written"
                          : shown.is_written                ? "written"
                          : shown.is_read                   ? "read"
                                                            : "an address only";
  if (shown.kind == OperandKind::register_ || shown.kind == OperandKind::memory)
    text += std::string("  (") + how + (shown.is_explicit ? "" : ", implied") + ")";
  return text;
}

class Page {
 public:
  Page(const CpuContext& context, const Style& style) : context_(context), style_(style) {}

  std::string text(bool all) {
    const std::string name = task_name(context_.task), call = task_call(context_.task);
    out_ =
        style_.bold("Task " + std::to_string(context_.task.task) + (name.empty() ? "" : " (" + name + ") ") +
                    task_state(context_.task.state) + (call.empty() ? "" : " in " + call)) +
        "\n";
    code();
    operands();
    registers();
    flags();
    if (all) vectors();
    return std::move(out_);
  }

 private:
  void code() {
    std::string function, line;
    for (u64 i = 0; i < context_.around.size(); ++i) {
      const CpuInstruction& each = context_.around[i];
      const std::string where = each.source.line == 0 ? ""
                                                      : std::string(base_name(each.source.file)) + ":" +
                                                            std::to_string(each.source.line);
      if (each.function != function || i == 0) out_ += "\n  " + style_.bold(printable(each.function)) + "\n";
      const bool here = i == context_.current;
      std::string text = (here ? "  => " : "     ") + hexadecimal(each.address) + " " +
                         padded(number_text("<+%" PRIu64 ">", each.offset), 8) + padded(each.text, 48);
      text = here ? style_.bold(printable(text)) : printable(text);
      out_ += text + (where == line ? "" : " " + style_.cyan(printable(where))) + "\n";
      function = each.function;
      line = where;
    }
  }

  void operands() {
    if (context_.operands.empty() && !context_.taken) return;
    out_ += "\n" + style_.bold("  What it works on") + "\n";
    for (const CpuOperand& each : context_.operands) out_ += "     " + printable(operand_words(each)) + "\n";
    if (context_.taken)
      out_ += std::string("     the jump is ") +
              (*context_.taken ? "taken" : "not taken: the next one follows") + "\n";
  }

  void registers() {
    out_ += "\n" + style_.bold("  Registers") + "\n";
    for (int i = 0; i < 16; ++i) {
      const auto number = static_cast<u64>(kOrder[i]);
      out_ += (i % 4 == 0 ? "     " : "  ") + padded(lens::register_name(kOrder[i]), 3) + " " +
              number_text("%016" PRIx64, context_.task.gpr[number]) + (i % 4 == 3 ? "\n" : "");
    }
    out_ += "     rip " + number_text("%016" PRIx64, context_.task.rip) + "  fs base " +
            hexadecimal(context_.task.fs_base) + "  gs base " + hexadecimal(context_.task.gs_base) + "\n";
  }

  void flags() {
    out_ += "\n" + style_.bold("  Flags") + "  " + hexadecimal(context_.task.rflags) + "\n";
    for (const Flag& each : kFlags)
      if ((context_.task.rflags >> each.bit & 1) != 0)
        out_ += std::string("     ") + each.name + "  " + style_.dim(each.words) + "\n";
  }

  void vectors() {
    const lens::VectorRegisters& vectors = context_.vectors;
    out_ += "\n" + style_.bold("  Vectors") + "  mxcsr " + hexadecimal(vectors.mxcsr) + "\n";
    for (u64 i = 0; i < vectors.vectors.size(); ++i) {
      const std::vector<u8>& bytes = vectors.vectors[i];
      const char* const prefix = bytes.size() > 32 ? "zmm" : bytes.size() > 16 ? "ymm" : "xmm";
      out_ += "     " + padded(prefix + std::to_string(i), 6) + bytes_number(bytes) + "\n";
    }
    for (u64 i = 0; i < vectors.masks.size(); ++i)
      out_ += "     " + padded("k" + std::to_string(i), 6) + hexadecimal(vectors.masks[i]) + "\n";
    out_ += style_.bold("  x87") + "  control " + hexadecimal(vectors.x87_control) + ", status " +
            hexadecimal(vectors.x87_status) + ", in use " + hexadecimal(vectors.x87_tags) + "\n";
    for (u64 i = 0; i < vectors.x87.size(); ++i)
      out_ += "     st" + std::to_string(i) + "   " + bytes_number(vectors.x87[i]) + "\n";
    if (vectors.pkru) out_ += "     pkru  " + hexadecimal(*vectors.pkru) + "\n";
  }

  const CpuContext& context_;
  const Style& style_;
  std::string out_;
};

Json instruction_json(const CpuInstruction& each) {
  return {{"address", each.address},
          {"bytes", bytes_number({each.bytes.rbegin(), each.bytes.rend()})},
          {"text", each.text},
          {"function", each.function.empty() ? Json() : Json(each.function)},
          {"offset", each.offset},
          {"file", each.source.line == 0 ? Json() : Json(each.source.file)},
          {"line", each.source.line == 0 ? Json() : Json(each.source.line)}};
}

Json operand_json(const CpuOperand& each) {
  constexpr const char* kKinds[] = {"register", "memory", "immediate", "target"};
  const x86::ShownOperand& shown = each.operand;
  return {
      {"kind", kKinds[static_cast<u8>(shown.kind)]},
      {"register", shown.name.empty() ? Json() : Json(shown.name)},
      {"address", shown.address ? Json(*shown.address) : Json()},
      {"value", shown.value ? Json(*shown.value) : Json()},
      {"bytes", each.bytes.empty() ? Json() : Json(bytes_number({each.bytes.rbegin(), each.bytes.rend()}))},
      {"name", each.name.empty() ? Json() : Json(each.name)},
      {"size_bits", shown.size_bits},
      {"read", shown.is_read},
      {"written", shown.is_written},
      {"implied", !shown.is_explicit}};
}

}  // namespace

std::string cpu_text(const CpuContext& context, const Style& style, bool all) {
  return Page(context, style).text(all);
}

Json cpu_json(const CpuContext& context) {
  Json registers, flags = Json::array(), around = Json::array(), operands = Json::array();
  Json vectors = Json::array(), x87 = Json::array();
  for (const int number : kOrder)
    registers[lens::register_name(number)] = context.task.gpr[static_cast<u64>(number)];
  registers["rip"] = context.task.rip;
  registers["rflags"] = context.task.rflags;
  registers["fs_base"] = context.task.fs_base;
  registers["gs_base"] = context.task.gs_base;
  for (const Flag& each : kFlags)
    if ((context.task.rflags >> each.bit & 1) != 0) flags.push_back(each.name);
  for (const CpuInstruction& each : context.around) around.push_back(instruction_json(each));
  for (const CpuOperand& each : context.operands) operands.push_back(operand_json(each));
  for (const auto& each : context.vectors.vectors) vectors.push_back(bytes_number(each));
  for (const auto& each : context.vectors.x87) x87.push_back(bytes_number(each));
  return {{"task", context.task.task},
          {"name", task_name(context.task)},
          {"state", task_state(context.task.state)},
          {"registers", registers},
          {"flags", flags},
          {"instructions", around},
          {"current", context.current},
          {"operands", operands},
          {"taken", context.taken ? Json(*context.taken) : Json()},
          {"mxcsr", context.vectors.mxcsr},
          {"vectors", vectors},
          {"masks", context.vectors.masks},
          {"x87", x87},
          {"x87_control", context.vectors.x87_control},
          {"x87_status", context.vectors.x87_status},
          {"x87_tags", context.vectors.x87_tags},
          {"pkru", context.vectors.pkru ? Json(*context.vectors.pkru) : Json()}};
}

}  // namespace orrery::cli
