#include "lens/function_names.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "elf/demangle_hosted.h"
#include "lens/code_place.h"
#include "lens/one_file.h"

namespace orrery::lens {
namespace {

constexpr std::size_t kNearestKept = 3;
constexpr std::size_t kNameBytesCompared = 64;

/// What compilers put behind the names of specialised copies.
std::string without_clone(const std::string& name) {
  for (const char* mark : {".isra.", ".constprop.", ".lto_priv.", ".llvm."})
    if (const auto at = name.find(mark); at != std::string::npos && at > 0) return name.substr(0, at);
  return name;
}

/// `name` without <...>: of operators, what is between is no list.
std::string without_templates(const std::string& name) {
  if (name.find("operator") != std::string::npos) return name;
  std::string text;
  int depth = 0;
  for (const char c : name) {
    if (c == '<') ++depth;
    if (depth == 0) text += c;
    if (c == '>') --depth;
  }
  return text;
}

bool is_member(const std::string& name, const std::string& wanted) {
  return name == wanted || name.ends_with("::" + wanted);
}

/// Letters added, left out, replaced or exchanged with their neighbour (optimal string alignment), or more
/// than `most`.
unsigned distance(const std::string& left, const std::string& right, unsigned most) {
  const std::size_t longer = std::max(left.size(), right.size()),
                    shorter = std::min(left.size(), right.size());
  if (longer - shorter > most || longer > kNameBytesCompared) return most + 1;
  std::vector<unsigned> above(right.size() + 1), row(right.size() + 1), below(right.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 0; i < left.size(); ++i) {
    below[0] = static_cast<unsigned>(i + 1);
    for (std::size_t j = 0; j < right.size(); ++j) {
      const unsigned replaced = row[j] + (left[i] == right[j] ? 0 : 1);
      below[j + 1] = std::min({replaced, row[j + 1] + 1, below[j] + 1});
      const bool is_exchanged = i > 0 && j > 0 && left[i] == right[j - 1] && left[i - 1] == right[j];
      if (is_exchanged) below[j + 1] = std::min(below[j + 1], above[j - 1] + 1);
    }
    std::swap(above, row);
    std::swap(row, below);
  }
  return row.back();
}

}  // namespace

bool is_called(const char* symbol, const std::string& wanted) {
  if (wanted == symbol) return true;
  const std::string name = without_clone(symbol);
  const bool is_part = name.find(".cold") != std::string::npos || name.find(".part.") != std::string::npos;
  if (is_part) return false;
  if (name == wanted) return true;
  // Nothing is demangled that does not hold the last word of what is wanted.
  const auto last = wanted.find_last_of(": ");
  const std::string word = wanted.substr(last == std::string::npos ? 0 : last + 1);
  const bool is_mangled = name.starts_with("_Z") || name.starts_with("_R");
  const bool is_operator = wanted.find("operator") != std::string::npos;
  if (!is_mangled ||
      (!is_operator && name.find(word.substr(0, word.find_first_of("<(~"))) == std::string::npos))
    return false;
  const std::string whole = elf::demangle(name.c_str());
  std::string plain = short_function(whole);
  if (plain.starts_with("operator") && plain.ends_with(")")) plain.resize(plain.rfind('('));
  return whole == wanted || is_member(plain, wanted) || is_member(without_templates(plain), wanted);
}

std::vector<elf::NamedFunction> FunctionFinder::look(elf::StoppedMachine& machine,
                                                     elf::DebugFiles& debug_files, u64 address) {
  std::vector<elf::NamedFunction> found;
  const elf::MappedRegion* region = machine.find_region(address);
  if (region == nullptr || region->kept_file.empty()) return found;
  OneFile file(machine, *region);
  const elf::Images images(file, debug_files);
  const elf::Image* image = images.find(address);
  if (image == nullptr) return found;
  std::set<u64> known;
  elf::each_function(*image, [&](const elf::NamedFunction& each) {
    if (!is_called(each.name, wanted_)) return note_near(each.name);
    if (known.insert(each.address).second)
      found.push_back({.address = each.address, .chooses = each.chooses});
  });
  return found;
}

void FunctionFinder::note_near(const char* symbol) {
  const bool is_mangled = symbol[0] == '_' && (symbol[1] == 'Z' || symbol[1] == 'R');
  const unsigned most =
      static_cast<unsigned>(wanted_.size() < 4 ? 1 : std::max<std::size_t>(2, wanted_.size() / 3));
  std::string name = symbol;
  if (is_mangled) {
    // The names in a mangled one stand as they are: without the first letter or the last there is no
    // likeness.
    const std::string end = wanted_.substr(wanted_.size() - std::min<std::size_t>(2, wanted_.size()));
    if (std::strstr(symbol, end.c_str()) == nullptr) return;
    name = without_templates(short_function(elf::demangle(symbol)));
    if (const auto last = name.rfind("::");
        wanted_.find("::") == std::string::npos && last != std::string::npos)
      name.erase(0, last + 2);
  }
  const unsigned far = distance(name, wanted_, most);
  if (far > most) return;
  near_.emplace(far, name);
  if (near_.size() > kNearestKept) near_.erase(std::prev(near_.end()));
}

std::vector<std::string> FunctionFinder::nearest() const {
  std::vector<std::string> names;
  for (const auto& [far, name] : near_) names.push_back(name);
  return names;
}

}  // namespace orrery::lens
