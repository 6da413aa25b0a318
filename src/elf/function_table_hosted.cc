#include "elf/function_table_hosted.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <gelf.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <tuple>

#include "elf/demangle_hosted.h"
#include "elf/frame_ranges_hosted.h"
#include "elf/function_die_name_hosted.h"
#include "elf/function_names_hosted.h"
#include "elf/inlined_reader_hosted.h"
#include "elf/source_files_hosted.h"

namespace orrery::elf {
namespace {

/// Which of two names of one function people know: the one that is seen outside its file, then the one with
/// fewer underscores before it, then the shorter, then the first in the alphabet.
bool is_better(const NamedFunction& left, const NamedFunction& right) {
  const auto rank = [](const NamedFunction& function) {
    return std::tuple(function.is_local, std::strspn(function.name, "_"), std::strlen(function.name));
  };
  if (rank(left) != rank(right)) return rank(left) < rank(right);
  return std::strcmp(left.name, right.name) < 0;
}

}  // namespace

/// What was read of a unit; each part once, when somebody asks. Addresses are those of the debug information.
struct FunctionTable::Unit {
  Dwarf_Die die{};
  Dwarf_Lines* lines = nullptr;
  size_t line_count = 0;
  std::map<u64, FunctionCode> functions{};
  std::map<u64, InlinedCode> inlined{};  ///< by the function's entry; 0: of all of the unit

  explicit Unit(const Dwarf_Die& first) : die(first), functions(read_functions(&die)) {
    if (dwarf_getsrclines(&die, &lines, &line_count) != 0) line_count = 0;
  }

  /// The entry of the innermost function that was inlined there, or InlinedCode::kNone. `end` is lowered to
  /// where that may change.
  u64 inlined_at(u64 address, u64& end) {
    const auto above = functions.upper_bound(address);
    if (above != functions.end()) end = std::min(end, above->first);
    u64 function = 0;
    Dwarf_Die parent = die;
    if (above != functions.begin() && address < std::prev(above)->second.end) {
      end = std::min(end, std::prev(above)->second.end);
      function = std::prev(above)->second.entry;
      dwarf_offdie(dwarf_cu_getdwarf(die.cu), function, &parent);
    }
    const auto [code, is_new] = inlined.try_emplace(function);
    if (is_new) code->second = read_inlined_code(&parent);
    end = std::min(end, code->second.end_of(address));
    return code->second.at(address);
  }

  /// The last line that begins at or before the address; null if none does. `end` as above.
  Dwarf_Line* line_at(u64 address, u64& end) const {
    const auto begin_of = [&](size_t at) {
      Dwarf_Addr begin = 0;
      dwarf_lineaddr(dwarf_onesrcline(lines, at), &begin);
      return begin;
    };
    size_t from = 0, past = line_count;  // the first that begins behind the address lies in [from, past]
    while (from < past) {
      const size_t middle = from + (past - from) / 2;
      if (begin_of(middle) <= address)
        from = middle + 1;
      else
        past = middle;
    }
    if (from < line_count) end = std::min(end, begin_of(from));
    if (from == 0) return nullptr;
    Dwarf_Line* const line = dwarf_onesrcline(lines, from - 1);
    bool is_end = false;
    dwarf_lineendsequence(line, &is_end);
    return is_end ? nullptr : line;
  }
};

FunctionTable::~FunctionTable() = default;

FunctionTable::FunctionTable(const Image* image) : image_(image) {
  if (image == nullptr) return;
  add_functions();
  add_plt();
  add_unnamed();
  set_ends();
}

void FunctionTable::add_functions() {
  std::vector<NamedFunction> found;
  each_function(*image_, [&](const NamedFunction& function) {
    if (function.address >= image_->start && function.address < image_->end) found.push_back(function);
  });
  std::sort(found.begin(), found.end(), [](const NamedFunction& left, const NamedFunction& right) {
    return left.address != right.address ? left.address < right.address : is_better(left, right);
  });
  for (const NamedFunction& each : found) {
    const u64 end = each.address + each.size_bytes;
    if (!functions_.empty() && functions_.back().address == each.address)
      functions_.back().end = std::max(functions_.back().end, end);
    else
      functions_.push_back({.address = each.address, .end = end, .name = demangle(each.name)});
  }
}

void FunctionTable::add_plt() {
  GElf_Addr bias = 0;
  Elf* const elf = dwfl_module_getelf(image_->module, &bias);
  size_t names = 0;
  if (elf == nullptr || elf_getshdrstrndx(elf, &names) != 0) return;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (!gelf_getshdr(section, &header)) continue;
    const char* const name = elf_strptr(elf, names, header.sh_name);
    if (name == nullptr || std::strncmp(name, ".plt", 4) != 0 || header.sh_size == 0) continue;
    const u64 start = header.sh_addr + bias;
    functions_.push_back({.address = start,
                          .end = start + header.sh_size,
                          .name = "[" + std::string(name + 1) + "]",
                          .is_plt = true});
  }
  std::stable_sort(functions_.begin(), functions_.end(),
                   [](const auto& left, const auto& right) { return left.address < right.address; });
}

