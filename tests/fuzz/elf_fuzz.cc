// Hostile ELF files, as execve would read them: the header, the program headers, the interpreter.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "elf/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> file(data, size);
  const auto header =
      orrery::elf::read_header(file.first(std::min<std::size_t>(size, orrery::elf::kHeadBytes)));
  if (header.verdict != orrery::elf::HeaderVerdict::good) return 0;
  if (header.table_offset > size || header.table_bytes() > size - header.table_offset) return 0;
  const auto segments =
      orrery::elf::read_segments(header, file.subspan(header.table_offset, header.table_bytes()));
  if (!segments.valid) return 0;
  for (const auto& load : segments.loads) {
    if (load.file_bytes > load.memory_bytes) std::abort();  // the loader relies on it
  }
  if (segments.has_interpreter && segments.interpreter_offset <= size &&
      segments.interpreter_bytes <= size - segments.interpreter_offset) {
    (void)orrery::elf::interpreter_path_valid(
        file.subspan(segments.interpreter_offset, segments.interpreter_bytes));
  }
  return 0;
}
