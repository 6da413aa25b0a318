// What the symbols tell: which are largest, whether the stack is guarded, and which calls are checked.
#include <elf.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "elf/demangle_hosted.h"
#include "elf/names_hosted.h"
#include "elf/symbols_hosted.h"
#include "lens/file/parts.h"

namespace orrery::lens::file {
namespace {

/// A summary looks at this many symbols of .symtab at most: as much as costs no time that anybody sees (0.1
/// ms).
constexpr u64 kSummaryMost = 20'000;
constexpr std::size_t kLargest = 8;

/// The functions of glibc 2.36 that have a checked form, __name_chk. Sorted.
constexpr std::array kCheckable = std::to_array<std::string_view>({
    "asprintf",       "confstr",  "dprintf",         "explicit_bzero", "fdelt",          "fgets",
    "fgets_unlocked", "fgetws",   "fgetws_unlocked", "fprintf",        "fread",          "fread_unlocked",
    "fwprintf",       "getcwd",   "getdomainname",   "getgroups",      "gethostname",    "getlogin_r",
    "gets",           "getwd",    "longjmp",         "mbsnrtowcs",     "mbsrtowcs",      "mbstowcs",
    "memcpy",         "memmove",  "mempcpy",         "memset",         "obstack_printf", "obstack_vprintf",
    "poll",           "ppoll",    "pread",           "pread64",        "printf",         "ptsname_r",
    "read",           "readlink", "readlinkat",      "realpath",       "recv",           "recvfrom",
    "snprintf",       "sprintf",  "stpcpy",          "stpncpy",        "strcat",         "strcpy",
    "strncat",        "strncpy",  "swprintf",        "syslog",         "ttyname_r",      "vasprintf",
    "vdprintf",       "vfprintf", "vfwprintf",       "vprintf",        "vsnprintf",      "vsprintf",
    "vswprintf",      "vsyslog",  "vwprintf",        "wcpcpy",         "wcpncpy",        "wcrtomb",
    "wcscat",         "wcscpy",   "wcsncat",         "wcsncpy",        "wcsnrtombs",     "wcsrtombs",
    "wcstombs",       "wctomb",   "wmemcpy",         "wmemmove",       "wmempcpy",       "wmemset",
    "wprintf",
});
static_assert(std::is_sorted(kCheckable.begin(), kCheckable.end()));

/// For each letter, which of kCheckable begin with it: a program imports hundreds of names, and most begin
/// with another.
constexpr auto kBegins = [] {
  std::array<u8, 'z' - 'a' + 2> begins{};
  for (std::size_t letter = 0; letter < begins.size(); ++letter)
    for (const std::string_view each : kCheckable)
      if (each[0] < static_cast<char>('a' + letter)) ++begins[letter];
  return begins;
}();

bool is_checkable(std::string_view name) {
  if (name.empty() || name[0] < 'a' || name[0] > 'z') return false;
  const auto letter = static_cast<std::size_t>(name[0] - 'a');
  for (std::size_t i = kBegins[letter]; i < kBegins[letter + 1]; ++i)
    if (kCheckable[i] == name) return true;
  return false;
}

/// Keeps the `count` largest.
class Largest {
 public:
  explicit Largest(std::size_t count) : count_(count) {}
  void offer(const elf::Symbol& symbol) {
    if (symbol.size == 0 || (kept_.size() == count_ && symbol.size <= kept_.front().size)) return;
    if (kept_.size() == count_) {
      std::pop_heap(kept_.begin(), kept_.end(), larger);
      kept_.pop_back();
    }
    kept_.push_back(symbol);
    std::push_heap(kept_.begin(), kept_.end(), larger);
  }
  std::vector<elf::Symbol> take() {
    std::sort(kept_.begin(), kept_.end(), larger);
    return std::move(kept_);
  }