/// Code of stripped files, and of functions without a symbol in others.
void FunctionTable::add_unnamed() {
  std::vector<TableFunction> found;
  for (const CodeRange& range : frame_ranges(*image_)) {
    if (range.start < image_->start || range.end > image_->end) continue;
    const auto above =
        std::upper_bound(functions_.begin(), functions_.end(), range.start,
                         [](u64 wanted, const TableFunction& function) { return wanted < function.address; });
    if (above != functions_.begin()) {
      TableFunction& before = *std::prev(above);
      if (before.address == range.start && before.end == before.address) before.end = range.end;
      if (range.start < before.end) continue;
    }
    char name[32];
    std::snprintf(name, sizeof name, "sub_%lx", static_cast<unsigned long>(range.start - image_->bias));
    found.push_back({.address = range.start, .end = range.end, .name = name});
  }
  std::sort(found.begin(), found.end(),
            [](const auto& left, const auto& right) { return left.address < right.address; });
  const auto same = std::unique(found.begin(), found.end(), [](const auto& left, const auto& right) {
    return left.address == right.address;
  });
  const auto middle = static_cast<std::ptrdiff_t>(functions_.size());
  functions_.insert(functions_.end(), found.begin(), same);
  std::inplace_merge(functions_.begin(), functions_.begin() + middle, functions_.end(),
                     [](const auto& left, const auto& right) { return left.address < right.address; });
}

/// Assembler's functions may have no size: they go up to what comes next.
void FunctionTable::set_ends() {
  for (std::size_t at = 0; at < functions_.size(); ++at) {
    TableFunction& function = functions_[at];
    const u64 next = at + 1 < functions_.size() ? functions_[at + 1].address : image_->end;
    function.end = function.end == function.address ? next : std::min(function.end, next);
  }
}

const TableFunction* FunctionTable::find(u64 address) const {
  const auto above =
      std::upper_bound(functions_.begin(), functions_.end(), address,
                       [](u64 wanted, const TableFunction& function) { return wanted < function.address; });
  if (above == functions_.begin()) return nullptr;
  const TableFunction& function = *std::prev(above);
  return address < function.end ? &function : nullptr;
}

void FunctionTable::prepare_lines() {
  Dwarf_Addr bias = 0;
  if (image_ != nullptr) dwfl_module_addrdie(image_->module, image_->start, &bias);
}

void FunctionTable::prepare_unit(u64 address) {
  u64 bias = 0, end = ~u64{0};
  if (Unit* const unit = unit_at(address, bias)) unit->inlined_at(address - bias, end);
}

FunctionTable::Unit* FunctionTable::unit_at(u64 address, u64& bias) {
  if (image_ == nullptr) return nullptr;
  Dwarf_Addr moved = 0;
  Dwarf_Die* const die = dwfl_module_addrdie(image_->module, address, &moved);
  if (die == nullptr) return nullptr;
  bias = moved;
  std::unique_ptr<Unit>& unit = units_[die->addr];
  if (!unit) unit = std::make_unique<Unit>(*die);
  return unit.get();
}

FileLine FunctionTable::source_of(Unit& unit, Dwarf_Line* line) {
  const char* const source = line == nullptr ? nullptr : dwarf_linesrc(line, nullptr, nullptr);
  if (source == nullptr) return {};
  FileLine place;
  dwarf_lineno(line, &place.line);
  std::string& file = files_[{unit.die.addr, source}];
  if (file.empty()) file = absolute_path(&unit.die, source);
  place.file = &file;
  return place;
}

/// Null without a name.
const std::string* FunctionTable::name_of_inlined(Unit& unit, u64 entry) {
  Dwarf_Die inlined, origin;
  Dwarf_Attribute attribute;
  if (entry == InlinedCode::kNone || !dwarf_offdie(dwarf_cu_getdwarf(unit.die.cu), entry, &inlined))
    return nullptr;
  if (!dwarf_attr(&inlined, DW_AT_abstract_origin, &attribute) || !dwarf_formref_die(&attribute, &origin))
    return nullptr;
  const auto [named, is_unnamed] = inlined_names_.try_emplace(origin.addr);
  if (is_unnamed) named->second = function_name(&inlined);
  return named->second.empty() ? nullptr : &named->second;
}

FileLine FunctionTable::line_of(u64 address) {
  u64 bias = 0, end = ~u64{0};
  Unit* const unit = unit_at(address, bias);
  return unit == nullptr ? FileLine{} : source_of(*unit, unit->line_at(address - bias, end));
}

const std::string& FunctionTable::inlined_at(u64 address) {
  static const std::string kNone;
  u64 bias = 0, end = ~u64{0};
  Unit* const unit = unit_at(address, bias);
  if (unit == nullptr) return kNone;
  const std::string* const name = name_of_inlined(*unit, unit->inlined_at(address - bias, end));
  return name == nullptr ? kNone : *name;
}

FilePlace FunctionTable::place_of(u64 address) {
  u64 bias = 0, end = ~u64{0};
  Unit* const unit = unit_at(address, bias);
  if (unit == nullptr) return {.end = address + 1};
  FilePlace place;
  place.source = source_of(*unit, unit->line_at(address - bias, end));
  place.inlined = name_of_inlined(*unit, unit->inlined_at(address - bias, end));
  place.end = end == ~u64{0} ? address + 1 : end + bias;
  return place;
}

}  // namespace orrery::elf
