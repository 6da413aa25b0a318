// The ELF files mapped into a stopped machine, opened with libdw from their kept copies, with their
// separate debug files (debug_files_hosted.h). Owns the Dwfl session that symboliser, unwinder and variables
// share. This room alone sees elfutils.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/types.h"
#include "elf/debug_files_hosted.h"
#include "elf/plt_hosted.h"
#include "elf/stopped_machine_hosted.h"

struct Dwfl;
struct Dwfl_Module;

namespace orrery::elf {

struct Image {
  std::string path;        ///< as the guest knows it
  std::string kept_file;   ///< where it was read from
  u64 bias = 0;            ///< run-time address minus address in the file
  u64 start = 0, end = 0;  ///< of its mappings
  Dwfl_Module* module = nullptr;
  std::vector<std::string> needed;  ///< DT_NEEDED
  std::string soname;               ///< DT_SONAME
  std::shared_ptr<PltEntries> plt = std::make_shared<PltEntries>();
};

/// Where the debug file of one image is to be found.
struct DebugSource {
  DebugFiles* files;
  DebugLink link;
};

class Images {
 public:
  /// `debug_files` must outlive it.
  Images(StoppedMachine& machine, DebugFiles& debug_files);
  ~Images();
  Images(const Images&) = delete;
  Images& operator=(const Images&) = delete;

  /// The image mapped at `address`, or null.
  const Image* find(u64 address) const;
  const std::vector<Image>& all() const { return images_; }

 private:
  void add(const std::vector<MappedRegion>& regions, u64 first);

  Dwfl* session_ = nullptr;
  DebugFiles& debug_files_;
  std::vector<Image> images_;
  std::deque<DebugSource> sources_;  ///< libdwfl holds their addresses
};

/// What the dynamic section of an ELF file says; empty when it has none or cannot be read.
struct DynamicNames {
  std::vector<std::string> needed;
  std::string soname;
  std::string interpreter;  ///< PT_INTERP
};
DynamicNames read_dynamic_names(const std::string& file);

}  // namespace orrery::elf