 private:
  static bool larger(const elf::Symbol& one, const elf::Symbol& other) { return one.size > other.size; }
  std::size_t count_;
  std::vector<elf::Symbol> kept_;
};

bool is_canary(std::string_view name) {
  return name == "__stack_chk_fail" || name == "__stack_chk_guard" || name == "__intel_security_cookie";
}

std::string_view without_underscores(std::string_view name) {
  return name.substr(std::min(name.find_first_not_of('_'), name.size()));
}

void look_for_checks(std::string_view name, Hardening& hardening, bool& canary) {
  canary = canary || is_canary(name);
  const std::string_view bare = without_underscores(name);
  const bool checked = bare.ends_with("_chk") && is_checkable(bare.substr(0, bare.size() - 4));
  hardening.fortified += checked ? 1 : 0;
  hardening.fortifiable += checked || is_checkable(bare) ? 1 : 0;
}

std::string display_type(const elf::Symbol& symbol) {
  return symbol.type() == STT_OBJECT ? "variable" : "function";
}

void count(const elf::Symbol& symbol, SymbolFacts& facts, Largest& largest) {
  if (symbol.is_undefined()) {
    facts.undefined += symbol.index != 0 ? 1 : 0;
    return;
  }
  const bool function = symbol.type() == STT_FUNC || symbol.type() == STT_GNU_IFUNC,
             object = symbol.type() == STT_OBJECT;
  facts.functions += function ? 1 : 0;
  facts.objects += object ? 1 : 0;
  if (function || object) largest.offer(symbol);
}

/// What is called from outside.
void look_at_dynamic(elf::ElfFile& file, elf::SymbolTable& table, Hardening& hardening) {
  bool canary = false;
  for (u64 i = 1; i < table.count(); ++i) look_for_checks(table.name(file, table.at(i)), hardening, canary);
  hardening.canary = canary ? Answer::yes : Answer::no;
  hardening.fortify = hardening.fortified != 0 ? Answer::yes : Answer::no;
}

/// What a static program or an object holds and calls. Its libc's own unchecked functions would count as
/// calls, so they are not counted.
void look_at_full(elf::ElfFile& file, elf::SymbolTable& table, Hardening& hardening) {
  bool canary = hardening.canary == Answer::yes, checked = false;
  for (u64 i = 1; i < table.count() && !(canary && checked); ++i) {
    const std::string_view name = table.name(file, table.at(i));
    canary = canary || is_canary(name);
    checked = checked ||
              (name.ends_with("_chk") && is_checkable(without_underscores(name.substr(0, name.size() - 4))));
  }
  hardening.canary = canary ? Answer::yes : Answer::no;
  if (checked && hardening.fortify == Answer::unknown) hardening.fortify = Answer::yes;
}

SymbolFacts look_at_sizes(elf::ElfFile& file, elf::SymbolTable& table, u64 most) {
  SymbolFacts facts;
  Largest largest(kLargest);
  facts.complete = table.count() <= most;
  if (!facts.complete) return facts;
  for (u64 i = 0; i < table.count(); ++i) count(table.at(i), facts, largest);
  for (const elf::Symbol& symbol : largest.take()) {
    const std::string name(table.name(file, symbol));
    facts.largest.push_back({elf::demangle(name.c_str()), display_type(symbol), symbol.size});
  }
  return facts;
}

}  // namespace

// The dynamic symbols' names are looked at in any case: they are few, and say what is called from outside.
SymbolFacts gather_symbols(elf::ElfFile& file, Hardening& hardening, const Wanted& wanted) {
  const u64 most = wanted.all ? ~u64{0} : kSummaryMost;
  std::optional<elf::SymbolTable> dynamic, full;
  if (const auto section = file.find_section_of_type(SHT_DYNSYM))
    dynamic.emplace(file, *section);
  else if (file.section_count() == 0)
    dynamic.emplace(elf::SymbolTable::from_dynamic(file));
  if (const auto section = file.find_section_of_type(SHT_SYMTAB)) full.emplace(file, *section);
  if (dynamic) look_at_dynamic(file, *dynamic, hardening);
  if (full && hardening.canary != Answer::yes && full->count() <= most) look_at_full(file, *full, hardening);
  SymbolFacts facts;
  if (full)
    facts = look_at_sizes(file, *full, most);
  else if (dynamic)
    facts = look_at_sizes(file, *dynamic, most);
  facts.symtab = full ? full->count() : 0;
  facts.dynsym = dynamic ? dynamic->count() : 0;
  return facts;
}

}  // namespace orrery::lens::file
