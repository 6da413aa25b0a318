// The segments of an image keep their distances, so the first mapping fixes the bias of all. A program lies
// at the bottom of the window memory/layout.h keeps for programs, or where an ET_EXEC says; an interpreter is
// placed by the address space, which is first asked for one range that spans the image: nothing else
// can then land between its segments. What the spanning map covers beyond the segments is given back.
//
// A segment's file bytes are mapped by whole pages. The rest of the last page, up to the segment's end, must
// read as zero, and what lies beyond is anonymous memory (elf_load, padzero). Writable bss keeps PROT_EXEC if
// the segment had it, as vm_brk_flags does.
#include "kernel/loader.h"

#include <errno.h>
#include <sys/mman.h>

#include <algorithm>

#include "memory/layout.h"

namespace orrery::kernel {
namespace {

using memory::AddressSpace;
namespace layout = memory::layout;

AddressSpace::MmapArguments file_part(const Program& program, const elf::LoadSegment& segment, u64 bias,
                                      u32 file) {
  const u64 in_page = segment.address % kPageBytes;
  return {.address = page_floor(segment.address) + bias,
          .size_bytes = page_ceil(segment.file_bytes + in_page),
          .protection = segment.protection,
          .flags = MAP_PRIVATE | MAP_FIXED,
          .fd = program.file.fd(),
          .offset = segment.offset - in_page,
          .file = file,
          .kind = memory::RegionKind::file,
          .file_size_bytes = program.file.size_bytes()};
}

/// Zeroes from the end of the file's bytes to the end of their page. Only a writable segment needs it.
i64 zero_page_rest(AddressSpace& space, const elf::LoadSegment& segment, u64 bias) {
  const u64 from = segment.address + segment.file_bytes + bias;
  const u64 count = page_ceil(from) - from;
  if (count == 0 || (segment.protection & PROT_WRITE) == 0) return 0;
  const std::vector<u8> zeros(count);
  return space.write(from, zeros) ? 0 : -EFAULT;
}

i64 map_bss(AddressSpace& space, const elf::LoadSegment& segment, u64 bias) {
  const u64 start = segment.file_bytes == 0 ? page_floor(segment.address + bias)
                                            : page_ceil(segment.address + segment.file_bytes + bias);
  const u64 end = page_ceil(segment.address + segment.memory_bytes + bias);
  if (end <= start) return 0;
  return space.mmap({.address = start,
                     .size_bytes = end - start,
                     .protection = PROT_READ | PROT_WRITE | (segment.protection & PROT_EXEC),
                     .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
}

i64 map_segment(AddressSpace& space, const Program& program, const elf::LoadSegment& segment, u64 bias,
                u32 file) {
  if (segment.file_bytes != 0) {
    if (const i64 at = space.mmap(file_part(program, segment, bias, file)); at < 0) return at;
    if (segment.memory_bytes > segment.file_bytes)
      if (const i64 error = zero_page_rest(space, segment, bias); error < 0) return error;
  }
  const i64 at = map_bss(space, segment, bias);
  return at < 0 ? at : 0;
}

/// Where a position-independent program goes: the bottom of its window, if that has room for it.
bool fits_program_window(const layout::Range& window, const elf::Segments& segments, u64& bias) {
  const u64 start = (window.start + segments.alignment - 1) & ~(segments.alignment - 1);
  bias = start - segments.lowest_page;
  return start < window.end && segments.total_bytes <= window.end - start;
}

/// Has the address space choose a place for the whole image and returns the bias. The place is kept by a
/// map without access, which the segments then replace.
i64 reserve_image(AddressSpace& space, const Program& program, bool near_code, u64& bias) {
  const elf::Segments& segments = program.segments;
  const u64 slack = segments.alignment > kPageBytes ? segments.alignment : 0;
  const u64 size = page_ceil(segments.total_bytes) + slack;
  AddressSpace::MmapArguments arguments{.size_bytes = size,
                                        .protection = PROT_NONE,
                                        .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                                        .is_image = near_code};
  const i64 at = space.mmap(arguments);
  if (at < 0) return at;
  const u64 start = (static_cast<u64>(at) + segments.alignment - 1) & ~(segments.alignment - 1);
  const u64 end = start + page_ceil(segments.total_bytes);
  if (start > static_cast<u64>(at)) space.munmap(static_cast<u64>(at), start - static_cast<u64>(at));
  if (end < static_cast<u64>(at) + size) space.munmap(end, static_cast<u64>(at) + size - end);
  bias = start - segments.lowest_page;
  return 0;
}

/// Gives back what the reservation holds between the segments.
void release_gaps(AddressSpace& space, const elf::Segments& segments, u64 bias) {
  u64 covered = segments.lowest_page;
  for (const elf::LoadSegment& segment : segments.loads) {
    const u64 start = page_floor(segment.address);
    if (start > covered) space.munmap(covered + bias, start - covered);
    covered = std::max(covered, page_ceil(segment.address + segment.memory_bytes));
  }
}

void note_bounds(const Program& program, u64 bias, LoadedImage& out) {
  out.code_start = ~u64{0};
  for (const elf::LoadSegment& segment : program.segments.loads) {
    const u64 start = segment.address + bias;
    const u64 file_end = start + segment.file_bytes;
    if ((segment.protection & PROT_EXEC) != 0) {
      out.code_start = std::min(out.code_start, start);
      out.code_end = std::max(out.code_end, file_end);
    }
    out.data_start = std::max(out.data_start, start);
    out.data_end = std::max(out.data_end, file_end);
  }
}

}  // namespace

i64 read_program(Program& program, std::span<const u8> head) {
  program.header = elf::read_header(head);
  if (program.header.verdict != elf::HeaderVerdict::good) return -ENOEXEC;
  std::vector<u8> table(program.header.table_bytes());
  const i64 count = program.file.read(program.header.table_offset, table);
  if (count < 0 || static_cast<u64>(count) != table.size()) {
    program.header.verdict = elf::HeaderVerdict::not_loadable;
    return -ENOEXEC;
  }
  program.segments = elf::read_segments(program.header, table);
  return 0;
}

i64 read_interpreter_path(const Program& program, std::vector<char>& path) {
  const u64 size = program.segments.interpreter_bytes;
  if (size < 2 || size > 4096) return -ENOEXEC;
  path.resize(size);
  const std::span<u8> bytes(reinterpret_cast<u8*>(path.data()), path.size());
  const i64 count = program.file.read(program.segments.interpreter_offset, bytes);
  if (count < 0) return count;
  if (static_cast<u64>(count) != size) return -EIO;
  return elf::interpreter_path_valid(bytes) ? 0 : -ENOEXEC;
}

bool needs_reserved_addresses(const Program& program) {
  if (!program.header.fixed_address || !program.segments.valid) return false;
  for (const elf::LoadSegment& segment : program.segments.loads) {
    const u64 start = page_floor(segment.address), end = page_ceil(segment.address + segment.memory_bytes);
    for (const layout::Range& range : layout::kReserved)
      if (range.overlaps(start, end)) return true;
  }
  return false;
}

i64 map_program(AddressSpace& space, const Program& program, Placement placement, LoadedImage& out) {
  if (!program.segments.valid || program.segments.total_bytes == 0) return -EINVAL;
  const elf::Segments& segments = program.segments;
  const u32 file = space.add_file(program.file.describe());
  u64 bias = 0;
  const bool chosen =
      program.header.fixed_address ||
      (placement == Placement::program && fits_program_window(space.places().program, segments, bias));
  if (!chosen) {
    // A program too large for its window (gigabytes of bss) goes where large mappings go.
    const bool near_code = placement == Placement::interpreter;
    if (const i64 error = reserve_image(space, program, near_code, bias); error < 0) return error;
    release_gaps(space, segments, bias);
  }
  for (const elf::LoadSegment& segment : segments.loads)
    if (const i64 error = map_segment(space, program, segment, bias, file); error < 0) return error;

  out.bias = bias;
  out.first_page = segments.lowest_page + bias;
  out.entry = program.header.entry + bias;
  // Of a table that no segment holds, the kernel too says that it lies at the start.
  out.table_address = segments.table_address + bias;
  note_bounds(program, bias, out);
  return 0;
}

}  // namespace orrery::kernel
