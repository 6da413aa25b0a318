// The signal frame, byte for byte as arch/x86/kernel/signal_64.c x64_setup_rt_frame writes it, from high to
// low addresses: the red zone (128 bytes), the XSAVE image (64-byte aligned, with its magic words), then
// struct rt_sigframe, whose start is 8 bytes below a multiple of 16 so that the handler finds the stack as
// after a call. The image's layout follows the virtual xcr0, not the host's.
//
// sigreturn believes the frame as far as the kernel does: every register may be changed, of the flags
// only the user's, and an image that the CPU would refuse ends in SIGSEGV.
#include "kernel/signal_frame.h"

#include <signal.h>
#include <ucontext.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cpu/vector_state.h"
#include "kernel/signal.h"

namespace orrery::kernel {
namespace {

using cpu::Gpr;

constexpr u64 kRedZoneBytes = 128;
constexpr u32 kMagic1 = 0x46505853, kMagic2 = 0x46505845;  // FP_XSTATE_MAGIC1, FP_XSTATE_MAGIC2
constexpr u64 kFxsaveBytes = 512;
constexpr u64 kSaRestorer = 0x0400'0000, kSaOnStack = 0x0800'0000, kSaSiginfo = 4;
constexpr u32 kSsOnStack = 1, kSsDisable = 2, kSsAutodisarm = 0x8000'0000;
constexpr u64 kUcFpXstate = 1, kUcSigcontextSs = 2, kUcStrictRestoreSs = 4;
constexpr u16 kUserCs = 0x33, kUserSs = 0x2b;
constexpr u64 kFlagsDirection = 1 << 10, kFlagsResume = 1 << 16, kFlagsTrap = 1 << 8;
/// What sigreturn may change of rflags (FIX_EFLAGS): AC OF DF TF SF ZF AF PF CF RF.
constexpr u64 kFlagsOfUser = 1 << 18 | 1 << 11 | kFlagsDirection | kFlagsTrap | 1 << 7 | 1 << 6 | 1 << 4 |
                             1 << 2 | 1 << 0 | kFlagsResume;

struct StackDescription {
  u64 address = 0;
  u32 flags = 0;
  u32 padding = 0;
  u64 size_bytes = 0;
};

struct SignalContext {
  u64 r8, r9, r10, r11, r12, r13, r14, r15;
  u64 rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
  u64 flags;
  u16 cs, gs, fs, ss;
  u64 error_code, trap_number, old_mask, cr2;
  u64 vector_image;
  u64 reserved[8];
};

struct UserContext {
  u64 flags;
  u64 link;
  StackDescription stack;
  SignalContext registers;
  SignalSet mask;
};
static_assert(sizeof(SignalContext) == 256);
static_assert(offsetof(UserContext, stack) == offsetof(ucontext_t, uc_stack));
static_assert(offsetof(UserContext, registers) == offsetof(ucontext_t, uc_mcontext));
static_assert(offsetof(UserContext, mask) == offsetof(ucontext_t, uc_sigmask));
static_assert(offsetof(SignalContext, rip) == REG_RIP * sizeof(greg_t));
static_assert(offsetof(SignalContext, cr2) == REG_CR2 * sizeof(greg_t));
static_assert(offsetof(SignalContext, vector_image) == offsetof(mcontext_t, fpregs));

struct Frame {
  u64 return_address;
  UserContext context;
  SignalInfo info;
};
static_assert(sizeof(Frame) == 440);

/// struct _fpx_sw_bytes, in the FXSAVE area's free bytes.
struct SoftwareBytes {
  u32 magic1;
  u32 extended_bytes;
  u64 components;
  u32 image_bytes;
  u32 padding[7];
};
static_assert(sizeof(SoftwareBytes) == 48);

u64 round_down(u64 value, u64 alignment) { return value & ~(alignment - 1); }

u64 image_bytes(const Configuration& configuration) {
  return configuration.xcr0 == 0 ? kFxsaveBytes : configuration.xsave_bytes;
}
u64 magic2_bytes(const Configuration& configuration) { return configuration.xcr0 == 0 ? 0 : sizeof kMagic2; }

struct FramePlace {
  u64 frame = 0;
  u64 image = 0;
};

/// get_sigframe. False if the alternate stack would overflow.
bool choose_place(const Task& task, const SignalAction& action, FramePlace& place) {
  const AltStack& altstack = task.altstack;
  const Configuration& configuration = task.process.configuration;
  u64 sp = task.cpu.regs[Gpr::rsp];
  const bool nested = on_altstack(altstack, sp);
  bool entering = false;
  sp -= kRedZoneBytes;
  if ((action.flags & kSaOnStack) != 0 && altstack_state(altstack, sp) == 0) {
    sp = altstack.address + altstack.size_bytes;
    entering = true;
  }
  place.image = round_down(sp - image_bytes(configuration) - magic2_bytes(configuration), 64);
  place.frame = round_down(place.image - sizeof(Frame), 16) - 8;
  if (!nested && !entering) return true;
  return place.frame > altstack.address && place.frame - altstack.address <= altstack.size_bytes;
}

bool write_image(Task& task, u64 address) {
  const Configuration& configuration = task.process.configuration;
  cpu::VectorImage image;
  cpu::save_vector_state(image, configuration.xcr0);
  const u64 size = image_bytes(configuration);
  u64 total = size;
  if (configuration.xcr0 != 0) {
    const SoftwareBytes software{.magic1 = kMagic1,
                                 .extended_bytes = static_cast<u32>(size + sizeof kMagic2),
                                 .components = configuration.xcr0,
                                 .image_bytes = static_cast<u32>(size),
                                 .padding = {}};
    std::memcpy(image.bytes + cpu::kVectorSoftware, &software, sizeof software);
    std::memcpy(image.bytes + size, &kMagic2, sizeof kMagic2);
    total += sizeof kMagic2;
  }
  return task.process.space().write(address, {image.bytes, total});
}

void save_registers(const Task& task, u64 image, SignalContext& out) {
  const cpu::Registers& regs = task.cpu.regs;
  out = {};
  out.r8 = regs[Gpr::r8], out.r9 = regs[Gpr::r9], out.r10 = regs[Gpr::r10], out.r11 = regs[Gpr::r11];
  out.r12 = regs[Gpr::r12], out.r13 = regs[Gpr::r13], out.r14 = regs[Gpr::r14], out.r15 = regs[Gpr::r15];
  out.rdi = regs[Gpr::rdi], out.rsi = regs[Gpr::rsi], out.rbp = regs[Gpr::rbp], out.rbx = regs[Gpr::rbx];
  out.rdx = regs[Gpr::rdx], out.rax = regs[Gpr::rax], out.rcx = regs[Gpr::rcx], out.rsp = regs[Gpr::rsp];
  out.rip = regs.rip;
  out.flags = regs.rflags;
  out.cs = kUserCs;
  out.ss = kUserSs;
  out.error_code = task.last_fault.error_code;
  out.trap_number = task.last_fault.trap_number;
  out.cr2 = task.last_fault.cr2;
  out.vector_image = image;
}

void load_registers(const SignalContext& in, cpu::Registers& regs) {
  regs[Gpr::r8] = in.r8, regs[Gpr::r9] = in.r9, regs[Gpr::r10] = in.r10, regs[Gpr::r11] = in.r11;
  regs[Gpr::r12] = in.r12, regs[Gpr::r13] = in.r13, regs[Gpr::r14] = in.r14, regs[Gpr::r15] = in.r15;
  regs[Gpr::rdi] = in.rdi, regs[Gpr::rsi] = in.rsi, regs[Gpr::rbp] = in.rbp, regs[Gpr::rbx] = in.rbx;
  regs[Gpr::rdx] = in.rdx, regs[Gpr::rax] = in.rax, regs[Gpr::rcx] = in.rcx, regs[Gpr::rsp] = in.rsp;
  regs.rip = in.rip;
  regs.rflags = (regs.rflags & ~kFlagsOfUser) | (in.flags & kFlagsOfUser);
}

/// check_xstate_in_sigframe: how much of the image the frame vouches for; 0 is the legacy part alone.
u64 vouched_components(Task& task, const SoftwareBytes& software, u64 address) {
  const Configuration& configuration = task.process.configuration;
  constexpr u64 kLeastBytes = kFxsaveBytes + 64;
  if (configuration.xcr0 == 0 || software.magic1 != kMagic1) return 0;
  if (software.image_bytes < kLeastBytes || software.image_bytes > configuration.xsave_bytes ||
      software.image_bytes > software.extended_bytes)
    return 0;
  u32 magic2 = 0;
  if (!task.process.space().read_value(address + software.image_bytes, magic2) || magic2 != kMagic2) return 0;
  return software.components & configuration.xcr0;
}

/// fpu__restore_sig. An address of 0 means the initial state.
bool load_image(Task& task, u64 address) {
  const Configuration& configuration = task.process.configuration;
  const memory::AddressSpace& space = task.process.space();
  if (address == 0) {
    cpu::reset_vector_state(configuration.xcr0);
    return true;
  }
  cpu::VectorImage image;
  if (!space.read(address, {image.bytes, kFxsaveBytes})) return false;
  SoftwareBytes software;
  std::memcpy(&software, image.bytes + cpu::kVectorSoftware, sizeof software);
  const u64 components = vouched_components(task, software, address);
  if (components == 0) {
    constexpr u64 kLegacyComponents = 3;  // x87 and SSE; what else there is gets its initial value
    image.set_components(kLegacyComponents & configuration.xcr0);
  } else {
    if (!space.read(address + kFxsaveBytes,
                    {image.bytes + kFxsaveBytes, software.image_bytes - kFxsaveBytes}))
      return false;
    if (!cpu::vector_image_valid(image, configuration.xcr0)) return false;
    image.set_components(image.components() & components);
  }
  if (!cpu::vector_image_valid(image, configuration.xcr0)) return false;
  cpu::restore_vector_state(image, configuration.xcr0);
  return true;
}

}  // namespace

bool enter_handler(Task& task, const SignalAction& action, const SignalInfo& info,
                   SignalSet mask_to_restore) {
  if ((action.flags & kSaRestorer) == 0) return false;
  FramePlace place;
  if (!choose_place(task, action, place)) return false;

  Frame frame{};
  frame.return_address = action.restorer;
  frame.context.flags = kUcSigcontextSs | kUcStrictRestoreSs;
  if (task.process.configuration.xcr0 != 0) frame.context.flags |= kUcFpXstate;
  frame.context.stack = {task.altstack.address, task.altstack.flags, 0, task.altstack.size_bytes};
  save_registers(task, place.image, frame.context.registers);
  frame.context.mask = mask_to_restore;
  frame.context.registers.old_mask = mask_to_restore;
  frame.info = info;
  // The kernel leaves the siginfo's place on the stack as it was when nobody asked for one.
  const u64 size = (action.flags & kSaSiginfo) != 0 ? sizeof frame : offsetof(Frame, info);
  memory::AddressSpace& space = task.process.space();
  if (!write_image(task, place.image)) return false;
  if (!space.write(place.frame, {reinterpret_cast<const u8*>(&frame), size})) return false;

  cpu::Registers& regs = task.cpu.regs;
  regs[Gpr::rdi] = static_cast<u64>(info.number);
  regs[Gpr::rax] = 0;
  regs[Gpr::rsi] = place.frame + offsetof(Frame, info);
  regs[Gpr::rdx] = place.frame + offsetof(Frame, context);
  regs[Gpr::rsp] = place.frame;
  regs.rip = action.handler;
  regs.rflags &= ~(kFlagsDirection | kFlagsResume | kFlagsTrap);
  cpu::reset_vector_state(task.process.configuration.xcr0);
  if ((task.altstack.flags & kSsAutodisarm) != 0) task.altstack = {.flags = kSsDisable};
  return true;
}

bool leave_handler(Task& task) {
  memory::AddressSpace& space = task.process.space();
  const u64 at = task.cpu.regs[Gpr::rsp] - sizeof(u64);
  UserContext context;
  if (!space.read_value(at + offsetof(Frame, context), context)) return false;
  // A handler cannot return into 32-bit code here, and bad selectors would make iret fault.
  if ((context.registers.cs | 3) != kUserCs) return false;
  set_blocked(task, context.mask);
  load_registers(context.registers, task.cpu.regs);
  task.call.number = -1;
  if (!load_image(task, context.registers.vector_image)) return false;
  set_altstack(task, {context.stack.address, context.stack.size_bytes, context.stack.flags},
               task.cpu.regs[Gpr::rsp]);
  return true;
}

bool on_altstack(const AltStack& stack, u64 sp) {
  if ((stack.flags & kSsAutodisarm) != 0) return false;
  return sp > stack.address && sp - stack.address <= stack.size_bytes;
}

u32 altstack_state(const AltStack& stack, u64 sp) {
  if (stack.size_bytes == 0) return kSsDisable;
  return on_altstack(stack, sp) ? kSsOnStack : 0;
}

i64 set_altstack(Task& task, const AltStack& wanted, u64 sp) {
  constexpr u64 kLeastBytes = 2048;  // MINSIGSTKSZ
  if (on_altstack(task.altstack, sp)) return -EPERM;
  const u32 mode = wanted.flags & ~kSsAutodisarm;
  if (mode != kSsDisable && mode != kSsOnStack && mode != 0) return -EINVAL;
  if (mode == kSsDisable) {
    task.altstack = {.flags = wanted.flags};
    return 0;
  }
  if (wanted.size_bytes < kLeastBytes) return -ENOMEM;
  task.altstack = wanted;
  return 0;
}

u64 signal_frame_bytes_most(const Configuration& configuration) {
  // What the kernel adds to the image's size with IA32 emulation built in (init_sigframe_size); the unit test
  // compares it with the real AT_MINSIGSTKSZ.
  constexpr u64 kAroundImage = 944;
  return (image_bytes(configuration) + kAroundImage + 15) & ~u64{15};
}

}  // namespace orrery::kernel
