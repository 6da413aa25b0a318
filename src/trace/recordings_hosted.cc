#include "trace/recordings_hosted.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/hash.h"
#include "trace/descriptor_hosted.h"
#include "trace/format.h"
#include "trace/packed_files_hosted.h"
#include "trace/processes_hosted.h"
#include "trace/store_hosted.h"
#include "trace/trace_file_hosted.h"

namespace orrery::trace {
namespace {

namespace fs = std::filesystem;

constexpr u64 kLaunchBytesMost = 64 << 20;
const std::string kRemoving = ".removing-";

/// mkdir -p, with directories that only the owner may enter.
Status make_directories(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST)
      return Error{"making the directory for recordings", errno};
    if (slash == std::string::npos) return Nothing{};
  }
}

/// The part of a program's path that may name a directory.
std::string plain_name(std::string_view program) {
  std::string name(program.substr(program.find_last_of('/') + 1));
  std::erase_if(name, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (name.size() > 100) name.resize(100);
  return name.empty() || name[0] == '.' || name == "latest" ? "program" + name : name;
}

/// One more than the highest <name>-<n> there is.
u64 next_free_number(const std::string& directory, const std::string& name) {
  u64 next = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const std::string other = entry.path().filename();
    if (other.size() <= name.size() + 1 || !other.starts_with(name) || other[name.size()] != '-') continue;
    u64 number = 0;
    const char* digits = other.data() + name.size() + 1;
    const char* end = other.data() + other.size();
    const auto [stop, error] = std::from_chars(digits, end, number);
    if (error == std::errc{} && stop == end && number + 1 > next) next = number + 1;
  }
  return next;
}

Result<std::string> make_numbered(std::string_view program) {
  const std::string directory = recordings_directory();
  TRY(make_directories(directory));
  const std::string name = plain_name(program);
  for (u64 number = next_free_number(directory, name);; ++number) {
    std::string path = directory + "/" + name + "-" + std::to_string(number);
    if (mkdir(path.c_str(), 0700) == 0) return path;
    if (errno != EEXIST) return Error{"making the recording's directory", errno};
  }
}

Result<std::string> make_wanted(const std::string& wanted) {
  std::error_code error;
  const std::string path = fs::absolute(wanted, error).lexically_normal();
  if (error) return Error{"making the recording's directory", error.value()};
  if (mkdir(path.c_str(), 0700) == 0) return path;
  const int reason = errno;
  if (reason == EEXIST && fs::is_directory(path, error) && fs::is_empty(path, error)) return path;
  return Error{"making the recording's directory", reason};
}

/// Points `latest` at `target`, or away if that is empty. Replaced whole: there is always one or none.
void set_latest(const std::string& target) {
  const std::string link = recordings_directory() + "/latest";
  if (target.empty()) {
    unlink(link.c_str());
    return;
  }
  const std::string temporary = link + "." + std::to_string(getpid());
  unlink(temporary.c_str());
  if (symlink(target.c_str(), temporary.c_str()) != 0 || rename(temporary.c_str(), link.c_str()) != 0)
    unlink(temporary.c_str());
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

/// Calls `visit(path, status)` for each regular file below.
template <class Visit>
void for_each_file(const std::string& directory, Visit visit) {
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator at(directory, options, error), end; at != end; at.increment(error)) {
    struct stat status {};
    if (lstat(at->path().c_str(), &status) == 0 && S_ISREG(status.st_mode))
      visit(at->path().string(), status);
    if (error) return;
  }
}

