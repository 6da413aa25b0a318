// Hostile headers of DWARF line tables: names of files and directories, in every version and byte order.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "elf/source_files_hosted.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace orrery;
  if (size < 4) return 0;
  const bool is_64 = (data[0] & 1) != 0, is_big = (data[0] & 2) != 0;
  const u64 offset = data[1];
  // The rest is .debug_line; a part of it, overlapping, serves as each section of strings.
  const std::span<const u8> all(data + 4, size - 4);
  const std::size_t from = std::min<std::size_t>(std::size_t{data[2]} * 4, all.size());
  const elf::LineSections sections{.lines = elf::FileBytes(all, is_64, is_big),
                                   .line_strings = elf::FileBytes(all.subspan(from), is_64, is_big),
                                   .strings = elf::FileBytes(all.first(from), is_64, is_big)};
  const std::string directory((data[0] & 4) != 0 ? std::size_t{data[3]} * 256 : data[3] % 9, 'd');
  u64 text = 0;
  for (const elf::SourceFile& file : elf::read_source_files(sections, offset, directory))
    text += file.path.size();
  if (text > (u64{65} << 20) + directory.size()) std::abort();
  return 0;
}
