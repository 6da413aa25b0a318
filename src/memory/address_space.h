// The guest's own map: regions, protections, names, and the semantics of mmap, munmap, mprotect,
// mremap, brk and madvise as the kernel has them (mm/mmap.c, mm/mprotect.c, mm/mremap.c). It is the
// authority on EFAULT: whether the guest may read or write an address is answered here, not by the host.
// One per guest process; used by the kernel (system calls), the translator (fetch, watching code) and
// the machine (faults). All state lies in the engine's heap.
//
// Files: address_space.cc (the map itself), mapping.cc (mmap, munmap, brk), placement.cc,
// protection.cc (mprotect, attributes), remap.cc, advice.cc, watching.cc, guest_copy.cc.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/hash_map.h"
#include "base/interval_map.h"
#include "base/types.h"
#include "memory/access_sink.h"
#include "memory/backend.h"
#include "memory/code_watch.h"
#include "memory/layout.h"
#include "memory/page_set.h"
#include "memory/region.h"

namespace orrery::memory {

enum class Access : u8 { read = 1, write = 2, execute = 4 };

/// The resource limits that concern memory; setrlimit sets them.
struct Limits {
  u64 address_space_bytes = ~u64{0};   ///< RLIMIT_AS
  u64 data_bytes = ~u64{0};            ///< RLIMIT_DATA
  u64 stack_bytes = 8 * layout::kMiB;  ///< RLIMIT_STACK
  u64 locked_bytes = ~u64{0};          ///< RLIMIT_MEMLOCK; no limit with CAP_IPC_LOCK
};

/// Sums over all regions.
struct Usage {
  u64 mapped_bytes = 0;
  u64 data_bytes = 0;  ///< private and writable, without stacks
  u64 locked_bytes = 0;
  u64 peak_mapped_bytes = 0;  ///< the largest that mapped_bytes has been
};

/// A mapping that could not be made because the engine lies there.
struct Refusal {
  u64 start = 0;
  u64 end = 0;
  int protection = 0;
};

class AddressSpace {
 public:
  using Regions = IntervalMap<Region>;

  explicit AddressSpace(Backend& backend) : backend_(backend) {}
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  // --- the system calls, guest semantics, results as the kernel's ---
  struct MmapArguments {
    u64 address = 0, size_bytes = 0;
    int protection = 0, flags = 0, fd = -1;
    u64 offset = 0;
    u32 file = 0;  ///< as Region::file
    RegionKind kind = RegionKind::anonymous;
    bool is_image = false;  ///< an ELF image's first mapping: wants to lie near the code cache
    u64 file_size_bytes = ~u64{0};
    bool file_readable = true;  ///< the descriptor's access mode
    bool file_writable = true;
    bool file_append_only = false;  ///< the file has the append-only attribute (chattr +a)
    bool file_executable = true;    ///< false on a noexec mount
    u64 shown_from = 0;  ///< shared anonymous memory that exists already, at an address of the engine's
    u64 object = 0;      ///< and its identity
  };
  i64 mmap(const MmapArguments& arguments);
  i64 munmap(u64 address, u64 size_bytes);
  i64 mprotect(u64 address, u64 size_bytes, int protection);
  i64 mremap(u64 old_address, u64 old_bytes, u64 new_bytes, int flags, u64 new_address);
  i64 madvise(u64 address, u64 size_bytes, int advice);
  i64 brk(u64 wanted);  ///< returns the new (or unchanged) break
  i64 mseal(u64 address, u64 size_bytes);
  /// mlock, mlock2 and munlock: sets the kLocked bits to `attributes` (0 unlocks).
  i64 lock(u64 address, u64 size_bytes, u16 attributes);
  /// mlockall with its MCL_* flags; 0 is munlockall.
  void lock_all(int flags);

  /// Forgets and unmaps everything of the guest's (exec).
  void clear();
  /// The identity of new shared anonymous memory (MmapArguments::object).
  u64 new_object();
  /// In a forked child (dup_mmap): regions it is not to have go, others it finds empty; nothing is locked.
  void begin_child();
  u32 add_file(MappedFile file);  ///< returns Region::file; the same number for the same file
  std::span<const MappedFile> files() const { return files_; }
  void set_limits(const Limits& limits) { limits_ = limits; }
  const Limits& limits() const { return limits_; }

