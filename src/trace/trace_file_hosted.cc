#include "trace/trace_file_hosted.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "base/hash.h"

namespace orrery::trace {
namespace {

template <class T>
std::span<const u8> bytes_of(const T& value) {
  return {reinterpret_cast<const u8*>(&value), sizeof value};
}

IndexEntry index_entry(const ChunkHeader& header, u64 offset) {
  return {.offset = offset,
          .first_number = header.first_number,
          .first_time_ns = header.first_time_ns,
          .last_time_ns = header.last_time_ns,
          .first_ticks = header.first_ticks,
          .event_count = header.event_count,
          .raw_bytes = header.raw_bytes,
          .process = header.process};
}

}  // namespace

// --- appending ---

Result<TraceAppender> TraceAppender::create(const std::string& path, u64 started_ns) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Error{"creating the recording's trace", errno};
  TraceAppender appender(fd);
  // Waits for nobody but one who just looks whether it is locked.
  while (flock(fd, LOCK_EX) != 0)
    if (errno != EINTR) return Error{"locking the recording's trace", errno};
  TraceFileHeader header;
  header.started_ns = started_ns;
  header.checksum = checksum_of(header);
  TRY(appender.write_all(bytes_of(header)));
  return appender;
}

TraceAppender::TraceAppender(TraceAppender&& other) noexcept
    : fd_(other.fd_),
      encoder_(std::move(other.encoder_)),
      index_(std::move(other.index_)),
      end_(other.end_),
      raw_bytes_(other.raw_bytes_),
      event_count_(other.event_count_) {
  other.fd_ = -1;
}

TraceAppender::~TraceAppender() {
  if (fd_ >= 0) close(fd_);
}

void TraceAppender::unlock() { flock(fd_, LOCK_UN); }

/// Appends all of it or nothing.
Status TraceAppender::write_all(std::span<const u8> bytes) {
  u64 done = 0;
  while (done < bytes.size()) {
    const ssize_t step =
        pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(end_ + done));
    if (step < 0 && errno == EINTR) continue;
    if (step <= 0) {
      const int error = step < 0 ? errno : ENOSPC;
      if (ftruncate(fd_, static_cast<off_t>(end_)) != 0)
        return Error{"taking back a half-written chunk", errno};
      return Error{"writing the recording's trace", error};
    }
    done += static_cast<u64>(step);
  }
  end_ += done;
  return Nothing{};
}

Status TraceAppender::append(std::span<const u8> events, int zstd_level, u32 process) {
  return append_chunk(encoder_->encode(events, zstd_level, process));
}

Status TraceAppender::append_chunk(std::span<const u8> chunk) {
  ChunkHeader header;
  std::memcpy(&header, chunk.data(), sizeof header);
  const u64 offset = end_;
  TRY(write_all(chunk));
  index_.push_back(index_entry(header, offset));
  raw_bytes_ += header.raw_bytes;
  event_count_ += header.event_count;
  return Nothing{};
}

Status TraceAppender::finish() {
  const auto* first = reinterpret_cast<const u8*>(index_.data());
  const std::span<const u8> entries(first, index_.size() * sizeof(IndexEntry));
  IndexHeader header;
  header.entry_count = static_cast<u32>(index_.size());
  header.entries_checksum = xxh64(entries);
  header.checksum = checksum_of(header);
  Trailer trailer;
  trailer.index_offset = end_;
  trailer.event_count = event_count_;
  trailer.checksum = checksum_of(trailer);
  std::vector<u8> all;
  for (const auto part : {bytes_of(header), entries, bytes_of(trailer)})
    all.insert(all.end(), part.begin(), part.end());
  return write_all(all);
}

// --- reading ---

