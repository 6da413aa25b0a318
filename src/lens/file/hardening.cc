// What a file lets an attacker do who has found a bug in it. The questions are checksec's, the answers come
// from the file alone, but for the directories of DT_RPATH and DT_RUNPATH, which are looked at on this
// machine.
#include <elf.h>
#include <sys/stat.h>

#include <algorithm>
#include <string_view>

#include "lens/file/parts.h"

namespace orrery::lens::file {
namespace {

bool anybody_writes(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && (status.st_mode & S_IWOTH) != 0;
}

std::string risk_of(const std::string& directory, bool set_id) {
  if (directory.empty()) return "empty: the current directory of whoever starts it";
  const bool from_origin = directory.starts_with("$ORIGIN") || directory.starts_with("${ORIGIN}");
  if (from_origin)
    return set_id ? "relative to the program, which is set-id: a hard link elsewhere would search there" : "";
  if (directory.starts_with("$")) return "";
  if (directory[0] != '/') return "relative: searched from the current directory of whoever starts it";
  // The nearest directory that exists decides who could put a library there.
  std::string existing = directory;
  struct stat status {};
  while (existing.size() > 1 && stat(existing.c_str(), &status) != 0)
    existing = existing.substr(0, std::max<std::size_t>(existing.find_last_of('/'), 1));
  if (!anybody_writes(existing)) return "";
  return existing == directory ? "anybody may write to it"
                               : "does not exist, and anybody may make it in " + existing;
}

void add_paths(std::string_view text, bool runpath, Hardening& hardening) {
  constexpr std::size_t kPathsMost = 1000;
  const bool set_id = hardening.set_user_id || hardening.set_group_id;
  while (hardening.search_paths.size() < kPathsMost) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    const std::string directory(text.substr(0, colon));
    hardening.search_paths.push_back(
        {directory, runpath, directory.size() < 4096 ? risk_of(directory, set_id) : ""});
    if (colon == text.size()) break;
    text.remove_prefix(colon + 1);
  }
}

}  // namespace

Hardening gather_hardening(elf::ElfFile& file, elf::Dynamic& dynamic, const std::vector<elf::Note>& notes,
                           u32 mode) {
  Hardening hardening;
  hardening.set_user_id = (mode & S_ISUID) != 0;
  hardening.set_group_id = (mode & S_ISGID) != 0;
  const auto stack = file.find_segment(PT_GNU_STACK);
  hardening.stack_unsaid = !stack;
  hardening.stack_executable = !stack || (stack->flags & PF_X) != 0;
  const u64 flags = dynamic.find(DT_FLAGS).value_or(0), flags_1 = dynamic.find(DT_FLAGS_1).value_or(0);
  const bool now = dynamic.find(DT_BIND_NOW) || (flags & DF_BIND_NOW) != 0 || (flags_1 & DF_1_NOW) != 0;
  if (file.find_segment(PT_GNU_RELRO)) hardening.relro = now ? Relro::full : Relro::partial;
  hardening.text_relocations = dynamic.find(DT_TEXTREL) || (flags & DF_TEXTREL) != 0;
  for (const u64 tag : {u64{DT_RPATH}, u64{DT_RUNPATH}}) {
    for (const std::string_view text : dynamic.texts(file, tag))
      add_paths(text, tag == DT_RUNPATH, hardening);
  }
  for (u64 i = 0; i < file.segment_count(); ++i) {
    const elf::Segment segment = file.segment(i);
    if (segment.type == PT_LOAD && (segment.flags & (PF_W | PF_X)) == (PF_W | PF_X))
      hardening.writable_code.push_back(i);
  }
  hardening.features = read_features(file, notes);
  return hardening;
}

}  // namespace orrery::lens::file
