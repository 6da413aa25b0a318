#include "x86/zydis_hosted.h"

#include <dlfcn.h>

#include <optional>

namespace orrery::x86 {
namespace {

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

/// Debian's Zydis does not name Zycore among the libraries that it needs.
std::optional<Zydis> load() {
  void* const library = dlopen(kZydisFile, RTLD_NOW | RTLD_LOCAL);
  void* const core = dlopen(kZycoreFile, RTLD_NOW | RTLD_LOCAL);
  Zydis all{};
  const bool whole =
      library != nullptr && core != nullptr && find(library, "ZydisDecoderInit", all.decoder_init) &&
      find(library, "ZydisDecoderDecodeFull", all.decode_full) &&
      find(library, "ZydisFormatterInit", all.formatter_init) &&
      find(library, "ZydisFormatterSetHook", all.set_hook) &&
      find(library, "ZydisFormatterFormatInstruction", all.format_instruction) &&
      find(library, "ZydisFormatterBufferGetString", all.buffer_string) &&
      find(library, "ZydisCalcAbsoluteAddress", all.absolute_address) &&
      find(library, "ZydisRegisterGetLargestEnclosing", all.largest_enclosing) &&
      find(library, "ZydisRegisterGetClass", all.class_of) &&
      find(library, "ZydisRegisterGetId", all.id_of) &&
      find(library, "ZydisRegisterGetString", all.name_of) && find(core, "ZyanStringAppend", all.append) &&
      find(core, "ZyanStringViewInsideBuffer", all.view_inside);
  return whole ? std::optional(all) : std::nullopt;
}

}  // namespace

const Zydis* zydis() {
  static const std::optional<Zydis> loaded = load();
  return loaded ? &*loaded : nullptr;
}

}  // namespace orrery::x86
