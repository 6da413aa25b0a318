// What a linker decided: for every undefined symbol of its inputs the file that resolved it, which members of
// archives came in and for whom, and where each input section lies in the output.
//
// The inputs are taken in the order in which the linker first read them. Symbols are resolved as the System V
// linkers do: the first definition wins, a strong one over a weak one and an object's over a library's; an
// archive's member comes in when its index offers a symbol that is wanted strongly and that nobody has.
// Places are read off the output, so they are what the linker did and not what it should have done: from
// symbols that both have; from what relocations left in code; and from contents, one section after the other.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace orrery::lens::build {

struct LinkInput {
  std::string path{};
  std::span<const u8> bytes{};
};

/// An object, or a member of an archive, that was linked.
struct LinkUnit {
  std::string file{}, member{};  ///< "" for an object
  std::string wanted_by{};       ///< of a member: the unit that it came in for
  std::string wanted_symbol{};
  u64 bytes = 0;  ///< of its sections in the output

  std::string name() const { return member.empty() ? file : file + "(" + member + ")"; }
};

enum class ResolvedBy : u8 { object, member, library, linker, nothing };
const char* name_of(ResolvedBy by);

struct LinkSymbol {
  std::string name{};
  u64 unit = 0;  ///< that refers to it
  bool weak = false;
  ResolvedBy by = ResolvedBy::nothing;
  std::string file{}, member{};  ///< that has it
};

enum class PlacedBy : u8 { symbol, relocation, content, merged, discarded, unknown };
const char* name_of(PlacedBy by);

struct LinkSection {
  u64 unit = 0;
  std::string name{};
  u64 size = 0;
  PlacedBy by = PlacedBy::unknown;
  std::string output{};  ///< the output's section
  u64 address = 0;       ///< both only where it was placed
};

struct LinkFacts {
  std::vector<LinkUnit> units{};
  std::vector<LinkSymbol> symbols{};
  std::vector<LinkSection> sections{};
  std::vector<std::string> needed{};  ///< DT_NEEDED of the output
};

/// `output` must be ELF. An object (ld -r) has no addresses yet, so no places either.
LinkFacts gather_link(std::span<const LinkInput> inputs, std::span<const u8> output);

}  // namespace orrery::lens::build
