// What a program can learn of the processor's tables. Linux has the same descriptors for every 64-bit program
// on every processor (arch/x86/include/asm/segment.h), so lar, lsl, verr and verw are answered from that
// table, and not by the host's processor; the one descriptor that differs holds the processor's number. The
// rest belongs to UMIP: the kernel performs these for the program with fixed values (arch/x86/kernel/umip.c),
// so that is what every program sees on a processor that has UMIP, and on one that has not the values
// are those of another kernel's address layout.
#include <signal.h>

#include "machine/gate_context.h"
#include "x86/exception.h"

namespace orrery::machine {

namespace {

// --- descriptors ---

struct Descriptor {
  u16 selector;       ///< without its privilege bits
  u32 access_rights;  ///< what lar shows
  u32 limit;          ///< what lsl shows
};

constexpr u16 kProcessorNumber = 0x78;  ///< GDT_ENTRY_CPUNODE: its limit is the processor's number
/// Those of privilege level 3; the kernel's own are invalid to a program.
constexpr Descriptor kDescriptors[] = {
    {0x20, 0xcf'fb00, 0xffff'ffff},
    {0x28, 0xcf'f300, 0xffff'ffff},
    {0x30, 0xaf'fb00, 0xffff'ffff},
    {kProcessorNumber, 0x40'f500, 0},
};
constexpr u32 kCodeSegment = 1 << 11, kReadableOrWritable = 1 << 9;

const Descriptor* find(u64 selector) {
  for (const Descriptor& descriptor : kDescriptors)
    if (descriptor.selector == (selector & 0xfffc)) return &descriptor;
  return nullptr;
}

bool readable(const Descriptor& descriptor) {
  const bool code = (descriptor.access_rights & kCodeSegment) != 0;
  return !code || (descriptor.access_rights & kReadableOrWritable) != 0;
}

bool writable(const Descriptor& descriptor) {
  const bool code = (descriptor.access_rights & kCodeSegment) != 0;
  return !code && (descriptor.access_rights & kReadableOrWritable) != 0;
}

// --- the values of umip.c ---

constexpr u64 kDescriptorTableBase = 0xffff'ffff'fffe'0000, kInterruptTableBase = 0xffff'ffff'ffff'0000;
constexpr u64 kMachineStatus = 0x8005'0033;  ///< CR0_STATE
constexpr u64 kTaskSelector = 0x40;          ///< GDT_ENTRY_TSS * 8

u64 word_of(x86::Gate gate) {
  switch (gate) {
    case x86::Gate::smsw:
      return kMachineStatus;
    case x86::Gate::str:
      return kTaskSelector;
    default:
      return 0;  // sldt: no local table
  }
}

/// copy_to_user; where that fails the kernel names the operand's first byte, in these words.
bool store(Gated& gated, std::span<const u8> bytes) {
  const u64 address = operand_address(gated);
  if (gated.context.space.write(address, bytes)) return true;
  constexpr u64 kUserWrite = 6;
  gated.fault = {SIGSEGV, SEGV_MAPERR, address, kUserWrite, x86::kVectorPageFault};
  return false;
}

}  // namespace

bool do_segment_query(Gated& gated) {
  u64 selector = 0;
  if (!read_selector(gated, selector)) return false;
  const Descriptor* descriptor = find(selector);
  bool valid = descriptor != nullptr;
  if (gated.gate == x86::Gate::verr) valid = valid && readable(*descriptor);
  if (gated.gate == x86::Gate::verw) valid = valid && writable(*descriptor);
  gated.regs.rflags = valid ? gated.regs.rflags | kZeroFlag : gated.regs.rflags & ~kZeroFlag;
  if (!valid) return true;
  if (gated.gate == x86::Gate::lar) set_register(gated, reg_register(gated), descriptor->access_rights);
  if (gated.gate == x86::Gate::lsl) {
    const bool number = descriptor->selector == kProcessorNumber;
    set_register(gated, reg_register(gated), number ? gated.context.host.current_cpu() : descriptor->limit);
  }
  return true;
}

bool do_processor_table(Gated& gated) {
  if (gated.gate == x86::Gate::sgdt || gated.gate == x86::Gate::sidt) {
    const u64 base = gated.gate == x86::Gate::sgdt ? kDescriptorTableBase : kInterruptTableBase;
    u8 image[10] = {};  // a limit of 0, then the base
    __builtin_memcpy(image + 2, &base, sizeof base);
    return store(gated, image);
  }
  const u64 word = word_of(gated.gate);
  const auto* bytes = reinterpret_cast<const u8*>(&word);
  if (!operand_is_register(gated)) return store(gated, {bytes, 2});
  // The kernel copies the operand's bytes into the saved register: the others stay.
  __builtin_memcpy(&rm_register(gated), bytes, operand_bytes(gated));
  return true;
}

}  // namespace orrery::machine
