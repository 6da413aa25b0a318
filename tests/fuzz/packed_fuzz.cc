// Hostile lists of packed files, as a stranger's recording may have them: what is taken from one leads to no
// file outside the recording.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "trace/packed_files_hosted.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using orrery::trace::PackedFiles;
  // Most inputs begin with the right line: what follows is what is looked at.
  std::string text(data, data + size);
  if (size > 0 && data[0] != 'o') text = "orrery packed 1\n" + text;
  auto files = PackedFiles::parse("/nowhere/recording", text);
  if (!files) return 0;
  for (const auto& [name, entry] : files.value().debug_files())
    if (name.empty() || name[0] == '.' || name.find('/') != std::string::npos) std::abort();
  for (const auto& [path, entry] : files.value().sources()) {
    if (entry.size_bytes > orrery::trace::kSourceBytesMost) std::abort();
    if (files.value().source_text(path)) std::abort();  // nothing is there
  }
  if (files.value().verify().size() != files.value().sources().size() + files.value().debug_files().size())
    std::abort();
  return 0;
}
