#include "lens/build/file_history.h"

#include <fcntl.h>
#include <linux/fs.h>

#include <algorithm>
#include <filesystem>

namespace orrery::lens::build {
namespace {

/// More are one: a log that many steps append to is no chain of artefacts.
constexpr u32 kVersionsMost = 64;

constexpr u64 kPageBytes = 4096;

/// Files that say how the machine is set up, or are no files at all.
bool is_machinery(const std::string& path) {
  constexpr std::string_view kBelow[] = {"/proc/", "/sys/", "/dev/", "/usr/lib/locale/",
                                         "/usr/share/locale/"};
  constexpr std::string_view kWithin[] = {"/gconv/", "/ld.so.cache"};
  return std::any_of(std::begin(kBelow), std::end(kBelow),
                     [&](std::string_view each) { return path.starts_with(each); }) ||
         std::any_of(std::begin(kWithin), std::end(kWithin),
                     [&](std::string_view each) { return path.find(each) != std::string::npos; });
}

}  // namespace

void FileHistory::play(const FileAction& action) {
  if (action.kind == ActionKind::begin) return begin(action);
  Process& process = processes_[action.process];
  switch (action.kind) {
    case ActionKind::begin:
      return;
    case ActionKind::fork:
      forks_[action.process].emplace_back(action.event, process);
      return;
    case ActionKind::exec:
      return become_program(process, action);
    case ActionKind::open:
      return open(process, action);
    case ActionKind::close:
    case ActionKind::close_on_exec:
      return close(process, action);
    case ActionKind::duplicate:
      return duplicate(process, action);
    case ActionKind::change_directory:
      process.directory = path_of(process, action.fd, action.path);
      return;
    case ActionKind::seek:
      if (Opening* opening = opening_of(process, action.fd)) opening->position = action.offset;
      return;
    case ActionKind::read:
      return read(process, action);
    case ActionKind::write:
      return write(process, action);
    case ActionKind::resize:
    case ActionKind::grow:
      return resize(process, action);
    case ActionKind::stat:
      return told_size(process, action);
    case ActionKind::rename:
    case ActionKind::link:
      return rename(process, action);
    case ActionKind::remove:
      return remove(process, action);
    case ActionKind::copy:
      return copy(process, action);
    case ActionKind::map:
      return map(process, action);
    case ActionKind::unmap:
      return unmap(process, action.address, action.size);
    case ActionKind::stored:
      return stored(process, action);
  }
}

// --- processes ---

void FileHistory::begin(const FileAction& action) {
  const TreeProcess& known = recording_.tree.at(action.process);
  Process& process = processes_[action.process];
  if (known.parent) {
    const auto& forks = forks_[*known.parent];
    for (const auto& [event, parent] : forks)
      if (event <= known.fork_event.value_or(0)) process = parent;
  } else {
    process.directory = recording_.info.directory;
  }
  process.programs = 0;
  process.step = steps_.of(action.process, 0);
  directories_.emplace(process.step, process.directory);
}

void FileHistory::become_program(Process& process, const FileAction& action) {
  std::erase_if(process.descriptors, [](const auto& each) { return each.second.close_on_exec; });
  process.mappings.clear();
  process.step = steps_.of(action.process, ++process.programs);
  directories_[process.step] = process.directory;
}

std::string FileHistory::directory_of(u32 step) const {
  const auto known = directories_.find(step);
  return known != directories_.end() ? known->second : "";
}

// --- descriptors and names ---

FileHistory::Opening* FileHistory::opening_of(Process& process, int fd) {
  const auto known = process.descriptors.find(fd);
  return known != process.descriptors.end() ? known->second.opening.get() : nullptr;
}

/// Absolute, and without "." and "..". Symbolic links stay as they are: what they led to is not recorded.
std::string FileHistory::path_of(const Process& process, int directory, const std::string& path) const {
  std::string base = process.directory;
  if (const auto known = process.descriptors.find(directory); known != process.descriptors.end())
    base = known->second.opening->path;
  std::string whole = (std::filesystem::path(base) / path).lexically_normal().string();
  if (whole.size() > 1 && whole.ends_with('/')) whole.pop_back();
  return whole;
}

FileHistory::FilePointer FileHistory::file_at(const std::string& path) {
  const auto known = files_.find(path);
  return known != files_.end() ? known->second : make_file(path);
}

FileHistory::FilePointer FileHistory::make_file(const std::string& path) {
  auto file = std::make_shared<File>();
  file->now = std::make_shared<Version>(Version{.path = path, .made_as = path});
  file->names = {path};
  versions_.push_back(file->now);
  files_[path] = file;
  return file;
}

void FileHistory::lose_name(const std::string& path, u64 time_ns, bool replaced) {
  const auto known = files_.find(path);
  if (known == files_.end()) return;
  File& file = *known->second;
  file.names.erase(path);
  if (file.names.empty()) {
    if (replaced) file.now->replaced = true;
    if (!replaced) file.now->removed_ns = time_ns;
  } else {
    file.now->path = *file.names.begin();
  }
  files_.erase(known);
}

void FileHistory::open(Process& process, const FileAction& action) {
  if ((action.flags & O_TMPFILE) == O_TMPFILE) return;
  const std::string path = path_of(process, action.fd, action.path);
  const bool empties = (action.flags & O_TRUNC) != 0 && (action.flags & O_ACCMODE) != O_RDONLY;
  const bool makes = (action.flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
  if (makes) lose_name(path, action.time_ns, true);
  auto opening = std::make_shared<Opening>(Opening{.file = file_at(path),
                                                   .path = path,
                                                   .number = ++openings_,
                                                   .append = (action.flags & O_APPEND) != 0,
                                                   .of_loader = action.from_loader,
                                                   .step = process.step});
  if (makes || empties) {
    Version& version = change(*opening->file, *opening, process.step, action.time_ns);
    version.fresh = true;
    version.content = {};
    version.kept_file.clear();
    set_size(version, 0);
  }
  process.descriptors[action.to_fd] = {opening, (action.flags & O_CLOEXEC) != 0};
}

void FileHistory::close(Process& process, const FileAction& action) {
  auto& descriptors = process.descriptors;
  const auto begin = descriptors.lower_bound(action.fd), end = descriptors.upper_bound(action.to_fd);
  if (action.kind == ActionKind::close) {
    descriptors.erase(begin, end);
    return;
  }
  for (auto each = begin; each != end; ++each) each->second.close_on_exec = action.flags != 0;
}

void FileHistory::duplicate(Process& process, const FileAction& action) {
  const auto known = process.descriptors.find(action.fd);
  if (known == process.descriptors.end()) {
    process.descriptors.erase(action.to_fd);
  } else if (action.fd != action.to_fd) {
    process.descriptors[action.to_fd] = {known->second.opening, action.flags != 0};
  }
}

void FileHistory::rename(Process& process, const FileAction& action) {
  const std::string from = path_of(process, action.fd, action.path);
  const std::string to = path_of(process, action.to_fd, action.to_path);
  if (from == to) return;
  const FilePointer file = file_at(from);
  if (action.kind == ActionKind::rename && (action.flags & RENAME_EXCHANGE) != 0) {
    const FilePointer other = file_at(to);
    std::swap(files_[from], files_[to]);
    std::swap(file->names, other->names);
    std::swap(file->now->path, other->now->path);
    return;
  }
  lose_name(to, action.time_ns, true);
  if (action.kind == ActionKind::rename) {
    file->names.erase(from);
    files_.erase(from);
    file->now->path = to;
  }
  file->names.insert(to);
  files_[to] = file;
}

void FileHistory::remove(Process& process, const FileAction& action) {
  lose_name(path_of(process, action.fd, action.path), action.time_ns, false);
}

// --- contents ---

/// The version that a change through `opening` goes to.
Version& FileHistory::change(File& file, const Opening& opening, u32 step, u64 time_ns) {
  Version& before = *file.now;
  const bool of_another = before.changed && before.step != step && file.writer != opening.number;
  const bool was_there = !before.changed && (before.content.known_bytes() != 0 || !before.kept_file.empty());
  const bool worth_keeping = was_there || (of_another && before.size.value_or(0) != 0);
  if (worth_keeping && file.versions < kVersionsMost) {
    file.now = std::make_shared<Version>(before);
    file.now->replaced = false;
    before.replaced = true;
    versions_.push_back(file.now);
    ++file.versions;
  }
  Version& version = *file.now;
  version.changed = true;
  version.kept_file.clear();
  version.step = step;
  version.written_ns = time_ns;
  file.writer = opening.number;
  return version;
}

void FileHistory::set_size(Version& version, u64 size) {
  if (version.size && size < *version.size) version.content.cut(size);
  version.size = size;
}

/// What a step reads of what it wrote itself is no input.
void FileHistory::use(u32 step, const Opening& opening) {
  const VersionPointer& version = opening.file->now;
  if (opening.of_loader || is_machinery(opening.path)) return;
  if (version->changed && version->step == step) return;
  if (used_.emplace(step, version.get()).second) uses_.push_back({step, version});
}

void FileHistory::read(Process& process, const FileAction& action) {
  Opening* opening = opening_of(process, action.fd);
  if (opening == nullptr) return;
  const u64 at = action.offset == kPosition ? opening->position : action.offset;
  if (action.offset == kPosition) opening->position += action.size;
  Version& version = *opening->file->now;
  if (!version.changed) {
    version.content.put(at, action.data);
    if (action.size == 0 && !version.size && version.content.covers(at)) version.size = at;
  }
  use(process.step, *opening);
}

void FileHistory::write(Process& process, const FileAction& action) {
  Opening* opening = opening_of(process, action.fd);
  if (opening == nullptr) return;
  Version& version = change(*opening->file, *opening, process.step, action.time_ns);
  const u64 end_now = version.size.value_or(0);
  const u64 at = opening->append ? end_now : action.offset == kPosition ? opening->position : action.offset;
  if (action.offset == kPosition) opening->position = at + action.size;
  version.content.put(at, action.data);
  if (!action.data.known) version.fresh = false;
  if (version.size || version.fresh) set_size(version, std::max(end_now, at + action.size));
}

void FileHistory::resize(Process& process, const FileAction& action) {
  const Opening by_path{
      .file = action.path.empty() ? nullptr : file_at(path_of(process, AT_FDCWD, action.path)),
      .number = ++openings_};
  const Opening* opening = action.path.empty() ? opening_of(process, action.fd) : &by_path;
  if (opening == nullptr) return;
  Version& version = change(*opening->file, *opening, process.step, action.time_ns);
  const bool grows = action.kind == ActionKind::grow;
  if (grows && version.size.value_or(0) >= action.size) return;
  if (!grows && action.size == 0) version.fresh = true;
  set_size(version, action.size);
}

void FileHistory::told_size(Process& process, const FileAction& action) {
  Opening* opening = opening_of(process, action.fd);
  if (opening == nullptr) return;
  Version& version = *opening->file->now;
  if (!version.changed || !version.size) version.size = action.size;
}

void FileHistory::copy(Process& process, const FileAction& action) {
  Opening* from = opening_of(process, action.fd);
  Opening* to = opening_of(process, action.to_fd);
  if (from == nullptr) return;
  const u64 at = action.offset == kPosition ? from->position : action.offset;
  if (action.offset == kPosition) from->position += action.size;
  use(process.step, *from);
  if (to == nullptr) return;
  const u64 to_at = action.to_offset == kPosition ? to->position : action.to_offset;
  if (action.to_offset == kPosition) to->position = to_at + action.size;
  Version& version = change(*to->file, *to, process.step, action.time_ns);
  const Version& source = *from->file->now;
  version.content.put(to_at, source.content, at, action.size);
  // The bytes went by in the kernel: of a file that nobody was seen to read they are not known.
  if (!source.fresh && !source.content.covers(at + action.size)) version.fresh = false;
  set_size(version, std::max(version.size.value_or(0), to_at + action.size));
}

void FileHistory::map(Process& process, const FileAction& action) {
  const auto known = process.descriptors.find(action.fd);
  if (known == process.descriptors.end()) return;
  const std::shared_ptr<Opening>& opening = known->second.opening;
  unmap(process, action.address, action.size);
  process.mappings[action.address] = {opening, action.size, action.offset};
  Version& version = *opening->file->now;
  if (!version.changed && version.kept_file.empty()) version.kept_file = action.to_path;
  if (!action.from_loader) use(process.step, *opening);
}

/// What lies before and behind stays mapped.
void FileHistory::unmap(Process& process, u64 address, u64 size_bytes) {
  const u64 size = (size_bytes + kPageBytes - 1) / kPageBytes * kPageBytes, end = address + size;
  auto mapping = process.mappings.lower_bound(address);
  if (mapping != process.mappings.begin()) --mapping;
  while (mapping != process.mappings.end() && mapping->first < end) {
    const u64 start = mapping->first, mapped_end = start + mapping->second.size;
    if (mapped_end <= address) {
      ++mapping;
      continue;
    }
    const Mapping whole = mapping->second;
    mapping = process.mappings.erase(mapping);
    if (start < address) process.mappings[start] = {whole.opening, address - start, whole.offset};
    if (mapped_end > end)
      process.mappings[end] = {whole.opening, mapped_end - end, whole.offset + (end - start)};
  }
}

void FileHistory::stored(Process& process, const FileAction& action) {
  auto mapping = process.mappings.upper_bound(action.address);
  if (mapping == process.mappings.begin()) return;
  --mapping;
  const auto& [opening, size, offset] = mapping->second;
  if (action.address >= mapping->first + size) return;
  Version& version = change(*opening->file, *opening, process.step, action.time_ns);
  // A mapping reaches to the end of its last page, and what lies there beyond the file is nobody's.
  const u64 at = offset + (action.address - mapping->first);
  const u64 end = version.size.value_or(0);
  if (at >= end) return;
  Data data = action.data;
  data.size = std::min({data.size, end - at, size - (action.address - mapping->first)});
  version.content.put(at, data);
  if (!data.known) version.fresh = false;
}

}  // namespace orrery::lens::build
