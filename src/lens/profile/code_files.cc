#include "lens/profile/code_files.h"

#include <sys/mman.h>

#include <algorithm>

namespace orrery::lens::profile {

CodeFiles::Mapped::Mapped(ReplaySession& session, const elf::MappedRegion& region)
    : path(region.path),
      start(region.start),
      end(region.end),
      code_start(region.start),
      code_end(region.end),
      file(session, region),
      images(file, session.debug_files()),
      image(images.find(region.start)),
      table(image),
      numbers(table.all().size()) {
  if (image == nullptr) return;
  start = image->start;
  end = image->end;
  preparing = std::jthread([this](const std::stop_token& stop) { prepare(stop); });
}

void CodeFiles::Mapped::prepare(const std::stop_token& stop) {
  table.prepare_lines();
  std::unique_lock lock(mutex);
  while (is_expected.wait(lock, stop, [this] { return !expected.empty(); }) && !stop.stop_requested()) {
    const u64 pc = expected.back();
    expected.pop_back();
    lock.unlock();
    table.prepare_unit(pc);
    lock.lock();
  }
}

std::vector<u64> CodeFiles::look(ReplaySession& session) {
  std::vector<u64> entries;
  for (const elf::MappedRegion& region : session.regions()) {
    if ((region.protection & PROT_EXEC) == 0 || !region.path.starts_with("/")) continue;
    if (file_at(region.start) != nullptr) continue;
    files_.push_back(std::make_unique<Mapped>(session, region));
    for (const elf::TableFunction& function : files_.back()->table.all())
      if (!function.is_plt) entries.push_back(function.address);
  }
  return entries;
}

bool CodeFiles::overlap(u64 start, u64 end) const {
  return std::any_of(files_.begin(), files_.end(),
                     [&](const auto& file) { return file->code_start < end && start < file->code_end; });
}

void CodeFiles::forget(u64 start, u64 end) {
  std::erase_if(files_, [&](const auto& file) { return file->code_start < end && start < file->code_end; });
}

CodeFiles::Mapped* CodeFiles::file_at(u64 pc) const {
  for (const auto& file : files_)
    if (pc >= file->start && pc < file->end) return file.get();
  return nullptr;
}

void CodeFiles::expect(u64 pc) {
  Mapped* const file = file_at(pc);
  if (file == nullptr || !file->preparing.joinable()) return;
  const std::lock_guard lock(file->mutex);
  file->expected.push_back(pc);
  file->is_expected.notify_one();
}

CodePlace CodeFiles::find(ReplaySession& session, u64 pc) {
  Mapped* const file = file_at(pc);
  if (file == nullptr) {
    const elf::MappedRegion* const region = session.find_region(pc);
    return {.function = number_of_region(region != nullptr ? region->path : ""), .end = pc + 1};
  }
  file->settle();
  const elf::FilePlace place = file->table.place_of(pc);
  const elf::TableFunction* const function = file->table.find(pc);
  return {.function = number_in(*file, function),
          .file = place.source.file,
          .line = static_cast<u32>(std::max(0, place.source.line)),
          .inlined = place.inlined,
          .end = function == nullptr ? pc + 1 : std::min(place.end, function->end)};
}

u32 CodeFiles::function_at(u64 pc) {
  Mapped* const file = file_at(pc);
  if (file == nullptr) return 0;
  file->settle();
  return number_in(*file, file->table.find(pc));
}

const elf::TableFunction* CodeFiles::table_function_at(u64 pc) const {
  const Mapped* const file = file_at(pc);
  return file == nullptr ? nullptr : file->table.find(pc);
}

const elf::Image* CodeFiles::image_at(u64 address) const {
  Mapped* const file = file_at(address);
  if (file == nullptr) return nullptr;
  file->settle();
  return file->image;
}

u32 CodeFiles::number_in(Mapped& file, const elf::TableFunction* function) {
  u32& number =
      function == nullptr ? file.unknown : file.numbers[static_cast<u64>(function - file.table.all().data())];
  if (number != 0) return number;
  number = static_cast<u32>(functions_.size());
  Function& known = functions_.emplace_back(Function{.object = file.path});
  if (function == nullptr) return number;
  known.name = function->name;
  known.address = function->address - file.image->bias;
  const elf::FileLine place = file.table.line_of(function->address);
  if (place.file == nullptr) return number;
  known.file = *place.file;
  known.line = static_cast<u32>(std::max(0, place.line));
  return number;
}

u32 CodeFiles::number_of_region(const std::string& name) {
  for (const auto& [known, number] : regions_)
    if (known == name) return number;
  regions_.emplace_back(name, static_cast<u32>(functions_.size()));
  functions_.push_back({.object = name});
  return regions_.back().second;
}

}  // namespace orrery::lens::profile
