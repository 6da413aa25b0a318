#include "elf/object_debug_hosted.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <unistd.h>

#include <unordered_set>

#include "elf/opened_elf_hosted.h"
#include "elf/source_files_hosted.h"

namespace orrery::elf {

/// A file open with libdw.
struct ObjectDebug::Handle {
  explicit Handle(const std::string& path)
      : file(path), dwarf(file.get() ? dwarf_begin_elf(file.get(), DWARF_C_READ, nullptr) : nullptr) {}
  ~Handle() {
    if (dwarf) dwarf_end(dwarf);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  const OpenedElf file;
  Dwarf* const dwarf;
};

namespace {

bool has_dwarf(const OpenedElf& file) { return file.section(".debug_info") || file.section(".zdebug_info"); }

template <class Visit>
void each_unit(Dwarf* dwarf, const Visit& visit) {
  Dwarf_CU* unit = nullptr;
  Dwarf_Half version = 0;
  u8 type = 0;
  Dwarf_Die die, inner;
  while (dwarf && dwarf_get_units(dwarf, unit, &unit, &version, &type, &die, &inner) == 0) visit(&die, type);
}

}  // namespace

ObjectDebug::ObjectDebug(const std::string& kept_file, const std::string& path, DebugFiles& files) {
  std::string debug_path = kept_file;
  {
    const OpenedElf object(kept_file);
    is_elf_ = object.get() != nullptr;
    if (!is_elf_) return;
    if (!has_dwarf(object)) {
      const DebugLink link = read_debug_link(object, path);
      DebugFile found = files.find(link);
      if (found.fd < 0) return;
      debug_path = found.path;
      separate_.push_back({std::move(found), DebugFiles::packed_name(link)});
    }
  }
  dwarf_ = std::make_unique<Handle>(debug_path);
  const SupplementLink link = read_supplement_link(dwarf_->file);
  DebugFile found = files.find_supplement(link, debug_path);
  if (found.fd < 0) return;
  supplement_ = std::make_unique<Handle>(found.path);
  separate_.push_back({std::move(found), DebugFiles::packed_name(link)});
  if (dwarf_->dwarf && supplement_->dwarf) dwarf_setalt(dwarf_->dwarf, supplement_->dwarf);
}

ObjectDebug::~ObjectDebug() {
  for (const SeparateFile& each : separate_) close(each.file.fd);
}

bool ObjectDebug::exists() const { return dwarf_ && dwarf_->dwarf; }

std::vector<SourceFile> ObjectDebug::sources() const {
  std::vector<SourceFile> all;
  std::unordered_set<std::string> seen;
  each_unit(exists() ? dwarf_->dwarf : nullptr, [&](Dwarf_Die* unit, u8) {
    for (SourceFile& each : unit_source_files(unit))
      if (seen.insert(each.path).second) all.push_back(std::move(each));
  });
  return all;
}

u64 ObjectDebug::split_units() const {
  u64 count = 0;
  each_unit(exists() ? dwarf_->dwarf : nullptr,
            [&count](Dwarf_Die*, u8 type) { count += type == DW_UT_skeleton ? 1 : 0; });
  return count;
}

}  // namespace orrery::elf