  // --- questions ---
  const Region* find(u64 address) const;               ///< the region that holds it, or null
  const Region* find_at_or_above(u64 address) const;   ///< that, or the next one, or null
  const Regions& regions() const { return regions_; }  ///< in the order of addresses
  const Usage& usage() const { return usage_; }
  u64 changes() const { return changes_; }  ///< grows whenever the map changes
  /// How many bytes from `address` on the guest may access this way; stops at the first that it may not.
  u64 accessible_bytes(u64 address, u64 size_bytes, Access access) const;
  /// The same for an access that is about to happen: a stack below which it begins grows, as it would
  /// when the kernel's own copy faults there.
  u64 accessible_bytes(u64 address, u64 size_bytes, Access access);
  bool accessible(u64 address, u64 size_bytes, Access access) const {
    return accessible_bytes(address, size_bytes, access) == size_bytes;
  }
  bool accessible(u64 address, u64 size_bytes, Access access) {
    return accessible_bytes(address, size_bytes, access) == size_bytes;
  }
  /// What was refused since the last call because the engine lies there; worth one line to the user.
  std::optional<Refusal> take_refusal() { return std::exchange(refusal_, std::nullopt); }

  // --- guest memory from engine code; false (and nothing or a prefix done) means EFAULT ---
  [[nodiscard]] bool read(u64 address, std::span<u8> out) const;
  [[nodiscard]] bool read(u64 address, std::span<u8> out);
  [[nodiscard]] bool write(u64 address, std::span<const u8> in);
  template <class T>
  [[nodiscard]] bool read_value(u64 address, T& value) const {
    return read(address, {reinterpret_cast<u8*>(&value), sizeof value});
  }
  template <class T>
  [[nodiscard]] bool read_value(u64 address, T& value) {
    return read(address, {reinterpret_cast<u8*>(&value), sizeof value});
  }
  template <class T>
  [[nodiscard]] bool write_value(u64 address, const T& value) {
    return write(address, {reinterpret_cast<const u8*>(&value), sizeof value});
  }
  /// As a debugger reads and writes (the kernel's FOLL_FORCE, /proc/self/mem): also what the guest itself may
  /// not read, and private memory it may not write. The number of bytes moved before the first hole.
  u64 peek(u64 address, std::span<u8> out);
  u64 poke(u64 address, std::span<const u8> in);
  /// The bytes of a C string without its NUL. -EFAULT, or -ENAMETOOLONG past `most_bytes`; else its length.
  i64 read_string(u64 address, u64 most_bytes, std::vector<char>& out) const;

  // --- code ---
  /// Code was translated from the page at `page`: from now on a guest write to it is announced. If the
  /// guest may write it, it is write-protected on the host, under every address that shows its bytes.
  void watch_code(u64 page);
  /// The same for code that compares itself with the page whenever it runs: only the end of its mapping and
  /// of its permission to execute are announced, and stores cost nothing.
  void watch_code_mapping(u64 page);
  /// The host kernel or the engine is about to write here: un-protects watched pages and announces them.
  void prepare_write(u64 address, u64 size_bytes);
  /// A host write fault at `address`: true if it hit a watched page, which is now writable and announced.
  bool handle_write_fault(u64 address);
  /// A fault just below a MAP_GROWSDOWN region: true if the region grew to cover it.
  bool handle_stack_growth(u64 address, u64 stack_limit_bytes);
  /// Whether code runs from a shared file mapping, so that system calls that write files can change code.
  bool has_shared_code() const { return shared_code_regions_ != 0; }
  /// A system call wrote to this file: what was translated from shared mappings of it is announced.
  void file_written(u32 device_major, u32 device_minor, u64 inode);
  /// The same when it is not known which file.
  void any_file_written();
  CodeWatch& code() { return code_; }

  /// The protection the host page gets: guest code is never executed where it lies.
  static int host_protection(int guest_protection, bool write_watched);

  /// Where the program's parts go from now on: exec chooses before it maps anything.
  void use_places(const layout::Places& places) { places_ = &places; }
  const layout::Places& places() const { return *places_; }

  // Layout of the heap, set by exec.
  void set_brk(u64 start);
  u64 brk_start() const { return brk_start_; }
  u64 brk_end() const { return brk_end_; }

  /// Null: nobody.
  void set_access_sink(AccessSink* sink) { sink_ = sink; }
  AccessSink* access_sink() const { return sink_; }

  /// The program has been lent layout::kLendable: what the engine kept there is gone for good.
  bool table_is_lent() const { return table_is_lent_; }

 private:
  using Position = Regions::Position;
  struct Span {
    u64 start, end;
    u64 size_bytes() const { return end - start; }
  };
  /// How many regions of a shared object matter to code watching.
  struct ObjectUse {
    u32 writable_regions = 0;  ///< shared and writable
    u32 watched_regions = 0;
  };

  void tell(u64 address, u64 size_bytes, bool writes) const {
    if (sink_ != nullptr) [[unlikely]]
      sink_->accessed(address, size_bytes, writes);
  }

