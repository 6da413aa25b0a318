// SIGSEGV and SIGBUS by an access: what was touched, what lies there, and which name in the source held the
// bad address.
#include <sys/mman.h>

#include <algorithm>
#include <csignal>

#include "base/base_name.h"
#include "lens/why/verdict.h"

namespace orrery::lens::why {
namespace {

/// The kernel lets nobody map below vm.mmap_min_addr, 64 KiB: such an address is an offset from null.
constexpr u64 kNullEnd = 0x10000;
/// A fault this near the stack pointer is the stack's own growth (large frames probe further than a page).
constexpr u64 kStackReach = 1 << 20;
/// Values that look like text: at least this many of eight bytes can be printed.
constexpr int kTextBytesLeast = 6;

const char* past_tense(Access access) {
  switch (access) {
    case Access::read:
      return "read";
    case Access::write:
      return "wrote";
    case Access::execute:
      return "jumped";
    case Access::unknown:
      break;
  }
  return "accessed";
}

/// "read from", "wrote to", "jumped to", "accessed".
std::string did_at(Access access) {
  switch (access) {
    case Access::read:
      return "read from";
    case Access::write:
      return "wrote to";
    case Access::execute:
      return "jumped to";
    case Access::unknown:
      break;
  }
  return "accessed";
}

std::string region_text(const elf::MappedRegion& region) {
  std::string name = region.path.empty() ? "anonymous memory" : region.path;
  std::string protection = {(region.protection & PROT_READ) ? 'r' : '-',
                            (region.protection & PROT_WRITE) ? 'w' : '-',
                            (region.protection & PROT_EXEC) ? 'x' : '-'};
  return hexadecimal(region.start) + "-" + hexadecimal(region.end) + " " + protection + " " + name;
}

/// The bytes of an address as characters, if most of them are some: a pointer overwritten with text.
std::string as_text(u64 value) {
  std::string text;
  for (int i = 0; i < 8; ++i) {
    const char letter = static_cast<char>(value >> (8 * i));
    if (letter >= 0x20 && letter < 0x7f)
      text += letter;
    else if (letter != 0)
      return "";
  }
  return static_cast<int>(text.size()) >= kTextBytesLeast ? text : "";
}

/// The argument of the faulting function that holds this pointer.
const elf::Variable* argument_with(const StackFact& stack, u64 pointer) {
  if (stack.inner.empty()) return nullptr;
  for (const elf::Variable& argument : stack.inner.front().arguments) {
    if (argument.pointer == pointer) return &argument;
  }
  return nullptr;
}

/// Which name in the source, or which register, held the bad address.
std::string pointer_sentence(const Facts& facts, u64 pointer) {
  if (const elf::Variable* argument = argument_with(facts.stack, pointer)) {
    return "Its argument `" + argument->name + "` is " + (pointer == 0 ? "NULL" : hexadecimal(pointer)) + ".";
  }
  const auto& operand = facts.fault->operand;
  if (operand && operand->base >= 0 && facts.registers.gpr[operand->base] == pointer) {
    return std::string("The address came from register ") + register_name(operand->base) + " = " +
           hexadecimal(pointer) + ".";
  }
  return "";
}

u64 base_pointer(const Facts& facts) {
  const Fault& fault = *facts.fault;
  if (fault.operand && fault.operand->base >= 0) return facts.registers.gpr[fault.operand->base];
  return fault.address;
}

void explain_null(const Facts& facts, Verdict& verdict) {
  const Fault& fault = *facts.fault;
  verdict.category = Category::null_access;
  verdict.headline += "it " + std::string(past_tense(fault.access)) + " through a null pointer";
  const u64 pointer = base_pointer(facts);
  std::string sentence = "The address is " + hexadecimal(fault.address);
  if (fault.address != 0 && pointer == 0)
    sentence += ", " + std::to_string(fault.address) + " bytes behind NULL";
  verdict.sentences.push_back(sentence + "; nothing is ever mapped there.");
  verdict.sentences.push_back(pointer_sentence(facts, pointer));
}

void explain_wild(const Facts& facts, Verdict& verdict) {
  const Fault& fault = *facts.fault;
  verdict.category = Category::wild_pointer;
  verdict.headline += "it used a wild pointer";
  if (!fault.address_known) {
    verdict.sentences.push_back("The CPU names no address for such a fault.");
    return;
  }
  verdict.sentences.push_back(hexadecimal(fault.address) +
                              " cannot be an address: its upper bits are not all equal.");
  const u64 pointer = base_pointer(facts);
  if (const std::string text = as_text(pointer); !text.empty()) {
    verdict.sentences.push_back(std::count(text.begin(), text.end(), text[0]) == static_cast<i64>(text.size())
                                    ? "All its bytes are " + hexadecimal(pointer & 0xff) +
                                          ": memory was filled with that where the pointer was."
                                    : "Its bytes are the text " + quote(text, 16) +
                                          ": it looks as if a string was written over the pointer.");
  }
  verdict.sentences.push_back(pointer_sentence(facts, pointer));
}

bool is_stack_overflow(const Facts& facts) {
  const Fault& fault = *facts.fault;
  if (fault.access == Access::execute) return false;
  const u64 stack = facts.registers.gpr[elf::kRspIndex];
  const bool near = fault.address + kStackReach > stack && fault.address < stack + kPageBytes;
  const bool guard = fault.region && (fault.region->protection & (PROT_READ | PROT_WRITE)) == 0;
  if (!near || (fault.region && !guard)) return false;
  // The stack pointer has left its region downwards, or stands in the region's last page. Below the main
  // stack the kernel leaves room for it to grow, so that nothing else is near.
  if (fault.above && fault.above->path == "[stack]" && !fault.region && stack < fault.above->start)
    return true;
  return fault.above && stack < fault.above->start + kPageBytes &&
         fault.above->start - fault.address < 2 * kStackReach;
}

void explain_overflow(const Facts& facts, Verdict& verdict) {
  verdict.category = Category::stack_overflow;
  verdict.headline += "its stack overflowed";
  const u64 used = facts.fault->above ? facts.fault->above->end - facts.registers.gpr[elf::kRspIndex] : 0;
  verdict.sentences.push_back("The stack holds " +
                              // Without unwind information the calls cannot be counted.
                              (facts.stack.complete && facts.stack.frames_total > 1
                                   ? std::to_string(facts.stack.frames_total) + " calls and "
                                   : "") +
                              std::to_string(used / 1024) + " KiB; it cannot grow further (ulimit -s).");
  if (!facts.stack.repeated.empty()) {
    verdict.sentences.push_back(facts.stack.repeated + "() calls itself without an end: " +
                                std::to_string(facts.stack.repeated_count) + " calls of it are open.");
  }
}

void explain_jump(const Facts& facts, Verdict& verdict) {
  const Fault& fault = *facts.fault;
  if (fault.address < kNullEnd) {
    verdict.category = Category::null_call;
    verdict.headline += "it called a function through a null pointer";
    verdict.sentences.push_back("The call went to " + hexadecimal(fault.address) +
                                "; a callback was not set, or its object is gone.");
  } else if (fault.region) {
    verdict.category = Category::bad_jump;
    verdict.headline += "it jumped into data";
    verdict.sentences.push_back(hexadecimal(fault.address) + " lies in memory that must not be executed.");
  } else {
    verdict.category = Category::bad_jump;
    verdict.headline += "it jumped to nowhere";
    verdict.sentences.push_back("Nothing is mapped at " + hexadecimal(fault.address) + ".");
  }
}

void explain_protection(const Facts& facts, Verdict& verdict) {
  const Fault& fault = *facts.fault;
  if (fault.access == Access::write && (fault.region->protection & PROT_READ) != 0) {
    verdict.category = Category::write_to_read_only;
    verdict.headline += "it wrote to read-only memory";
    const bool code = (fault.region->protection & PROT_EXEC) != 0;
    verdict.sentences.push_back(
        hexadecimal(fault.address) + " lies in " +
        (code                         ? "code"
         : fault.region->path.empty() ? "memory"
                                      : "constant data") +
        (fault.region->path.empty() ? "" : " of " + std::string(base_name(fault.region->path))) +
        (code || fault.region->path.empty() ? "." : " (string literals are there)."));
  } else {
    verdict.category = Category::no_access;
    verdict.headline += "it " + did_at(fault.access) + " memory it has no right to";
    verdict.sentences.push_back(hexadecimal(fault.address) +
                                " is reserved without access (a guard page, or PROT_NONE).");
  }
  verdict.sentences.push_back(pointer_sentence(facts, base_pointer(facts)));
}

void explain_unmapped(const Facts& facts, Verdict& verdict) {
  const Fault& fault = *facts.fault;
  if (fault.unmapped_by) {
    verdict.category = Category::freed_map;
    verdict.headline += "it " + did_at(fault.access) + " memory it had given back";
    std::string sentence = hexadecimal(fault.address) + " was unmapped by " + fault.unmapped_by->text;
    const FrameFact* frame = fault.unmapped_by->stack ? fault.unmapped_by->stack->users() : nullptr;
    if (frame) sentence += ", called from " + place_text(*frame);
    verdict.sentences.push_back(sentence + ".");
  } else {
    verdict.category = Category::unmapped_memory;
    verdict.headline += "it " + did_at(fault.access) + " an address where nothing is mapped";
    verdict.sentences.push_back("Nothing is mapped at " + hexadecimal(fault.address) +
                                (facts.is_long ? "; whether something was, this long run was not asked."
                                               : ", and nothing was found that ever was."));
    if (facts.is_long)
      verdict.hints.push_back({"orrery show memory --history" + recording_words(facts),
                               "what was mapped there, and who took it away; takes another replay"});
  }
  verdict.sentences.push_back(pointer_sentence(facts, base_pointer(facts)));
}

void describe_map(const Fault& fault, Verdict& verdict) {
  if (!fault.address_known || verdict.category == Category::null_access ||
      verdict.category == Category::null_call)
    return;
  if (fault.region) {
    verdict.sentences.push_back("Map: " + region_text(*fault.region) + ".");
    return;
  }
  if (verdict.category == Category::wild_pointer || verdict.category == Category::freed_map) return;
  if (fault.below && fault.address - fault.below->end < kStackReach) {
    verdict.sentences.push_back("Map: " + std::to_string(fault.address - fault.below->end) +
                                " bytes behind the end of " + region_text(*fault.below) + ".");
  } else if (fault.above && fault.above->start - fault.address < 2 * kStackReach) {
    verdict.sentences.push_back("Map: " + std::to_string(fault.above->start - fault.address) +
                                " bytes below " + region_text(*fault.above) + ".");
  }
}

/// What the CPU refuses with a general-protection fault, which tells no address.
void explain_refused(const Facts& facts, Verdict& verdict) {
  const Fault& fault = *facts.fault;
  const std::vector<u8>& bytes = fault.instruction;
  const bool privileged =
      !bytes.empty() &&
      (bytes[0] == 0xf4 || bytes[0] == 0xfa || bytes[0] == 0xfb ||                          // hlt, cli, sti
       (bytes[0] >= 0xe4 && bytes[0] <= 0xe7) || (bytes[0] >= 0xec && bytes[0] <= 0xef) ||  // in, out
       (bytes.size() > 1 && bytes[0] == 0x0f &&
        (bytes[1] == 0x30 || bytes[1] == 0x32 || (bytes[1] >= 0x20 && bytes[1] <= 0x23))));
  constexpr u64 kVectorBytes = 16;
  if (privileged) {
    verdict.category = Category::privileged;
    verdict.headline += "it ran into a privileged instruction";
    verdict.sentences.push_back(
        "Only the kernel may execute it; in a program it is data run as code, or a mistake.");
  } else if (fault.operand && is_canonical(fault.operand->address) &&
             fault.operand->address % kVectorBytes != 0) {
    verdict.category = Category::misaligned;
    verdict.headline += "the CPU refused an access";
    verdict.sentences.push_back("The address " + hexadecimal(fault.operand->address) +
                                " is not a multiple of 16, as some vector instructions want it.");
  } else {
    explain_wild(facts, verdict);
  }
}

/// A call that failed right before: what it should have given may be what is missing.
void tell_failure_before(const Facts& facts, Verdict& verdict) {
  if (verdict.category != Category::null_access && verdict.category != Category::null_call) return;
  constexpr u64 kCallsBack = 3;
  const u64 count = facts.calls.size();
  for (u64 i = count; i > 0 && i + kCallsBack > count; --i) {
    const Call& call = facts.calls[i - 1];
    if (!call.failed() || call.from_loader) continue;
    verdict.sentences.push_back("Right before, a system call had failed: " + call.text + ".");
    verdict.failing_calls = {call};
    return;
  }
}

}  // namespace

std::optional<Verdict> explain_memory_fault(const Facts& facts) {
  if (!facts.fault || (facts.fault->signal != SIGSEGV && facts.fault->signal != SIGBUS)) return std::nullopt;
  const Fault& fault = *facts.fault;
  Verdict verdict{.headline = program_name(facts) + " died of " + signal_name(fault.signal) + ": "};
  verdict.show_stack = true;
  verdict.show_registers = true;
  verdict.show_calls = true;
  if (fault.signal == SIGBUS && fault.region) {
    verdict.category = Category::file_truncated;
    verdict.headline += "it touched a mapped file behind its end";
    verdict.sentences.push_back("The file under " + region_text(*fault.region) +
                                " is shorter than its mapping.");
  } else if (!fault.address_known) {
    explain_refused(facts, verdict);
  } else if (!is_canonical(fault.address)) {
    explain_wild(facts, verdict);
  } else if (fault.access == Access::execute) {
    explain_jump(facts, verdict);
  } else if (fault.address < kNullEnd) {
    explain_null(facts, verdict);
  } else if (is_stack_overflow(facts)) {
    explain_overflow(facts, verdict);
  } else if (fault.region) {
    explain_protection(facts, verdict);
  } else {
    explain_unmapped(facts, verdict);
  }
  verdict.headline += ".";
  describe_map(fault, verdict);
  std::erase(verdict.sentences, "");
  if (const FrameFact* frame = facts.stack.users()) verdict.place = *frame;
  tell_failure_before(facts, verdict);
  return verdict;
}

}  // namespace orrery::lens::why
