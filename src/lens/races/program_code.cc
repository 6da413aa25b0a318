#include "lens/races/program_code.h"

#include <algorithm>
#include <fstream>
#include <string_view>

#include "base/base_name.h"

namespace orrery::lens::races {
namespace {

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> beginnings) {
  for (const std::string_view each : beginnings)
    if (text.starts_with(each)) return true;
  return false;
}

CodeFacts::Kind kind_of_file(const std::string& path) {
  const std::string name(base_name(path));
  if (starts_with_any(name, {"ld-", "ld.so"})) return CodeFacts::Kind::loader;
  if (starts_with_any(name, {"libc.so", "libc-", "libpthread.so", "libpthread-"}))
    return CodeFacts::Kind::library;
  return CodeFacts::Kind::program;
}

/// Of a PLT entry: "memcpy@plt".
bool is_string_function(std::string_view name) {
  while (name.starts_with("_")) name.remove_prefix(1);
  return starts_with_any(name, {"mem", "str", "stp", "wcs", "wmem", "bcopy", "bzero", "bcmp", "rawmem"});
}

/// Members of atomic types, as compilers name them, whether inlined or called.
bool is_atomic_function(std::string_view name) {
  for (const std::string_view part : {"atomic<", "atomic_flag", "__atomic_", "atomic_ref<", "cxx_atomic"})
    if (name.find(part) != std::string_view::npos) return true;
  return false;
}

/// Operations of C11 and of compilers, in a line of source: of variables with other types, and where the
/// debug information does not tell, that is all there is to know a load or store as atomic.
bool names_atomic_operation(std::string_view line) {
  for (const std::string_view part : {"atomic_", "__sync_", "Atomic", "ATOMIC"})
    if (line.find(part) != std::string_view::npos) return true;
  return false;
}

}  // namespace

ProgramCode::File::File(const elf::Image& of)
    : image(&of), kind(kind_of_file(of.path)), table(&of), types(of) {}

ProgramCode::File* ProgramCode::file_at(u64 address) {
  if (last_ != nullptr && address >= last_->image->start && address < last_->image->end) return last_;
  const elf::Image* const image = files_.image_at(address);
  if (image == nullptr) return nullptr;
  std::unique_ptr<File>& file = known_[image];
  if (!file) file = std::make_unique<File>(*image);
  return last_ = file.get();
}

void ProgramCode::forget(u64 start, u64 end) {
  last_ = nullptr;
  std::erase_if(known_, [&](const auto& each) { return each.first->start < end && start < each.first->end; });
}

CodeFacts::Kind ProgramCode::kind_of(u64 pc) {
  File* const file = file_at(pc);
  if (file == nullptr) return Kind::program;
  if (file->kind != Kind::program) return file->kind;
  const elf::TableFunction* const function = file->table.find(pc);
  if (function == nullptr || !function->is_plt) return Kind::program;
  const elf::PltEntry* const entry = file->image->plt->find(*file->image, pc);
  return entry != nullptr && is_string_function(entry->name) ? Kind::string_stub : Kind::program;
}

/// Prefixes, and the two forms of xchg (Intel SDM 2, XCHG: it locks by itself). What bytes a program made
/// itself are not known: there such instructions are mostly locks.
bool ProgramCode::is_locked(u64 pc) {
  File* const file = file_at(pc);
  if (file == nullptr) return true;
  constexpr u64 kInstructionBytes = 15;
  for (const u8 byte : file->types.code_at(pc, kInstructionBytes)) {
    constexpr u8 kLock = 0xf0;
    if (byte == kLock) return true;
    const bool is_prefix = byte == 0x66 || byte == 0x67 || byte == 0xf2 || byte == 0xf3 || byte == 0x2e ||
                           byte == 0x36 || byte == 0x3e || byte == 0x26 || byte == 0x64 || byte == 0x65 ||
                           (byte & 0xf0) == 0x40;
    if (!is_prefix) return byte == 0x86 || byte == 0x87;
  }
  return false;
}

bool ProgramCode::is_atomic(u64 pc) {
  File* const file = file_at(pc);
  if (file == nullptr || file->kind != Kind::program) return false;
  const elf::TableFunction* const function = file->table.find(pc);
  if (function != nullptr && is_atomic_function(function->name)) return true;
  if (is_atomic_function(file->table.inlined_at(pc))) return true;
  const elf::FileLine line = file->table.line_of(pc);
  return line.file != nullptr && names_atomic_operation(source_line(*line.file, line.line));
}

/// "" if the file cannot be read.
const std::string& ProgramCode::source_line(const std::string& path, int line) {
  const auto [known, is_new] = sources_.try_emplace(path);
  std::vector<std::string>& lines = known->second;
  if (is_new) {
    std::ifstream file(path);
    for (std::string text; std::getline(file, text);) lines.push_back(std::move(text));
    lines.emplace_back();
  }
  const auto at = static_cast<std::size_t>(std::max(1, line) - 1);
  return at < lines.size() ? lines[at] : lines.back();
}

}  // namespace orrery::lens::races