  // --- address_space.cc: the map itself ---
  void account(const Region& region, bool added);
  void insert(const Region& region);
  Position erase(Position at);
  void resize(Position at, u64 start, u64 end);
  /// Makes `address` a boundary; returns the first region that ends above it.
  Position split(u64 address);
  void merge(u64 from, u64 to);
  /// Applies `change` to every region in `span`, split at its bounds, and merges again.
  template <class Change>
  void alter(Span span, Change change);
  bool can_split(Span span) const;
  void forget(Span span);
  bool any_sealed(Span span) const;
  bool may_expand(u64 bytes, bool is_data) const;

  // --- mapping.cc ---
  i64 check_mmap(const MmapArguments& arguments, Span& span);
  bool may_be_shadow(const MmapArguments& arguments, Span span) const;
  static i64 check_file_rules(const MmapArguments& arguments);
  static i64 check_anonymous_rules(const MmapArguments& arguments);
  Region region_for(const MmapArguments& arguments, Span span);
  i64 map_host(const Region& region, int fd);
  i64 show_host(const Region& region, u64 from);
  i64 unmap_span(Span span);
  i64 unmap_host(Span span);
  i64 refuse(Span span, int protection);

  // --- placement.cc ---
  std::optional<u64> place(const MmapArguments& arguments, u64 bytes) const;
  std::optional<u64> place_by_policy(u64 bytes, bool is_code) const;
  bool hint_is_free(u64 address, u64 bytes) const;

  // --- protection.cc ---
  i64 change_protection(Position at, Span span, int protection);

  // --- remap.cc ---
  struct Remap {
    u64 from, from_bytes, to, to_bytes;
    int flags;
  };
  i64 check_remap(const Remap& remap) const;
  i64 check_remap_source(const Remap& remap) const;
  i64 remap_each(Remap remap);
  i64 remap_to(Remap remap);
  i64 remap_in_place_or_move(Remap remap);
  i64 grow_in_place(const Region& region, u64 end);
  i64 move_region(const Remap& remap);
  i64 move_host(const Region& region, const Remap& remap);
  i64 move_host_pieces(u64 from, u64 bytes, u64 to);

  // --- advice.cc ---
  i64 advise(const Region& region, Span span, int advice);
  i64 change_attributes(Span span, u16 set, u16 cleared);
  i64 discard(Span span);
  i64 punch_hole(const Region& region, Span span);
  i64 populate(Span span, int wanted);

  // --- guest_copy.cc ---
  u64 peek_page(u64 address, std::span<u8> out);
  u64 poke_page(u64 address, std::span<const u8> in);

  // --- watching.cc ---
  void protect_watched(const Region& region, Span span);
  void release_watched(const Region& region, PageSet::Run pages, CodeChange::Cause cause);
  void unwatch(const Region& region, Span span, CodeChange::Cause cause = CodeChange::Cause::bytes);
  void end_code(const Region& region, Span span);
  void drop_mapping_watch(Span span);
  void unwatch_shared_code(u64 object);
  void unwatch_views(const Region& region, Span span);
  void drop_watch(Span span);
  void protect_aliases(Span span);
  template <class Visit>
  void visit_aliases(const Region& region, Span span, Visit visit);
  void set_watched(u64 start, bool watched);

  Backend& backend_;
  CodeWatch code_;
  Regions regions_;
  mutable const Region* last_found_ = nullptr;  ///< what find() answered last; null after every change
  std::vector<MappedFile> files_;
  HashMap<u32> files_by_identity_;  ///< hash of device, inode and path -> Region::file
  HashMap<ObjectUse> objects_;
  u64 anonymous_objects_ = 0;
  u32 shared_code_regions_ = 0;  ///< watched, shared, executable, of a file
  PageSet watched_pages_;
  PageSet mapping_watched_pages_;  ///< none of them is in watched_pages_
  Usage usage_;
  u64 changes_ = 0;
  Limits limits_;
  u16 attributes_later_ = 0;  ///< mlockall(MCL_FUTURE)
  bool table_is_lent_ = false;
  AccessSink* sink_ = nullptr;
  std::optional<Refusal> refusal_;
  u64 brk_start_ = 0, brk_end_ = 0;
  const layout::Places* places_ = &layout::kUsualPlaces;
};

template <class Change>
void AddressSpace::alter(Span span, Change change) {
  split(span.start);
  split(span.end);
  last_found_ = nullptr;
  for (Position at = regions_.first_ending_above(span.start);
       !regions_.is_end(at) && regions_.at(at).start < span.end; at = regions_.next(at)) {
    Region& region = regions_.at(at);
    account(region, false);
    change(region);
    account(region, true);
  }
  merge(span.start, span.end);
}

}  // namespace orrery::memory