std::unique_ptr<TraceReader> TraceReader::open(const std::string& path, std::string& trouble, u32 process) {
  struct stat status {};
  std::string file = path;
  if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) file += "/trace";
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    trouble = "cannot open " + file + ": " + std::strerror(errno);
    return nullptr;
  }
  std::unique_ptr<TraceReader> reader(new TraceReader(fd, file, process));
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    trouble = file + " is not a regular file";
    return nullptr;
  }
  // Tells `orrery rm` and `orrery gc` that it is in use. A writer's own lock is no reason not to read.
  flock(fd, LOCK_SH | LOCK_NB);
  reader->file_bytes_ = static_cast<u64>(status.st_size);
  if (!reader->read_file_header(trouble)) return nullptr;
  if (!reader->load_index()) reader->scan();
  return reader;
}

TraceReader::~TraceReader() { close(fd_); }

bool TraceReader::read_at(void* bytes, u64 size_bytes, u64 offset) const {
  if (size_bytes > file_bytes_ || offset > file_bytes_ - size_bytes) return false;
  u64 done = 0;
  while (done < size_bytes) {
    const ssize_t step =
        pread(fd_, static_cast<u8*>(bytes) + done, size_bytes - done, static_cast<off_t>(offset + done));
    if (step < 0 && errno == EINTR) continue;
    if (step <= 0) return false;
    done += static_cast<u64>(step);
  }
  return true;
}

bool TraceReader::read_file_header(std::string& trouble) {
  if (file_bytes_ == 0) {
    trouble = path_ + " is empty: its recorder was killed before the program began";
    return false;
  }
  TraceFileHeader header;
  if (!read_at(&header, sizeof header, 0) || header.magic != kTraceMagic) {
    trouble = path_ + " is no orrery trace: its first bytes are not those of one";
    return false;
  }
  if (header.version != kTraceVersion) {
    trouble = path_ + " has format version " + std::to_string(header.version) +
              "; this orrery reads version " + std::to_string(kTraceVersion);
    return false;
  }
  if (header.checksum != checksum_of(header) || header.header_bytes != sizeof header) {
    trouble = "damaged at byte 0 of " + path_ + ": the file header's checksum is wrong";
    return false;
  }
  started_ns_ = header.started_ns;
  return true;
}

/// Takes the chunks from the index, if the file has a good one.
bool TraceReader::load_index() {
  Trailer trailer;
  IndexHeader header;
  if (file_bytes_ < sizeof trailer + sizeof header + sizeof(TraceFileHeader)) return false;
  if (!read_at(&trailer, sizeof trailer, file_bytes_ - sizeof trailer) || trailer.magic != kTrailerMagic ||
      trailer.checksum != checksum_of(trailer) || !read_at(&header, sizeof header, trailer.index_offset) ||
      header.magic != kIndexMagic || header.checksum != checksum_of(header))
    return false;
  const u64 entries_bytes = u64{header.entry_count} * sizeof(IndexEntry);
  if (trailer.index_offset + sizeof header + entries_bytes + sizeof trailer != file_bytes_) return false;
  std::vector<IndexEntry> entries(header.entry_count);
  if (!read_at(entries.data(), entries_bytes, trailer.index_offset + sizeof header)) return false;
  if (xxh64({reinterpret_cast<const u8*>(entries.data()), entries_bytes}) != header.entries_checksum)
    return false;
  // A stranger can write good checksums over nonsense: offsets and numbers must make one row.
  u64 offset = sizeof(TraceFileHeader);
  u64 count = 0;
  std::map<u32, u64> next_numbers;
  for (const IndexEntry& entry : entries) {
    const u64 expected = next_numbers.try_emplace(entry.process, entry.first_number).first->second;
    const bool in_row = entry.offset >= offset && entry.offset < trailer.index_offset &&
                        entry.event_count != 0 && entry.first_number == expected;
    if (!in_row) return false;
    offset = entry.offset + sizeof(ChunkHeader);
    count += entry.event_count;
    next_numbers[entry.process] += entry.event_count;
  }
  if (count != trailer.event_count) return false;
  std::erase_if(entries, [this](const IndexEntry& entry) { return entry.process != process_; });
  chunks_ = std::move(entries);
  return true;
}