/// Replaces one hard link by a copy.
Status unshare_file(const std::string& path) {
  const std::string temporary = path + ".unshared";
  LibcStoreCalls calls;
  const fs::path whole(path);
  const Descriptor directory(open(whole.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Descriptor from(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (directory.get() < 0 || from.get() < 0) return Error{"opening a kept file", errno};
  unlink(temporary.c_str());
  const i64 error =
      FileStore::copy_file(calls, from.get(), directory.get(), temporary.c_str() + temporary.rfind('/') + 1);
  if (error < 0) {
    unlink(temporary.c_str());
    return Error{"copying a kept file", static_cast<int>(-error)};
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) return Error{"replacing a kept file", errno};
  return Nothing{};
}

void verify_kept_file(const std::string& recording, u32 process, const EventView& event,
                      std::map<u32, u64>& seen, std::vector<std::string>& troubles) {
  const std::string whose = process == 0 ? "" : "process #" + std::to_string(process) + ", ";
  const std::string at = whose + "event " + std::to_string(event.header->number) + ": ";
  FileReference reference;
  if (event.payload.size() < sizeof reference) {
    troubles.push_back(at + "a file mapping without a file reference");
    return;
  }
  std::memcpy(&reference, event.payload.data(), sizeof reference);
  if (reference.file_number == kZeroPages) return;
  if (!seen.try_emplace(reference.file_number, reference.size_bytes).second) return;
  const std::string path = recording + "/files/" + file_name(reference.file_number).text;
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0)
    troubles.push_back(at + "the kept file is missing: " + path);
  else if (!S_ISREG(status.st_mode) || static_cast<u64>(status.st_size) != reference.size_bytes)
    troubles.push_back(at + "the kept file has another size than when it was kept: " + path);
}

/// What the processes of a trace whose writer was killed add up to.
void note_processes(RecordingInfo& info, const std::vector<TraceProcess>& processes) {
  info.process_count = processes.size();
  info.killed_count = info.event_count = info.raw_bytes = 0;
  u64 first_ns = ~u64{0}, last_ns = 0;
  for (const TraceProcess& process : processes) {
    if (process.process == 0 && process.last) note_end(info, *process.last);
    const bool told = process.last && (process.has_ended() || process.last->kind == EventKind::gap);
    info.killed_count += told ? 0 : 1;
    info.event_count += process.event_count;
    info.raw_bytes += process.raw_bytes;
    first_ns = std::min(first_ns, process.first_time_ns);
    last_ns = std::max(last_ns, process.last_time_ns);
  }
  if (last_ns > first_ns) info.duration_ns = last_ns - first_ns;
  // Whether the others were killed too or went on unrecorded, nobody knows.
  if (info.killed_count != 0 || info.state == RecordingState::recording) {
    info.state = RecordingState::gap;
    info.gap = GapReason::writer_lost;
  }
}

}  // namespace

std::string data_directory() {
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && data[0] == '/')
    return std::string(data) + "/orrery";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr && home[0] == '/' ? home : "/tmp") + "/.local/share/orrery";
}
std::string recordings_directory() { return data_directory() + "/recordings"; }
std::string store_directory() { return data_directory() + "/store"; }

Result<std::string> create_recording(std::string_view program, const std::string& wanted) {
  const std::string path = TRY(wanted.empty() ? make_numbered(program) : make_wanted(wanted));
  if (mkdir((path + "/files").c_str(), 0700) != 0) return Error{"making the recording's directory", errno};
  // A recording made elsewhere is still the latest; without a recordings directory there is no link.
  if (wanted.empty() || make_directories(recordings_directory())) set_latest(path);
  return path;
}

