// A few dozen bytes of a hostile name can stand for a type of 2^40 characters, since each substitution may
// hold two of the one before. The demanglers that write into a callback are left by longjmp once they have
// written more than anybody wants to read: between here and there is only their C code, which keeps nothing
// on the heap then.
#include "elf/demangle_hosted.h"

#include <libiberty/demangle.h>

#include <csetjmp>
#include <string_view>

namespace orrery::elf {
namespace {

constexpr std::size_t kLongest = 1 << 20;

struct Output {
  std::string text;
  std::jmp_buf too_long;
};

void append(const char* text, size_t size, void* opaque) {
  auto* const output = static_cast<Output*>(opaque);
  if (size > kLongest - output->text.size()) std::longjmp(output->too_long, 1);
  output->text.append(text, size);
}

bool is_mangled(const char* name) { return name[0] == '_' && (name[1] == 'Z' || name[1] == 'R'); }

std::string demangle_whole(const char* name) {
  Output output;
  if (setjmp(output.too_long) != 0) return name;
  // Rust's older names are C++ names as well, with a hash at their end: so Rust is asked first.
  constexpr int kOptions = DMGL_PARAMS | DMGL_ANSI;
  if (rust_demangle_callback(name, kOptions, append, &output) != 0) return std::move(output.text);
  output.text.clear();
  if (cplus_demangle_v3_callback(name, kOptions, append, &output) != 0) return std::move(output.text);
  return name;
}

}  // namespace

std::string demangle(const char* name) {
  if (!is_mangled(name)) return name;
  // The static linker writes a symbol's version behind its name: "_Znam@GLIBCXX_3.4".
  const std::string_view whole(name);
  const auto at = whole.find('@');
  if (at == std::string_view::npos) return demangle_whole(name);
  const std::string bare(whole.substr(0, at));
  return demangle_whole(bare.c_str()).append(whole.substr(at));
}

}  // namespace orrery::elf
