#include "lens/origin/instruction_source.h"

#include <algorithm>
#include <array>
#include <vector>

#include "x86/disassemble_hosted.h"

namespace orrery::lens {
namespace {

using translate::Access;
using translate::AccessKind;
using x86::OperandKind;
using x86::ShownInstruction;
using x86::ShownOperand;

constexpr const char* kWhole[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"};
/// The narrow names of these; of r8 and on they follow a rule.
constexpr const char* kNarrow[][4] = {{"eax", "ax", "al", "ah"}, {"ecx", "cx", "cl", "ch"},
                                      {"edx", "dx", "dl", "dh"}, {"ebx", "bx", "bl", "bh"},
                                      {"esp", "sp", "spl", ""},  {"ebp", "bp", "bpl", ""},
                                      {"esi", "si", "sil", ""},  {"edi", "di", "dil", ""}};

/// They give what they take, all or the low part of it.
constexpr const char* kMoves[] = {
    "mov",       "movabs",    "movzx",    "movsx",    "movsxd",   "movq",      "movd",      "movaps",
    "movups",    "movapd",    "movupd",   "movdqa",   "movdqu",   "movnti",    "movntdq",   "movntps",
    "lddqu",     "vmovq",     "vmovd",    "vmovaps",  "vmovups",  "vmovapd",   "vmovupd",   "vmovdqa",
    "vmovdqu",   "vlddqu",    "vmovntdq", "vmovntps", "vmovdqu8", "vmovdqu16", "vmovdqu32", "vmovdqu64",
    "vmovdqa32", "vmovdqa64", "movss",    "movsd",    "vmovss",   "vmovsd"};
/// With a constant they change a value a little: a pointer's origin is where the pointer comes from.
constexpr const char* kChanges[] = {"add", "sub", "inc", "dec", "and", "or"};

template <std::size_t size>
bool is_among(const char* const (&names)[size], const std::string& name) {
  return std::any_of(std::begin(names), std::end(names), [&](const char* each) { return name == each; });
}

/// Of "rep movsb": "movsb".
std::string mnemonic_of(const ShownInstruction& instruction) {
  std::string text = instruction.text;
  for (const char* prefix : {"rep ", "repe ", "repne ", "lock ", "bnd ", "notrack "})
    if (text.starts_with(prefix)) text.erase(0, std::string(prefix).size());
  return text.substr(0, text.find(' '));
}

bool starts_at_high_byte(const std::string& name) { return name.size() == 2 && name[1] == 'h'; }

/// Registers in "[rbx+rcx*8+0x10]".
std::vector<std::string> registers_in(const std::string& operand) {
  std::vector<std::string> found;
  std::string word;
  for (const char letter : operand + ' ') {
    if (std::isalnum(static_cast<unsigned char>(letter)) != 0) {
      word += letter;
      continue;
    }
    if (!whole_register(word).empty() || word == "rip")
      found.push_back(word == "rip" ? word : whole_register(word));
    word.clear();
  }
  return found;
}

/// With operands, but not what they stand for.
ShownInstruction decoded(std::span<const u8> code, u64 pc) {
  static constexpr x86::OperandRegisters kNone{};
  return x86::disassemble(
      code, pc, [](u64) { return std::string(); }, &kNone);
}

class Source {
 public:
  Source(const ShownInstruction& instruction, const ValuePlace& place, std::span<const Access> accesses)
      : instruction_(instruction), mnemonic_(mnemonic_of(instruction)), place_(place), accesses_(accesses) {
    for (const ShownOperand& each : instruction.operands)
      if (each.is_explicit) operands_.push_back(&each);
  }

  std::optional<InstructionSource> find() const { return place_.is_memory() ? of_memory() : of_register(); }

 private:
  static InstructionSource end(OriginKind kind) { return {.kind = kind}; }

  InstructionSource memory(OriginKind kind, AccessKind how, u64 offset) const {
    for (const Access& access : accesses_)
      if (access.kind == how || access.kind == AccessKind::modify)
        return {.kind = kind,
                .from = {.address = access.address + offset, .size_bytes = size_in(access, offset)}};
    return end(OriginKind::unknown);
  }
  u64 size_in(const Access& access, u64 offset) const {
    return access.size_bytes > offset ? std::min(place_.size_bytes, access.size_bytes - offset)
                                      : place_.size_bytes;
  }
  InstructionSource whole(OriginKind kind, const std::string& name, u64 offset) const {
    const std::string reg = whole_register(name);
    if (reg.empty() || starts_at_high_byte(name)) return end(OriginKind::unknown);
    return {.kind = kind, .from = {.reg = reg, .address = offset, .size_bytes = place_.size_bytes}};
  }
  InstructionSource operand(const ShownOperand& from, OriginKind of_register, OriginKind of_memory,
                            u64 offset) const {
    switch (from.kind) {
      case OperandKind::register_:
        return whole(of_register, from.name, offset);
      case OperandKind::memory:
        return memory(of_memory, AccessKind::read, offset);
      default:
        return end(OriginKind::constant);
    }
  }
  bool has_immediate() const {
    return operands_.size() < 2 || operands_.back()->kind == OperandKind::immediate;
  }

  std::optional<InstructionSource> of_register() const {
    const ShownOperand* written = nullptr;
    for (const ShownOperand& each : instruction_.operands)
      if (each.kind == OperandKind::register_ && each.is_written && whole_register(each.name) == place_.reg &&
          (written == nullptr || each.is_explicit))
        written = &each;
    if (mnemonic_ == "syscall" && place_.reg == "rax") return end(OriginKind::system_call);
    if (written == nullptr) return std::nullopt;
    // 32 bits clear the upper half, and a vector's low part all above it, so more than is asked for may be
    // written; a part of a general register leaves the rest.
    const bool is_part =
        written->size_bits < 32 && written->size_bits / 8 < place_.address + place_.size_bytes;
    if (is_part || starts_at_high_byte(written->name)) return end(OriginKind::unknown);
    if (mnemonic_ == "pop") return memory(OriginKind::restored, AccessKind::read, 0);
    if (mnemonic_ == "leave" && place_.reg == "rbp") return memory(OriginKind::restored, AccessKind::read, 0);
    if (mnemonic_ == "lea") return of_address();
    if (is_among(kMoves, mnemonic_) && operands_.size() == 2) return of_move(*written);
    if (mnemonic_ == "xchg") {
      const ShownOperand& other = operands_[0] == written ? *operands_[1] : *operands_[0];
      return operand(other, OriginKind::copied, OriginKind::loaded, 0);
    }
    if (mnemonic_ == "movhps" || mnemonic_ == "movhpd") {
      if (place_.address < 8) return InstructionSource{OriginKind::changed, place_};
      return memory(OriginKind::loaded, AccessKind::read, place_.address - 8);
    }
    if (mnemonic_ == "punpcklqdq" || mnemonic_ == "movlhps" || mnemonic_ == "unpcklpd") {
      if (place_.address < 8) return InstructionSource{OriginKind::changed, place_};
      return operand(*operands_[1], OriginKind::copied, OriginKind::loaded, place_.address - 8);
    }
    const bool clears =
        (mnemonic_ == "xor" || mnemonic_ == "sub" || mnemonic_ == "pxor" || mnemonic_ == "xorps") &&
        operands_.size() == 2 && operands_[1]->kind == OperandKind::register_ &&
        operands_[0]->name == operands_[1]->name;
    if (clears) return end(OriginKind::constant);
    if (is_among(kChanges, mnemonic_) && has_immediate())
      return InstructionSource{OriginKind::changed, place_};
    return end(OriginKind::computed);
  }

  InstructionSource of_move(const ShownOperand& written) const {
    const ShownOperand& from = *operands_[1];
    // movss xmm, xmm and the like leave the upper part.
    const u64 bytes = from.size_bits / 8;
    const bool above = place_.address >= bytes && from.kind != OperandKind::immediate;
    if (above) return end(written.size_bits > from.size_bits ? OriginKind::constant : OriginKind::unknown);
    return operand(from, OriginKind::copied, OriginKind::loaded, place_.address);
  }

  /// lea: a pointer to something within what another pointer points to, or to a variable.
  InstructionSource of_address() const {
    const std::string text = instruction_.text;
    const std::vector<std::string> used = registers_in(text.substr(std::min(text.find('['), text.size())));
    if (used.size() != 1 || used[0] == "rip" || used[0] == "rsp" || used[0] == "rbp")
      return end(used.size() > 1 && used[0] != "rip" ? OriginKind::computed : OriginKind::address);
    return whole(OriginKind::changed, used[0], 0);
  }

  std::optional<InstructionSource> of_memory() const {
    const u64 first = place_.address, past = place_.address + place_.size_bytes;
    for (auto access = accesses_.rbegin(); access != accesses_.rend(); ++access) {
      if (access->kind == AccessKind::read || access->kind == AccessKind::none) continue;
      const u64 access_past = access->address + access->size_bytes;
      if (access_past <= first || past <= access->address) continue;
      if (access->address > first || access_past < past) return end(OriginKind::unknown);
      return written_by(first - access->address);
    }
    return std::nullopt;
  }

  InstructionSource written_by(u64 offset) const {
    if (mnemonic_ == "push") return operand(*operands_[0], OriginKind::saved, OriginKind::loaded, offset);
    if (mnemonic_ == "call") return end(OriginKind::address);
    if (mnemonic_.starts_with("movs") && operands_.size() == 2 && operands_[1]->kind == OperandKind::memory)
      return memory(OriginKind::loaded, AccessKind::read, offset);
    if (mnemonic_.starts_with("stos")) return whole(OriginKind::stored, "rax", 0);
    const bool to_memory = operands_.size() == 2 && operands_[0]->kind == OperandKind::memory;
    if (to_memory && (is_among(kMoves, mnemonic_) || mnemonic_ == "xchg"))
      return operand(*operands_[1], OriginKind::stored, OriginKind::loaded, offset);
    if (to_memory && (mnemonic_ == "movhps" || mnemonic_ == "movhpd"))
      return whole(OriginKind::stored, operands_[1]->name, offset + 8);
    if (is_among(kChanges, mnemonic_) && has_immediate())
      return {.kind = OriginKind::changed, .from = place_};
    if (mnemonic_ == "cmpxchg" && to_memory)
      return operand(*operands_[1], OriginKind::stored, OriginKind::loaded, offset);
    return end(OriginKind::computed);
  }

  const ShownInstruction& instruction_;
  const std::string mnemonic_;
  const ValuePlace& place_;
  std::span<const Access> accesses_;
  std::vector<const ShownOperand*> operands_;
};

}  // namespace

std::string whole_register(const std::string& name) {
  for (std::size_t i = 0; i < std::size(kWhole); ++i)
    if (name == kWhole[i] || (!name.empty() && is_among(kNarrow[i], name))) return kWhole[i];
  if (name.size() > 3 && name.substr(1, 2) == "mm" && (name[0] == 'x' || name[0] == 'y' || name[0] == 'z'))
    return "zmm" + name.substr(3);
  if (name.size() < 2 || name[0] != 'r' || std::isdigit(static_cast<unsigned char>(name[1])) == 0) return "";
  std::string whole = name;
  while (!whole.empty() && std::isdigit(static_cast<unsigned char>(whole.back())) == 0) whole.pop_back();
  return whole;
}

std::vector<std::string> written_registers(std::span<const u8> code, u64 pc) {
  std::vector<std::string> written;
  for (const ShownOperand& each : decoded(code, pc).operands)
    if (each.kind == OperandKind::register_ && each.is_written) written.push_back(whole_register(each.name));
  return written;
}

std::optional<InstructionSource> source_of(std::span<const u8> code, u64 pc, const ValuePlace& place,
                                           std::span<const Access> accesses) {
  static constexpr x86::OperandRegisters kNone{};
  const ShownInstruction instruction = x86::disassemble(
      code, pc, [](u64) { return std::string(); }, &kNone);
  if (instruction.length == 0) return InstructionSource{OriginKind::unknown, {}};
  return Source(instruction, place, accesses).find();
}

}  // namespace orrery::lens
