#include "lens/load/writable_slots.h"

#include <elf.h>

#include <map>

namespace orrery::lens::load {

bool is_in_relro(const ObjectRow& row, u64 address) {
  return row.relro_start && address >= page_floor(*row.relro_start) && address < page_floor(*row.relro_end);
}

std::vector<WritableRow> find_writable(const LoadedObject& object, const ObjectRow& row) {
  std::map<std::pair<std::string, std::string>, WritableRow> found;  // by section and kind
  const auto note = [&](u64 address, const char* kind) {
    const u64 at = object.base + address;
    if (row.relro_ticks && is_in_relro(row, at)) return;
    const std::string section = object.file->section_at(address);
    WritableRow& made = found[{section, kind}];
    if (made.slots++ == 0)
      made = {.process = row.process,
              .program = row.program,
              .object = row.path,
              .section = section,
              .kind = kind,
              .slots = 1,
              .start = at};
    made.start = std::min(made.start, at);
    made.end = std::max(made.end, at + sizeof(u64));
  };
  for (const ObjectRelocation& each : object.file->relocations()) {
    if (each.is_plt) note(each.address, "PLT slot");
    if (each.type == R_X86_64_GLOB_DAT) note(each.address, "GOT slot");
    if (each.type == R_X86_64_64 && each.is_function) note(each.address, "function pointer");
  }
  for (const u64 address : object.file->code_pointers()) note(address, "function pointer");
  std::vector<WritableRow> rows;
  for (auto& [key, made] : found) rows.push_back(std::move(made));
  return rows;
}

}  // namespace orrery::lens::load
