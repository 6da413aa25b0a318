// Zydis, loaded when the first instruction is shown: with its tables and Zycore it takes a tenth of the time
// of `orrery show file` to load, which most commands need not spend. Debian has it as a shared library only.
#pragma once

#include <Zycore/Zycore.h>
#include <Zydis/Zydis.h>

namespace orrery::x86 {

struct Zydis {
  decltype(&ZydisDecoderInit) decoder_init;
  decltype(&ZydisDecoderDecodeFull) decode_full;
  decltype(&ZydisFormatterInit) formatter_init;
  decltype(&ZydisFormatterSetHook) set_hook;
  decltype(&ZydisFormatterFormatInstruction) format_instruction;
  decltype(&ZydisFormatterBufferGetString) buffer_string;
  decltype(&ZydisCalcAbsoluteAddress) absolute_address;
  decltype(&ZydisRegisterGetLargestEnclosing) largest_enclosing;
  decltype(&ZydisRegisterGetClass) class_of;
  decltype(&ZydisRegisterGetId) id_of;
  decltype(&ZydisRegisterGetString) name_of;
  decltype(&ZyanStringAppend) append;
  decltype(&ZyanStringViewInsideBuffer) view_inside;
};

inline constexpr const char* kZydisFile = "libZydis.so.4.0";
inline constexpr const char* kZycoreFile = "libZycore.so.1.4";
static_assert(ZYDIS_VERSION_MAJOR(ZYDIS_VERSION) == 4 && ZYDIS_VERSION_MINOR(ZYDIS_VERSION) == 0);
static_assert(ZYCORE_VERSION_MAJOR(ZYCORE_VERSION) == 1 && ZYCORE_VERSION_MINOR(ZYCORE_VERSION) == 4);

/// Null if they are not installed.
const Zydis* zydis();

}  // namespace orrery::x86