Result<int> open_store() {
  TRY(make_directories(store_directory()));
  const int fd = open(store_directory().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Error{"opening the content store", errno};
  return fd;
}

Result<int> open_files(const std::string& recording) {
  const int fd = open((recording + "/files").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Error{"opening the recording's files", errno};
  return fd;
}

Status keep_engine(const std::string& recording, const std::string& engine) {
  const Descriptor store(TRY(open_store()));
  const Descriptor directory(open(recording.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Descriptor from(open(engine.c_str(), O_RDONLY | O_CLOEXEC));
  if (directory.get() < 0 || from.get() < 0) return Error{"opening the engine", errno};
  LibcStoreCalls calls;
  FileReference reference;
  const i64 kept = FileStore(calls, store.get(), directory.get()).keep_as(from.get(), "engine", reference);
  if (kept < 0) return Error{"keeping the engine in the recording", static_cast<int>(-kept)};
  close(static_cast<int>(kept));
  return Nothing{};
}

Status write_launch(const std::string& recording, std::span<const u8> block) {
  LaunchFileHeader header;
  header.size_bytes = block.size();
  header.checksum = xxh64(block);
  std::vector<u8> all(sizeof header + block.size());
  std::memcpy(all.data(), &header, sizeof header);
  std::copy(block.begin(), block.end(), all.begin() + sizeof header);
  const Descriptor file(
      open((recording + "/launch").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file.get() < 0) return Error{"writing the recording's launch block", errno};
  const ssize_t written = write(file.get(), all.data(), all.size());
  if (written != static_cast<ssize_t>(all.size()))
    return Error{"writing the recording's launch block", written < 0 ? errno : ENOSPC};
  return Nothing{};
}

Result<std::vector<u8>> read_launch(const std::string& recording) {
  const std::string path = recording + "/launch";
  struct stat status {};
  if (stat(path.c_str(), &status) != 0 && errno == ENOENT)
    return Error{"the recording has no launch block: its recorder was killed before the program began", 0};
  if (!S_ISREG(status.st_mode)) return Error{"the recording's launch block is not a regular file", 0};
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{"reading the recording's launch block", errno};
  LaunchFileHeader header;
  file.read(reinterpret_cast<char*>(&header), sizeof header);
  if (!file || header.magic != kLaunchFileMagic)
    return Error{"the recording's launch block is damaged at byte 0", 0};
  if (header.version != kTraceVersion)
    return Error{"the recording's launch block has another format version", 0};
  if (header.size_bytes > kLaunchBytesMost)
    return Error{"the recording's launch block is damaged at byte 16", 0};
  std::vector<u8> block(header.size_bytes);
  file.read(reinterpret_cast<char*>(block.data()), static_cast<std::streamsize>(block.size()));
  if (!file || xxh64(block) != header.checksum)
    return Error{"the recording's launch block is damaged: its checksum is wrong", 0};
  return block;
}

std::string resolve_recording(const std::string& name, std::string& trouble) {
  const std::string in_default = recordings_directory() + "/" + (name.empty() ? "latest" : name);
  for (const std::string& candidate : {name, in_default}) {
    if (candidate.empty() || !is_recording(candidate)) continue;
    std::error_code error;
    const fs::path whole = fs::canonical(candidate, error);
    return error ? candidate : whole.string();
  }
  for (const std::string& candidate : {name, in_default})
    if (struct stat status{}; !candidate.empty() && stat((candidate + "/files").c_str(), &status) == 0) {
      trouble = "nothing is in " + candidate + ": its recorder was killed before the program began";
      return "";
    }
  trouble = name.empty()
                ? "there is no recording yet (in " + recordings_directory() +
                      "); make one with: orrery record -- PROGRAM"
                : "there is no recording `" + name + "`, neither here nor in " + recordings_directory();
  return "";
}

bool is_recording(const std::string& directory) {
  struct stat status {};
  return (stat((directory + "/trace").c_str(), &status) == 0 && S_ISREG(status.st_mode)) ||
         (stat((directory + "/info").c_str(), &status) == 0 && S_ISREG(status.st_mode));
}

bool is_being_written(const std::string& recording) {
  const Descriptor file(open((recording + "/trace").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  return file.get() >= 0 && flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

Status settle_recording(const std::string& recording) {
  RecordingInfo info = TRY(read_info(recording));
  if (info.state != RecordingState::recording || is_being_written(recording)) return Nothing{};
  std::string trouble;
  const auto trace = OpenedTrace::open(recording, trouble);
  if (!trace) return Error{"reading the recording's trace", 0};
  const std::vector<TraceProcess> processes = read_processes(trace);
  // Damage is not written down: it is found again, with its place.
  for (const TraceProcess& process : processes)
    if (process.ending == Ending::damaged) return Nothing{};
  note_processes(info, processes);
  info.trace_bytes = trace->file_bytes();
  return write_info(recording, info);
}

RecordingSizes measure_recording(const std::string& recording) {
  RecordingSizes sizes;
  for_each_file(recording, [&](const std::string&, const struct stat& status) {
    sizes.total_bytes += static_cast<u64>(status.st_size);
    if (status.st_nlink > 1) sizes.shared_bytes += static_cast<u64>(status.st_size);
  });
  return sizes;
}

std::vector<StoredFile> files_of_recording(const std::string& recording) {
  std::vector<StoredFile> files;
  for_each_file(recording, [&](const std::string&, const struct stat& status) {
    files.push_back({status.st_dev, status.st_ino, static_cast<u64>(status.st_size)});
  });
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

std::vector<RecordingSummary> list_recordings() {
  std::vector<RecordingSummary> all;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(recordings_directory(), ignored)) {
    const std::string path = entry.path();
    if (entry.is_symlink(ignored) || is_hidden(entry.path()) || !is_recording(path)) continue;
    (void)settle_recording(path);
    auto info = read_info(path);
    all.push_back({.name = entry.path().filename(),
                   .path = path,
                   .info = info ? info.take() : RecordingInfo{},
                   .being_written = is_being_written(path),
                   .sizes = measure_recording(path)});
  }
  std::sort(all.begin(), all.end(), [](const RecordingSummary& a, const RecordingSummary& b) {
    return a.info.started_ns != b.info.started_ns ? a.info.started_ns < b.info.started_ns : a.name < b.name;
  });
  return all;
}

Status remove_recording(const std::string& recording) {
  if (!is_recording(recording)) return Error{"removing: it is no recording", 0};
  if (is_being_written(recording)) return Error{"removing: it is being recorded now", 0};
  const Descriptor trace(open((recording + "/trace").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (trace.get() >= 0 && flock(trace.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return Error{"removing: it is being replayed or read now", 0};
  std::error_code error;
  const std::string latest = fs::read_symlink(recordings_directory() + "/latest", error);
  const bool was_latest = !error && fs::equivalent(latest, recording, error) && !error;
  // It goes at once for everybody else; what a crash leaves of it goes with the next `orrery gc`.
  const fs::path whole = fs::path(recording).lexically_normal();
  const fs::path hidden =
      whole.parent_path() / (kRemoving + whole.filename().string() + "." + std::to_string(getpid()));
  const bool renamed = rename(whole.c_str(), hidden.c_str()) == 0;
  fs::remove_all(renamed ? hidden : whole, error);
  if (error) return Error{"removing the recording", error.value()};
  if (was_latest) {
    const auto left = list_recordings();
    set_latest(left.empty() ? "" : left.back().path);
  }
  return Nothing{};
}

Result<u64> unshare_recording(const std::string& recording) {
  std::vector<std::string> shared;
  for_each_file(recording, [&](const std::string& path, const struct stat& status) {
    if (status.st_nlink > 1) shared.push_back(path);
  });
  for (const std::string& path : shared) TRY(unshare_file(path));
  return shared.size();
}

std::vector<std::string> verify_recording(const std::string& recording) {
  std::vector<std::string> troubles;
  std::string trouble;
  if (const auto trace = OpenedTrace::open(recording, trouble)) {
    EventView event;
    std::map<u32, u64> files;
    for (const auto& [process, chunks] : trace->processes()) {
      TraceReader reader(trace, process);
      while (reader.next(event) == ReadStatus::event)
        if (event.header->kind == EventKind::map && event.header->result >= 0)
          verify_kept_file(recording, process, event, files, troubles);
      if (reader.ending() == Ending::damaged) troubles.push_back(reader.trouble());
    }
    // Damage where no process has a chunk.
    if (trace->processes().empty() && trace->chunks_of(0).fault.ending == Ending::damaged)
      troubles.push_back(TraceReader(trace, 0).trouble());
  } else {
    troubles.push_back(trouble);
  }
  if (auto packed = PackedFiles::read(recording); !packed)
    troubles.push_back(packed.error().sentence);
  else
    std::ranges::move(packed.value().verify(), std::back_inserter(troubles));
  if (const auto launch = read_launch(recording); !launch) troubles.push_back(launch.error().doing);
  if (access((recording + "/engine").c_str(), R_OK) != 0)
    troubles.push_back("the engine that made it is missing");
  return troubles;
}

std::vector<KeptOriginal> list_kept_files(const std::string& recording) {
  std::map<u32, KeptOriginal> files;
  std::string trouble;
  const auto trace = OpenedTrace::open(recording, trouble);
  if (!trace) return {};
  EventView event;
  for (const auto& [process, chunks] : trace->processes()) {
    TraceReader reader(trace, process);
    while (reader.next(event) == ReadStatus::event) {
      FileReference file;
      if (event.header->kind != EventKind::map || event.payload.size() < sizeof file) continue;
      std::memcpy(&file, event.payload.data(), sizeof file);
      const auto path = event.payload.subspan(sizeof file);
      if (file.file_number != kZeroPages)
        files.try_emplace(file.file_number,
                          KeptOriginal{.path = std::string(path.begin(), path.end()),
                                       .kept = recording + "/files/" + file_name(file.file_number).text,
                                       .mtime_ns = file.mtime_ns});
    }
  }
  std::vector<KeptOriginal> list;
  for (auto& [number, file] : files) list.push_back(std::move(file));
  return list;
}

/// What a remover that was killed has left.
void finish_removals() {
  std::error_code ignored;
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(recordings_directory(), ignored))
    if (entry.path().filename().string().starts_with(kRemoving)) left.push_back(entry.path());
  for (const fs::path& path : left) fs::remove_all(path, ignored);
}

StoreUse tidy_store(bool remove, u64 unused_seconds_least) {
  if (remove) finish_removals();
  StoreUse use;
  const u64 now = static_cast<u64>(time(nullptr));
  for_each_file(store_directory(), [&](const std::string& path, const struct stat& status) {
    const u64 bytes = static_cast<u64>(status.st_size);
    ++use.entry_count;
    use.entry_bytes += bytes;
    const u64 changed = static_cast<u64>(status.st_ctim.tv_sec);  // also when its last link went
    if (status.st_nlink > 1 || now < changed + unused_seconds_least) return;
    if (remove && unlink(path.c_str()) != 0) return;
    ++use.unused_count;
    use.unused_bytes += bytes;
  });
  return use;
}

}  // namespace orrery::trace
