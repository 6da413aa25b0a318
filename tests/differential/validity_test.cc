// Which encodings exist, decided by the processor: what the decoder copies never raises #UD, and what
// it refuses does, unless it belongs to what the machine hides and the host has.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/auxv.h>

#include <algorithm>
#include <span>

#include "campaign.h"
#include "generator.h"
#include "guest_memory.h"
#include "runner.h"
#include "x86/cpu_profile.h"
#include "x86/decode.h"

namespace orrery::differential {
namespace {

using x86::Encoding;

/// Opcodes under which hidden extensions lie. x86/isa_table_generator_hosted.cc says which instructions.
struct HiddenOpcode {
  Encoding encoding;
  u8 map;
  u8 first, last;
  const char* what;
};
constexpr HiddenOpcode kHidden[] = {
    {Encoding::legacy, 0, 0xc6, 0xc7, "TSX"},
    {Encoding::legacy, 1, 0x01, 0x01, "TSX, PKU, VMX, SGX, WAITPKG, UINTR, TSXLDTRK, SVM"},
    {Encoding::legacy, 1, 0x0f, 0x0f, "3DNow!"},
    {Encoding::legacy, 1, 0x78, 0x79, "SSE4A"},
    {Encoding::legacy, 1, 0x2b, 0x2b, "SSE4A"},
    {Encoding::legacy, 1, 0xae, 0xae, "PTWRITE, WAITPKG, CET"},
    {Encoding::legacy, 1, 0xc7, 0xc7, "UINTR, VMX"},
    {Encoding::legacy, 2, 0xd8, 0xdf, "Key Locker"},
    {Encoding::legacy, 2, 0xf5, 0xf9, "CET, ENQCMD, MSRLIST"},
    {Encoding::legacy, 2, 0xfa, 0xfc, "Key Locker, AAMAND"},
    {Encoding::legacy, 3, 0xf0, 0xf0, "HRESET"},
    {Encoding::vex, 2, 0x49, 0x6c, "AMX, AVX-VNNI-INT8"},
    {Encoding::vex, 2, 0xb0, 0xb5, "AVX-IFMA, AVX-NE-CONVERT"},
    {Encoding::vex, 2, 0xcb, 0xef, "SHA512, SM3, AVX-VNNI-INT16, CMPccXADD"},
    {Encoding::vex, 3, 0xde, 0xde, "SM3"},
};

/// What Intel's processors refuse and AMD's have, and the machine hides: its decoder goes by Intel's manual.
/// AMD64 Architecture Programmer's Manual, volume 3 (MOV CRn: a lock prefix says CR8) and volume 4 (VPERMQ,
/// VPERMPD: VEX.W is not looked at).
constexpr HiddenOpcode kHiddenOnAmd[] = {
    {Encoding::legacy, 0, 0x8f, 0x8f, "XOP, or a reg field of POP that is not zero"},
    {Encoding::legacy, 1, 0x00, 0x00, "lock verw"},
    {Encoding::legacy, 1, 0x20, 0x23, "lock mov of CR8"},
    {Encoding::vex, 3, 0x00, 0x01, "VPERMQ, VPERMPD with W0"},
};

bool lies_under(std::span<const HiddenOpcode> rows, const x86::Decoded& decoded) {
  return std::any_of(rows.begin(), rows.end(), [&](const HiddenOpcode& row) {
    return row.encoding == decoded.encoding && row.map == decoded.map && row.first <= decoded.opcode &&
           decoded.opcode <= row.last;
  });
}

bool hidden(const x86::Decoded& decoded) {
  return lies_under(kHidden, decoded) || (__builtin_cpu_is("amd") && lies_under(kHiddenOnAmd, decoded));
}

class Validity : public testing::Test {
 protected:
  void SetUp() override {
    if (!processor_suffices()) GTEST_SKIP() << "no FSGSBASE or XSAVE here";
    prepare_process();
  }

  bool undefined_on_the_processor(std::span<const u8> code) {
    memory_.set_code(code, kCode, 0);
    memory_.reset();
    ProcessorState start = generator_.state();
    start.regs.rip = kCode;
    const Outcome outcome = run_native(start);
    return outcome.fault.signal == SIGILL && outcome.fault.address == kCode;
  }

  u64 seed_ = first_seed();
  GuestMemory memory_;
  Generator generator_{seed_,
                       x86::make_cpu_profile("host", x86::this_cpu(getauxval(AT_HWCAP2))).take().features};
};

TEST_F(Validity, WhatIsCopiedExists) {
  // Intel's have no prefetch of a register, but execute it as a nop.
  if (!__builtin_cpu_is("intel")) GTEST_SKIP() << "not an Intel processor";
  for (u64 i = case_count(20'000); i > 0; --i) {
    const auto code = generator_.instruction(kCode);
    ASSERT_FALSE(undefined_on_the_processor(code)) << "ORRERY_SEED=" << seed_ << hex(code);
  }
}

TEST_F(Validity, WhatIsRefusedDoesNotExistOrIsHidden) {
  for (u64 i = case_count(20'000); i > 0; --i) {
    const auto code = generator_.refused(kCode);
    if (hidden(x86::decode(code))) continue;
    ASSERT_TRUE(undefined_on_the_processor(code)) << "ORRERY_SEED=" << seed_ << hex(code);
  }
}

}  // namespace
}  // namespace orrery::differential
