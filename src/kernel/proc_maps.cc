// Which regions there are is the guest's own map; what of them is in memory is the host's measure
// (resident.h). The host's own text also serves as a sample, so that the lines are those that this kernel
// prints.
#include "kernel/proc_maps.h"

#include <sys/mman.h>

#include <algorithm>
#include <string_view>

#include "kernel/lines.h"

namespace orrery::kernel {
namespace {

using memory::Region;

constexpr std::size_t kNameColumn = 73;
constexpr u64 kPageKilobytes = kPageBytes >> 10;

std::string_view path_of(const ProcessView& view, const Region& region) {
  const auto& path = view.files[region.file - 1].path;
  return {path.data(), path.size()};
}

bool is_heap(const ProcessView& view, const Region& region) {
  return region.start < view.numbers.brk_end && region.end > view.numbers.brk_start;
}

bool is_stack(const ProcessView& view, const Region& region) {
  const u64 stack = view.numbers.image.stack_start;
  return region.start <= stack && region.end >= stack;
}

/// get_vma_name.
std::string_view name_of(const ProcessView& view, const Region& region) {
  if (region.file != 0) return path_of(view, region);
  if (region.shared()) return "/dev/zero (deleted)";
  if (is_heap(view, region)) return "[heap]";
  return is_stack(view, region) ? std::string_view("[stack]") : std::string_view{};
}

/// show_vma_header_prefix, and the name. Files' names are printed with line feeds escaped.
void write_map_line(const ProcessView& view, const Region& region, Text& out) {
  const std::size_t line = out.size();
  out.hex(region.start, 8).character('-').hex(region.end, 8).character(' ');
  out.character((region.protection & PROT_READ) != 0 ? 'r' : '-');
  out.character((region.protection & PROT_WRITE) != 0 ? 'w' : '-');
  out.character((region.protection & PROT_EXEC) != 0 ? 'x' : '-');
  out.character(region.shared() ? 's' : 'p');
  if (region.file != 0) {
    const memory::MappedFile& file = view.files[region.file - 1];
    out.character(' ').hex(region.offset, 8).character(' ').hex(file.device_major, 2);
    out.character(':').hex(file.device_minor, 2).character(' ').decimal(file.inode);
  } else if (region.shared()) {
    out.character(' ')
        .hex(region.offset, 8)
        .add(" 00:01 ")
        .decimal(region.object & ~memory::kAnonymousObject);
  } else {
    out.add(" 00000000 00:00 0");
  }
  out.character(' ');
  if (const std::string_view name = name_of(view, region); !name.empty()) {
    out.pad_to(line + kNameColumn);
    for (const char c : name) {
      if (c == '\n')
        out.add("\\012");
      else
        out.character(c);
    }
  }
  out.character('\n');
}

/// show_smap_vma_flags, in the order of the kernel's bits.
void write_flags(const Region& region, bool soft_dirty, Text& out) {
  const bool shown_shared = region.shared() && (region.protection_most & PROT_WRITE) != 0;
  const bool accounted =
      !region.shared() && region.writable() && (region.flags & MAP_NORESERVE) == 0 && !region.on_paper;
  struct Flag {
    bool set;
    const char* name;
  };
  const Flag flags[] = {
      {(region.protection & PROT_READ) != 0, "rd"},
      {region.writable(), "wr"},
      {region.executable(), "ex"},
      {shown_shared, "sh"},
      {(region.protection_most & PROT_READ) != 0, "mr"},
      {(region.protection_most & PROT_WRITE) != 0, "mw"},
      {(region.protection_most & PROT_EXEC) != 0, "me"},
      {region.shared(), "ms"},
      {(region.flags & MAP_GROWSDOWN) != 0, "gd"},
      {region.has(memory::kLocked), "lo"},
      {region.has(memory::kSequential), "sr"},
      {region.has(memory::kRandom), "rr"},
      {region.has(memory::kNotInFork), "dc"},
      {region.has(memory::kLockedOnFault), "lf"},
      {accounted, "ac"},
      {(region.flags & MAP_NORESERVE) != 0, "nr"},
      {region.has(memory::kWipeOnFork), "wf"},
      {region.has(memory::kNotInDump), "dd"},
      {soft_dirty, "sd"},
      {region.has(memory::kHugePages), "hg"},
      {region.has(memory::kNoHugePages), "nh"},
      {region.has(memory::kMergeable), "mg"},
      {region.has(memory::kSealed), "sl"},
  };
  out.add("VmFlags:");
  for (const Flag& flag : flags)
    if (flag.set) out.character(' ').add(flag.name);
  out.add(" \n");
}

void write_figure(std::string_view name, u64 kilobytes, Text& out) {
  constexpr std::size_t kWidth = 16;
  const std::size_t line = out.size();
  out.add(name).character(':').pad_to(line + kWidth).decimal(kilobytes, 8).add(" kB\n");
}

void write_smap_lines(const Region& region, std::size_t index, const MeasuredMemory& measured, Text& out) {
  std::string_view sample = measured.sample();
  while (!sample.empty()) {
    const std::string_view line = next_line(sample);
    const std::string_view name = line.substr(0, line.find(':'));
    if (name == "VmFlags")
      write_flags(region, line.find(" sd") != std::string_view::npos, out);
    else if (name == "Size")
      write_figure(name, region.size_bytes() >> 10, out);
    else if (name == "Locked")
      write_figure(name, region.has(memory::kLocked) ? measured.kilobytes(index, "Pss") : 0, out);
    else if (name == "KernelPageSize" || name == "MMUPageSize" || name == "THPeligible" ||
             name == "ProtectionKey")
      out.add(line).character('\n');
    else
      write_figure(name, measured.kilobytes(index, name), out);
  }
}

/// Kinds of pages that smaps_rollup tells apart.
enum class PageKind : u8 { anonymous, file, shared_memory };

PageKind kind_of(const Region& region) {
  if (region.file == 0) return region.shared() ? PageKind::shared_memory : PageKind::anonymous;
  return PageKind::file;
}

u64 pss_of(const ProcessView& view, const MeasuredMemory& measured, PageKind kind) {
  u64 total = 0;
  std::size_t index = 0;
  for (const Region& region : view.regions) {
    const u64 all = measured.kilobytes(index, "Pss");
    const u64 anonymous = std::min(all, measured.kilobytes(index, "Anonymous"));
    if (kind == PageKind::anonymous)
      total += anonymous;
    else if (kind == kind_of(region))
      total += all - anonymous;
    ++index;
  }
  return total;
}

u64 rolled_up(const ProcessView& view, const MeasuredMemory& measured, std::string_view name) {
  if (name == "Pss_Anon") return pss_of(view, measured, PageKind::anonymous);
  if (name == "Pss_File") return pss_of(view, measured, PageKind::file);
  if (name == "Pss_Shmem") return pss_of(view, measured, PageKind::shared_memory);
  if (name == "Locked") return view.numbers.locked_bytes >> 10;
  return measured.total_kilobytes(name);
}

void write_pages(const char* name, u64 pages, Text& out) {
  if (pages != 0) out.character(' ').add(name).character('=').decimal(pages);
}

}  // namespace

void write_maps(const ProcessView& view, Text& out) {
  for (const Region& region : view.regions) write_map_line(view, region, out);
}

void write_smaps(const ProcessView& view, const MeasuredMemory& measured, Text& out) {
  std::size_t index = 0;
  for (const Region& region : view.regions) {
    write_map_line(view, region, out);
    write_smap_lines(region, index++, measured, out);
  }
}

void write_smaps_rollup(const ProcessView& view, const MeasuredMemory& measured,
                        const std::vector<char>& host_text, Text& out) {
  if (view.regions.empty()) return;
  out.hex(view.regions.front().start, 8).character('-').hex(view.regions.back().end, 8);
  out.add(" ---p 00000000 00:00 0 ");
  out.pad_to(kNameColumn).add("[rollup]\n");
  std::string_view rest(host_text.data(), host_text.size());
  next_line(rest);
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    const std::string_view name = line.substr(0, line.find(':'));
    write_figure(name, rolled_up(view, measured, name), out);
  }
}

/// show_numa_map on a machine of one node, where every policy is the default one.
void write_numa_maps(const ProcessView& view, const MeasuredMemory& measured, Text& out) {
  std::size_t index = 0;
  for (const Region& region : view.regions) {
    out.hex(region.start, 8).add(" default");
    if (region.file != 0 || region.shared())
      out.add(" file=").add(name_of(view, region));
    else if (is_heap(view, region))
      out.add(" heap");
    else if (is_stack(view, region))
      out.add(" stack");
    const u64 pages = measured.kilobytes(index, "Rss") / kPageKilobytes;
    const u64 anonymous = measured.kilobytes(index, "Anonymous") / kPageKilobytes;
    const u64 dirty =
        (measured.kilobytes(index, "Private_Dirty") + measured.kilobytes(index, "Shared_Dirty")) /
        kPageKilobytes;
    write_pages("anon", anonymous, out);
    write_pages("dirty", dirty, out);
    if (pages != anonymous && pages != dirty) write_pages("mapped", pages, out);
    write_pages("N0", pages, out);
    if (pages != 0) write_pages("kernelpagesize_kB", kPageKilobytes, out);
    out.character('\n');
    ++index;
  }
}

}  // namespace orrery::kernel
