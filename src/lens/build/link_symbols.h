// Symbol resolution, as of a static linker.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "elf/elf_file_hosted.h"
#include "elf/symbols_hosted.h"
#include "lens/build/link_facts.h"

namespace orrery::lens::build {

/// A unit with its symbols.
struct OpenedUnit {
  LinkUnit unit{};
  elf::ElfFile file;
  std::vector<elf::Symbol> symbols{};
  std::vector<std::string> names{};
  std::set<u64> discarded{};  ///< sections of groups that an earlier unit has brought
};

class LinkResolver {
 public:
  void add(const LinkInput& input);
  /// All inputs were added: what remains is looked for in all archives again, as in a group.
  void finish();

  /// Whether the symbol of that name is this unit's.
  bool is_definer(u64 unit, const std::string& name) const;
  std::deque<OpenedUnit>& units() { return units_; }
  std::vector<LinkSymbol> symbols() const;

 private:
  struct Definition {
    ResolvedBy by = ResolvedBy::nothing;
    bool weak = false;
    std::string file{}, member{};
  };
  struct Archive {
    std::string path{};
    std::span<const u8> bytes{};
    std::vector<std::pair<std::string, u64>> index{};  ///< symbols, and their members' headers
    std::set<u64> taken{};
  };

  void add_unit(LinkUnit unit, std::span<const u8> bytes);
  void add_library(const LinkInput& input, elf::ElfFile& file);
  void add_archive(const LinkInput& input);
  bool take_wanted(Archive& archive);
  void drop_repeated_groups(OpenedUnit& unit);
  void define(const std::string& name, const Definition& definition);

  std::deque<OpenedUnit> units_;
  std::vector<Archive> archives_;
  std::map<std::string, Definition> defined_;
  std::map<std::string, u64> wanted_;  ///< strongly: the first unit that does
  std::set<std::string> groups_;
};

}  // namespace orrery::lens::build
