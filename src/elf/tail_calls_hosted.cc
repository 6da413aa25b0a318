#include "elf/tail_calls_hosted.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "elf/dwarf_names_hosted.h"
#include "elf/dwarf_scope_hosted.h"

namespace orrery::elf {
namespace {

/// A chain of more jumps is nothing that a compiler makes; a damaged file must not hang us.
constexpr std::size_t kJumpsMost = 8;
constexpr std::size_t kWaysMost = 16;
constexpr int kFunctionsMost = 256;

bool is_call_site(Dwarf_Die* die) {
  const int tag = dwarf_tag(die);
  return tag == DW_TAG_call_site || tag == DW_TAG_GNU_call_site;
}

bool callee_of(Dwarf_Die* site, Dwarf_Die* callee) {
  const unsigned name = dwarf_tag(site) == DW_TAG_call_site ? DW_AT_call_origin : DW_AT_abstract_origin;
  Dwarf_Attribute attribute;
  return dwarf_formref_die(dwarf_attr(site, name, &attribute), callee) != nullptr;
}

bool is_tail_call(Dwarf_Die* site) {
  const unsigned name = dwarf_tag(site) == DW_TAG_call_site ? DW_AT_call_tail_call : DW_AT_GNU_tail_call;
  Dwarf_Attribute attribute;
  bool is_set = false;
  return dwarf_formflag(dwarf_attr(site, name, &attribute), &is_set) == 0 && is_set;
}

/// Of "pthread_join@@GLIBC_2.34" a program knows what stands before the version.
bool is_named(const char* symbol, const char* name) {
  const std::size_t length = std::strlen(name);
  return std::strncmp(symbol, name, length) == 0 &&
         (symbol[length] == '\0' || std::strncmp(symbol + length, "@@", 2) == 0);
}

/// Where the symbol's function begins; of the image's own.
std::optional<u64> address_of(const Image& image, const char* symbol) {
  const int count = dwfl_module_getsymtab(image.module);
  for (int i = 1; i < count; ++i) {
    GElf_Sym entry;
    GElf_Addr address = 0;
    GElf_Word section = 0;
    const char* const name =
        dwfl_module_getsym_info(image.module, i, &entry, &address, &section, nullptr, nullptr);
    if (name != nullptr && GELF_ST_TYPE(entry.st_info) == STT_FUNC && section != SHN_UNDEF &&
        is_named(name, symbol))
      return address;
  }
  return std::nullopt;
}

class Search {
 public:
  Search(const Image& image, Dwarf_Die& running) : image_(image), wanted_(linkage_name(&running)) {}

  void from(Dwarf_Die callee) {
    const char* const name = linkage_name(&callee);
    if (wanted_ == nullptr || name == nullptr) return;
    Dwarf_Die function;
    if (!find_definition(callee, name, &function)) return;
    if (--functions_left_ <= 0 || way_.functions.size() >= kJumpsMost || is_on_way(function)) return;
    way_.functions.push_back(function);
    visit_tree(&function, [&](Dwarf_Die* die) {
      if (is_call_site(die) && is_tail_call(die)) follow(die);
      return ways_.size() >= kWaysMost;
    });
    way_.functions.pop_back();
  }

  TailCalls result() const {
    if (ways_.empty() || ways_.size() >= kWaysMost) return {};
    TailCalls first = ways_.front();
    for (const TailCalls& each : ways_)
      if (!std::equal(first.functions.begin(), first.functions.end(), each.functions.begin(),
                      each.functions.end(), is_same))
        return {};
    if (ways_.size() > 1) first.sites.clear();
    return first;
  }

 private:
  static bool is_same(const Dwarf_Die& left, const Dwarf_Die& right) { return left.addr == right.addr; }
  bool is_on_way(const Dwarf_Die& function) const {
    return std::any_of(way_.functions.begin(), way_.functions.end(),
                       [&](const Dwarf_Die& each) { return is_same(each, function); });
  }

  void follow(Dwarf_Die* site) {
    Dwarf_Die callee;
    if (!callee_of(site, &callee)) return;
    const char* const name = linkage_name(&callee);
    way_.sites.push_back(*site);
    if (name != nullptr && std::strcmp(name, wanted_) == 0)
      ways_.push_back(way_);
    else
      from(callee);
    way_.sites.pop_back();
  }

  /// A call names a declaration, or what all instances of a function have in common.
  bool find_definition(Dwarf_Die& callee, const char* name, Dwarf_Die* function) {
    Dwarf_Addr low = 0;
    if (dwarf_lowpc(&callee, &low) == 0) {
      *function = callee;
      return true;
    }
    const auto address = address_of(image_, name);
    if (!address) return false;
    const DwarfScope scope = find_scope(image_, *address);
    if (scope.functions.empty()) return false;
    *function = scope.functions.back();
    return true;
  }

  const Image& image_;
  const char* wanted_;
  int functions_left_ = kFunctionsMost;
  TailCalls way_;
  std::vector<TailCalls> ways_;
};

}  // namespace

bool find_call_site(Dwarf_Die& function, Dwarf_Addr return_pc, Dwarf_Die* site) {
  return visit_tree(&function, [&](Dwarf_Die* die) {
    if (!is_call_site(die)) return false;
    const unsigned name = dwarf_tag(die) == DW_TAG_call_site ? DW_AT_call_return_pc : DW_AT_low_pc;
    Dwarf_Attribute attribute;
    Dwarf_Addr returns_to = 0;
    if (dwarf_formaddr(dwarf_attr(die, name, &attribute), &returns_to) != 0 || returns_to != return_pc)
      return false;
    *site = *die;
    return true;
  });
}

bool calls_function(Dwarf_Die& site, Dwarf_Die& function) {
  Dwarf_Die callee;
  if (!callee_of(&site, &callee)) return false;
  const char* const called = linkage_name(&callee);
  const char* const running = linkage_name(&function);
  return called != nullptr && running != nullptr && std::strcmp(called, running) == 0;
}

TailCalls find_tail_calls(const Image& image, Dwarf_Die& site, Dwarf_Die& running) {
  Dwarf_Die callee;
  if (!callee_of(&site, &callee)) return {};
  Search search(image, running);
  search.from(callee);
  return search.result();
}

}  // namespace orrery::elf
