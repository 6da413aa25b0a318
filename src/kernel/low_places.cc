#include "kernel/low_places.h"

#include <elf.h>

#include <string_view>

namespace orrery::kernel {
namespace {

constexpr std::string_view kRuntime = "libtsan.so", kEntryPoint = "__tsan_init";

/// What a dynamic section says, as addresses before the load bias.
struct Dynamic {
  u64 strings = 0, strings_bytes = 0, symbols = 0, hash = 0;
  std::vector<u64> needed;  ///< offsets into the strings
};

class ProgramView {
 public:
  ProgramView(memory::AddressSpace& space, u64 bias) : space_(space), bias_(bias) {}

  Dynamic read_dynamic(const elf::Segments& segments) const {
    Dynamic dynamic;
    Elf64_Dyn entry{};
    const u64 end = segments.dynamic_address + segments.dynamic_bytes;
    for (u64 at = segments.dynamic_address; at + sizeof entry <= end && read(at, entry); at += sizeof entry) {
      if (entry.d_tag == DT_NULL) break;
      if (entry.d_tag == DT_NEEDED) dynamic.needed.push_back(entry.d_un.d_val);
      if (entry.d_tag == DT_STRTAB) dynamic.strings = entry.d_un.d_ptr;
      if (entry.d_tag == DT_STRSZ) dynamic.strings_bytes = entry.d_un.d_val;
      if (entry.d_tag == DT_SYMTAB) dynamic.symbols = entry.d_un.d_ptr;
      if (entry.d_tag == DT_GNU_HASH) dynamic.hash = entry.d_un.d_ptr;
    }
    return dynamic;
  }

  bool string_starts(const Dynamic& dynamic, u64 offset, std::string_view wanted) const {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      char letter = 0;
      if (offset + i >= dynamic.strings_bytes || !read(dynamic.strings + offset + i, letter)) return false;
      if (letter != wanted[i]) return false;
    }
    return true;
  }

  /// dl-lookup.c, do_lookup_x: is there a symbol of that name in the table of those that are defined?
  bool defines(const Dynamic& dynamic, std::string_view name) const {
    struct Header {
      u32 bucket_count, first_symbol, filter_words, filter_shift;
    } header{};
    if (dynamic.hash == 0 || !read(dynamic.hash, header)) return false;
    if (header.bucket_count == 0 || header.filter_words == 0) return false;
    u32 hash = 5381;
    for (const char letter : name) hash = hash * 33 + static_cast<u8>(letter);
    const u64 filter = dynamic.hash + sizeof header, buckets = filter + 8 * u64{header.filter_words};
    u64 word = 0;
    if (!read(filter + 8 * (hash / 64 % header.filter_words), word)) return false;
    const u64 bits = u64{1} << (hash % 64) | u64{1} << ((hash >> header.filter_shift) % 64);
    u32 index = 0;
    if ((word & bits) != bits || !read(buckets + 4 * u64{hash % header.bucket_count}, index)) return false;
    const u64 chains = buckets + 4 * u64{header.bucket_count};
    for (u32 chain = 0; index >= header.first_symbol && (chain & 1) == 0; ++index) {
      Elf64_Sym symbol{};
      if (!read(chains + 4 * u64{index - header.first_symbol}, chain)) return false;
      if ((chain | 1) != (hash | 1)) continue;
      if (!read(dynamic.symbols + sizeof symbol * index, symbol)) return false;
      if (string_starts(dynamic, symbol.st_name, name)) return true;
    }
    return false;
  }

 private:
  template <class T>
  bool read(u64 address, T& value) const {
    return space_.read_value(address + bias_, value);
  }

  memory::AddressSpace& space_;
  u64 bias_;
};

}  // namespace

bool wants_low_places(memory::AddressSpace& space, const Program& program, u64 bias) {
  if (program.segments.dynamic_address == 0) return false;
  const ProgramView view(space, bias);
  const Dynamic dynamic = view.read_dynamic(program.segments);
  for (const u64 name : dynamic.needed)
    if (view.string_starts(dynamic, name, kRuntime)) return true;
  return view.defines(dynamic, kEntryPoint);
}

}  // namespace orrery::kernel