/// Finds the chunks of a trace without a good index by going from header to header. Bodies are checked
/// when they are read.
void TraceReader::scan() {
  chunks_.clear();
  u64 offset = sizeof(TraceFileHeader);
  ending_ = Ending::cut;
  trouble_ = path_ + " was not closed by its writer; it is whole up to its end";
  while (offset < file_bytes_) {
    ChunkHeader header;
    const u64 left = file_bytes_ - offset;
    if (left < sizeof header || !read_at(&header, sizeof header, offset)) {
      return end_at(chunks_.size(), Ending::cut, offset, "the file ends inside a chunk header");
    }
    if (header.magic == kIndexMagic) {
      // The chunks before it may be whole, yet the index is not what its writer wrote.
      return end_at(chunks_.size(), Ending::damaged, offset, "the index is cut or its checksum is wrong");
    }
    if (const std::string trouble = judge_chunk_header(header); !trouble.empty())
      return end_at(chunks_.size(), Ending::damaged, offset, trouble);
    const bool is_ours = header.process == process_;
    if (is_ours && !chunks_.empty() && header.first_number != end_number())
      return end_at(chunks_.size(), Ending::damaged, offset, "the chunk does not follow the one before");
    if (header.stored_bytes > left - sizeof header)
      return end_at(chunks_.size(), Ending::cut, offset, "the file ends inside a chunk");
    if (is_ours) chunks_.push_back(index_entry(header, offset));
    offset += sizeof header + header.stored_bytes;
  }
}

/// The trace ends before chunk `chunk`.
void TraceReader::end_at(u64 chunk, Ending ending, u64 offset, const std::string& what) {
  chunks_.resize(chunk);
  ending_ = ending;
  trouble_ = (ending == Ending::cut ? "cut off at byte " : "damaged at byte ") + std::to_string(offset) +
             " of " + path_ + ": " + what + "; the " + std::to_string(event_count()) +
             " events before are whole";
}

bool TraceReader::load_chunk(u64 index) {
  events_.clear();
  at_ = 0;
  if (index >= chunks_.size()) return false;
  const IndexEntry entry = chunks_[index];
  ChunkHeader header;
  std::string trouble = "the file ends inside a chunk";
  if (read_at(&header, sizeof header, entry.offset)) {
    trouble = judge_chunk_header(header);
    if (trouble.empty() && (header.process != entry.process || header.first_number != entry.first_number ||
                            header.event_count != entry.event_count))
      trouble = "the chunk is not the one that the index names";
  }
  if (trouble.empty()) {
    stored_.resize(header.stored_bytes);
    trouble = read_at(stored_.data(), stored_.size(), entry.offset + sizeof header)
                  ? decoder_.decode(header, stored_, events_)
                  : "the file ends inside a chunk";
  }
  if (trouble.empty()) return true;
  events_.clear();
  end_at(index, Ending::damaged, entry.offset, trouble);
  return false;
}

ReadStatus TraceReader::next(EventView& event) {
  if (at_ == events_.size()) {
    if (!load_chunk(next_chunk_)) return ReadStatus::end;
    ++next_chunk_;
  }
  CHECK(parse_event(std::span<const u8>(events_).subspan(at_), event) == ParseResult::event,
        "trace: a judged chunk does not parse");
  at_ += event.header->size_bytes;
  return ReadStatus::event;
}

std::span<const u8> TraceReader::next_run() {
  if (at_ == events_.size()) {
    if (!load_chunk(next_chunk_)) return {};
    ++next_chunk_;
  }
  const std::span<const u8> run = std::span<const u8>(events_).subspan(at_);
  at_ = events_.size();
  return run;
}

bool TraceReader::seek(u64 number) {
  if (number < first_number() || number >= end_number()) return false;
  const auto after =
      std::upper_bound(chunks_.begin(), chunks_.end(), number,
                       [](u64 wanted, const IndexEntry& entry) { return wanted < entry.first_number; });
  const u64 index = static_cast<u64>(after - chunks_.begin()) - 1;
  const u64 first = chunks_[index].first_number;
  if (!load_chunk(index)) return false;
  next_chunk_ = index + 1;
  EventView event;
  for (u64 skipped = first; skipped < number; ++skipped) next(event);
  return true;
}

}  // namespace orrery::trace
