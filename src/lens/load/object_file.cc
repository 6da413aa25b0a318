#include "lens/load/object_file.h"

#include <elf.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <tuple>

#include "base/hash.h"

namespace orrery::lens::load {

std::shared_ptr<ObjectFile> ObjectFile::open(const std::string& path) {
  auto bytes = file::MappedFile::open(path);
  if (!bytes) return nullptr;
  auto file = elf::ElfFile::open(bytes.value().bytes());
  if (!file || file.value().header().machine != EM_X86_64 || file.value().is_object()) return nullptr;
  std::shared_ptr<ObjectFile> object(new ObjectFile(bytes.take(), file.take()));
  object->path_ = path;
  object->read_segments();
  object->read_dynamic();
  return object;
}

const std::string& ObjectFile::content_hash() {
  if (content_hash_.empty()) {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016lx", xxh64(bytes_.bytes()));
    content_hash_ = digits;
  }
  return content_hash_;
}

void ObjectFile::read_segments() {
  bool has_load = false;
  for (u64 index = 0; index < file_.segment_count(); ++index) {
    const elf::Segment segment = file_.segment(index);
    const u64 end = segment.address + segment.memory_bytes;
    if (segment.type == PT_LOAD) {
      first_address_ = has_load ? std::min(first_address_, segment.address) : segment.address;
      end_address_ = std::max(end_address_, end);
      has_load = true;
      if ((segment.flags & PF_X) != 0) code_.emplace_back(segment.address, end);
    } else if (segment.type == PT_DYNAMIC) {
      dynamic_address_ = segment.address;
    } else if (segment.type == PT_GNU_RELRO) {
      relro_start_ = segment.address;
      relro_end_ = end;
    } else if (segment.type == PT_INTERP) {
      const auto text = file_.bytes().part(segment.offset, segment.file_bytes);
      interpreter_.assign(text.begin(), std::find(text.begin(), text.end(), 0));
    }
  }
}

void ObjectFile::read_dynamic() {
  const auto first = [&](u64 tag) {
    const auto texts = dynamic_.texts(file_, tag);
    return texts.empty() ? std::string() : std::string(texts.front());
  };
  for (const std::string_view name : dynamic_.texts(file_, DT_NEEDED)) needed_.emplace_back(name);
  soname_ = first(DT_SONAME);
  rpath_ = first(DT_RPATH);
  runpath_ = first(DT_RUNPATH);
  binds_now_ = dynamic_.find(DT_BIND_NOW) || (dynamic_.find(DT_FLAGS).value_or(0) & DF_BIND_NOW) != 0 ||
               (dynamic_.find(DT_FLAGS_1).value_or(0) & DF_1_NOW) != 0;
}

const std::vector<ObjectRelocation>& ObjectFile::relocations() {
  if (!relocations_) {
    relocations_.emplace();
    read_relocations(DT_RELA, DT_RELASZ, false);
    read_relocations(DT_JMPREL, DT_PLTRELSZ, true);
    read_packed_relocations();
    for (u64 index = 0; !dynamic_address_ && index < file_.section_count(); ++index) {
      const elf::Section section = file_.section(index);
      if (section.type == SHT_RELA && (section.flags & SHF_ALLOC) != 0) read_rows(section, false);
    }
  }
  return *relocations_;
}

u64 ObjectFile::relative_count() {
  relocations();
  return relative_count_;
}

const std::vector<u64>& ObjectFile::code_pointers() {
  relocations();
  return code_pointers_;
}

bool ObjectFile::is_code(u64 address) const {
  return std::any_of(code_.begin(), code_.end(),
                     [&](const auto& each) { return address >= each.first && address < each.second; });
}

std::string ObjectFile::section_at(u64 address) {
  for (u64 index = 0; index < file_.section_count(); ++index) {
    const elf::Section section = file_.section(index);
    const bool holds =
        section.address != 0 && address >= section.address && address - section.address < section.size;
    // .tbss takes no addresses, though its header says so.
    if (holds && (section.flags & SHF_TLS) == 0) return std::string(file_.section_name(section));
  }
  return "";
}

u64 ObjectFile::initial_value(u64 address) {
  u64 value = 0;
  const auto bytes = file_.loaded_at(address);
  if (bytes.size() >= sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

/// DT_RELR: all of them take no symbol, and what each adds its base to is the slot's own word.
void ObjectFile::read_packed_relocations() {
  const auto address = dynamic_.find(DT_RELR), size = dynamic_.find(DT_RELRSZ);
  const auto offset = address ? file_.offset_of(*address) : std::nullopt;
  if (!offset || !size) return;
  const elf::Section packed{.type = SHT_RELR, .offset = *offset, .size = *size, .entry_size = sizeof(u64)};
  elf::each_relative(file_, packed, [this](u64 slot) {
    ++relative_count_;
    if (is_code(initial_value(slot))) code_pointers_.push_back(slot);
  });
}

void ObjectFile::read_relocations(u64 address_tag, u64 size_tag, bool is_plt) {
  const auto address = dynamic_.find(address_tag), size = dynamic_.find(size_tag);
  const auto offset = address ? file_.offset_of(*address) : std::nullopt;
  if (!offset || !size) return;
  read_rows({.type = SHT_RELA, .offset = *offset, .size = *size, .entry_size = sizeof(Elf64_Rela)}, is_plt);
}

void ObjectFile::read_rows(const elf::Section& rows, bool is_plt) {
  const elf::RelocationTable table(file_, rows);
  elf::SymbolTable symbols = elf::SymbolTable::from_dynamic(file_);
  const elf::Versions versions(file_);
  for (u64 index = 0; index < table.count(); ++index) {
    const elf::Relocation row = table.at(index);
    if (row.symbol == 0 && row.type != R_X86_64_IRELATIVE) {
      ++relative_count_;
      if (row.type == R_X86_64_RELATIVE && is_code(static_cast<u64>(row.addend.value_or(0))))
        code_pointers_.push_back(row.offset);
      continue;
    }
    ObjectRelocation& made = relocations_->emplace_back();
    made.address = row.offset;
    made.type = row.type;
    made.is_plt = is_plt;
    made.index = index;
    made.addend = row.addend.value_or(0);
    if (row.symbol == 0 || row.symbol >= symbols.count()) continue;
    const elf::Symbol symbol = symbols.at(row.symbol);
    made.symbol = symbols.name(file_, symbol);
    made.version = versions.of(symbols.version(symbol), symbol.is_undefined()).name;
    made.is_weak = symbol.binding() == STB_WEAK;
    made.size = symbol.size;
    made.is_function = symbol.type() == STT_FUNC || symbol.type() == STT_GNU_IFUNC;
  }
}

std::vector<NeededVersion> ObjectFile::needed_versions() {
  std::vector<NeededVersion> wanted;
  const elf::Versions versions(file_);
  for (const auto& each : versions.needed())
    wanted.push_back({std::string(each.name), std::string(each.library), each.weak});
  return wanted;
}

/// A file without any versions takes every one that is asked of it.
bool ObjectFile::defines_version(const std::string& name) {
  const elf::Versions versions(file_);
  const auto& defined = versions.defined();
  return defined.empty() ||
         std::any_of(defined.begin(), defined.end(), [&](const auto& each) { return each.name == name; });
}

const Definition* ObjectFile::find_definition(std::string_view name) {
  if (!definitions_) {
    definitions_.emplace();
    elf::SymbolTable symbols = elf::SymbolTable::from_dynamic(file_);
    for (u64 index = 1; index < symbols.count(); ++index) {
      const elf::Symbol symbol = symbols.at(index);
      if (symbol.is_undefined() || symbol.binding() == STB_LOCAL) continue;
      const bool is_old = (symbols.version(symbol) & 0x8000) != 0;  // not the default version
      const Definition made{symbol.value, symbol.size, symbol.type()};
      const auto [known, is_new] = definitions_->emplace(symbols.name(file_, symbol), made);
      if (!is_new && !is_old) known->second = made;
    }
  }
  const auto found = definitions_->find(name);
  return found != definitions_->end() ? &found->second : nullptr;
}

std::optional<u64> ObjectFile::find_function(std::string_view name) {
  const auto section = file_.find_section_of_type(SHT_SYMTAB);
  if (!section) return std::nullopt;
  elf::SymbolTable symbols(file_, *section);
  for (u64 index = 1; index < symbols.count(); ++index) {
    const elf::Symbol symbol = symbols.at(index);
    if (symbol.type() == STT_FUNC && !symbol.is_undefined() && symbols.name(file_, symbol) == name)
      return symbol.value;
  }
  return std::nullopt;
}

std::string_view ObjectFile::function_at(u64 address) {
  if (!functions_) read_functions();
  const auto found = functions_->find(address);
  return found != functions_->end() ? found->second : std::string_view();
}

void ObjectFile::read_functions() {
  functions_.emplace();
  const auto section = file_.find_section_of_type(SHT_SYMTAB);
  elf::SymbolTable symbols =
      section ? elf::SymbolTable(file_, *section) : elf::SymbolTable::from_dynamic(file_);
  // A resolver is called by the name of its IFUNC; of aliases as memcpy and __memcpy_alias, the name without
  // underscores is the public one.
  using Rank = std::tuple<bool, bool, std::size_t>;
  std::map<u64, Rank> ranks;
  for (u64 index = 1; index < symbols.count(); ++index) {
    const elf::Symbol symbol = symbols.at(index);
    const bool is_choice = symbol.type() == STT_GNU_IFUNC;
    if ((!is_choice && symbol.type() != STT_FUNC) || symbol.is_undefined()) continue;
    const std::string_view name = symbols.name(file_, symbol);
    const Rank rank(!is_choice, name.starts_with('_'), name.size());
    const auto [known, is_new] = ranks.emplace(symbol.value, rank);
    if (!is_new && known->second <= rank) continue;
    known->second = rank;
    (*functions_)[symbol.value] = name;
  }
}

}  // namespace orrery::lens::load
