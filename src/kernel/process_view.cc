// The bytes: a header with their sum, then the numbers, and arrays that their counts precede. Whoever reads
// them while they are written finds that the sum is wrong, and reads again. Both sides are the same engine.
#include "kernel/process_view.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/hash.h"
#include "kernel/fd_table.h"
#include "kernel/signal.h"

namespace orrery::kernel {
namespace {

using memory::MappedFile;
using memory::Region;

struct Header {
  u64 size_bytes = 0;  ///< of what follows
  u64 sum = 0;         ///< xxh64 of it
};

static_assert(sizeof(Header) == kViewHeaderBytes);

struct SignalSets {
  SignalSet ignored = 0, caught = 0;
};

SignalSets handled_signals(const Process& process) {
  SignalSets sets;
  for (int number = 1; number <= kSignalCount; ++number) {
    const u64 handler = process.actions[static_cast<std::size_t>(number - 1)].handler;
    if (handler == kHandlerIgnore)
      sets.ignored |= signal_bit(number);
    else if (handler != kHandlerDefault)
      sets.caught |= signal_bit(number);
  }
  return sets;
}

template <class T>
void put(const T& value, std::vector<u8>& out) {
  static_assert(std::is_trivially_copyable_v<T>);
  const auto* const bytes = reinterpret_cast<const u8*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

template <class T>
void put_all(std::span<const T> values, std::vector<u8>& out) {
  put(u64{values.size()}, out);
  const auto* const bytes = reinterpret_cast<const u8*>(values.data());
  out.insert(out.end(), bytes, bytes + values.size_bytes());
}

template <class T>
bool cut(std::span<const u8>& bytes, T& value) {
  if (bytes.size() < sizeof value) return false;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes = bytes.subspan(sizeof value);
  return true;
}

template <class T>
bool cut_all(std::span<const u8>& bytes, std::vector<T>& values) {
  u64 count = 0;
  if (!cut(bytes, count) || count > bytes.size() / sizeof(T)) return false;
  values.resize(count);
  std::memcpy(static_cast<void*>(values.data()), bytes.data(), count * sizeof(T));
  bytes = bytes.subspan(count * sizeof(T));
  return true;
}

bool cut_file(std::span<const u8>& bytes, MappedFile& file) {
  return cut(bytes, file.device_major) && cut(bytes, file.device_minor) && cut(bytes, file.inode) &&
         cut_all(bytes, file.path);
}

}  // namespace

const ProcessView::TaskView* ProcessView::find_task(i32 id) const {
  const auto found = std::find_if(tasks.begin(), tasks.end(), [id](const TaskView& t) { return t.id == id; });
  return found == tasks.end() ? nullptr : &*found;
}

ProcessView view_of(const Process& process) {
  const memory::AddressSpace& space = *process.memory;
  const SignalSets handled = handled_signals(process);
  ProcessView view{.numbers = {.image = process.image,
                               .peak_mapped_bytes = space.usage().peak_mapped_bytes,
                               .locked_bytes = space.usage().locked_bytes,
                               .brk_start = space.brk_start(),
                               .brk_end = space.brk_end(),
                               .ignored = handled.ignored,
                               .caught = handled.caught,
                               .pending = process.pending.set(),
                               .limits = process.limits,
                               .personality = process.personality,
                               .engine_fd_first = process.fds->engine_fd_first(),
                               .engine_fd_end = process.fds->engine_fd_end()},
                   .regions = {},
                   .files = {space.files().begin(), space.files().end()},
                   .tasks = {}};
  for (const Region& region : space.regions()) view.regions.push_back(region);
  for (const auto& task : process.tasks)
    view.tasks.push_back({task->id.value, task->comm, task->pending.set(), task->blocked});
  return view;
}

Sizes measure(const ProcessView& view) {
  Sizes sizes;
  for (const Region& region : view.regions) {
    const u64 bytes = region.size_bytes();
    sizes.total += bytes;
    if ((region.flags & MAP_GROWSDOWN) != 0)
      sizes.stack += bytes;
    else if (region.writable() && !region.shared())
      sizes.data += bytes;
    if (region.executable() && !region.writable()) sizes.executable += bytes;
  }
  const ImageLayout& image = view.numbers.image;
  sizes.program_code = page_ceil(image.code_end) - page_floor(image.code_start);
  return sizes;
}

void encode(const ProcessView& view, std::vector<u8>& out) {
  out.clear();
  put(Header{}, out);
  put(view.numbers, out);
  put_all(std::span(view.regions), out);
  put_all(std::span(view.tasks), out);
  put(u64{view.files.size()}, out);
  for (const MappedFile& file : view.files) {
    put(file.device_major, out);
    put(file.device_minor, out);
    put(file.inode, out);
    put_all(std::span(file.path), out);
  }
  const std::span<const u8> body = std::span(out).subspan(sizeof(Header));
  const Header header{body.size(), xxh64(body)};
  std::memcpy(out.data(), &header, sizeof header);
}

u64 view_bytes(std::span<const u8> head) {
  Header header;
  return cut(head, header) ? sizeof header + header.size_bytes : 0;
}

std::optional<ProcessView> decode_view(std::span<const u8> bytes) {
  Header header;
  if (!cut(bytes, header) || header.size_bytes > bytes.size()) return std::nullopt;
  bytes = bytes.first(header.size_bytes);
  ProcessView view;
  u64 files = 0;
  if (xxh64(bytes) != header.sum || !cut(bytes, view.numbers) || !cut_all(bytes, view.regions) ||
      !cut_all(bytes, view.tasks) || !cut(bytes, files))
    return std::nullopt;
  for (; files > 0; --files)
    if (!cut_file(bytes, view.files.emplace_back())) return std::nullopt;
  for (const Region& region : view.regions)
    if (region.file > view.files.size()) return std::nullopt;
  for (ProcessView::TaskView& task : view.tasks) task.comm.back() = '\0';  // whoever wrote them
  return view;
}

}  // namespace orrery::kernel
