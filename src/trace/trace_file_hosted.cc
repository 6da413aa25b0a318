#include "trace/trace_file_hosted.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/hash.h"

namespace orrery::trace {
namespace {

template <class T>
std::span<const u8> bytes_of(const T& value) {
  return {reinterpret_cast<const u8*>(&value), sizeof value};
}

}  // namespace

// --- appending ---

Result<TraceAppender> TraceAppender::create(const std::string& path, u64 started_ns) {
  if (access(path.c_str(), F_OK) == 0) return Error{"creating the recording's trace", EEXIST};
  // It appears under its name when it is locked: a remover who came between the two would take it for one
  // that nobody writes any more.
  const std::string unlocked = path + ".new";
  const int fd = ::open(unlocked.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Error{"creating the recording's trace", errno};
  TraceAppender appender(fd);
  if (flock(fd, LOCK_EX) != 0) return Error{"locking the recording's trace", errno};
  if (rename(unlocked.c_str(), path.c_str()) != 0) return Error{"naming the recording's trace", errno};
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
  auto trace = OpenedTrace::open(path, trouble);
  return trace ? std::make_unique<TraceReader>(std::move(trace), process) : nullptr;
}

TraceReader::TraceReader(std::shared_ptr<const OpenedTrace> trace, u32 process)
    : trace_(std::move(trace)),
      process_(process),
      chunks_(trace_->chunks_of(process).entries),
      fault_(trace_->chunks_of(process).fault) {
  say_fault();
}

void TraceReader::say_fault() {
  if (fault_.ending == Ending::clean) return;
  if (fault_.offset == 0) {
    trouble_ = trace_->path() + " was not closed by its writer; it is whole up to its end";
    return;
  }
  const std::string whose = process_ == 0 ? "" : " of process #" + std::to_string(process_);
  trouble_ = (fault_.ending == Ending::cut ? "cut off at byte " : "damaged at byte ") +
             std::to_string(fault_.offset) + " of " + trace_->path() + ": " + fault_.what + "; the " +
             std::to_string(event_count()) + " events" + whose + " before are whole";
}

/// Leaves the chunk as it is stored in stored_. Returns an empty string, or what is wrong.
std::string TraceReader::read_stored(const IndexEntry& entry, ChunkHeader& header) {
  constexpr const char* kCut = "the file ends inside a chunk";
  if (!trace_->read_at(&header, sizeof header, entry.offset)) return kCut;
  if (std::string trouble = judge_chunk_header(header); !trouble.empty()) return trouble;
  if (header.process != process_ || header.first_number != entry.first_number ||
      header.event_count != entry.event_count)
    return "the chunk is not the one that the index names";
  stored_.resize(header.stored_bytes);
  return trace_->read_at(stored_.data(), stored_.size(), entry.offset + sizeof header) ? "" : kCut;
}

bool TraceReader::load_chunk(u64 index) {
  events_ = {};
  at_ = 0;
  if (index >= chunks_.size()) return false;
  const IndexEntry& entry = chunks_[index];
  decoded_ = trace_->decoded().find(entry.offset);
  if (!decoded_) {
    auto events = std::make_shared<std::vector<u8>>();
    ChunkHeader header;
    std::string trouble = read_stored(entry, header);
    if (trouble.empty()) trouble = decoder_.decode(header, stored_, *events);
    if (!trouble.empty()) {
      end_before(index, trouble);
      return false;
    }
    decoded_ = std::move(events);
    trace_->decoded().keep(entry.offset, decoded_);
  }
  events_ = *decoded_;
  return true;
}

/// The chunk is damaged.
void TraceReader::end_before(u64 index, const std::string& trouble) {
  fault_ = {Ending::damaged, chunks_[index].offset, trouble};
  chunks_ = chunks_.first(index);
  say_fault();
}

/// The last chunk is read in any case: it says where the process was at its end.
bool TraceReader::skips_chunk(u64 index, const EventChoice& choice) {
  if (index + 1 >= chunks_.size()) return false;
  std::optional<ChunkKinds> kinds = trace_->decoded().find_kinds(chunks_[index].offset);
  if (!kinds) {
    ChunkHeader header;
    const std::string trouble = read_stored(chunks_[index], header);
    if (!trouble.empty() || xxh64(stored_) != header.stored_checksum) return false;
    kinds = decoder_.kinds_in(header, stored_);
    trace_->decoded().keep_kinds(chunks_[index].offset, *kinds);
  }
  return !kinds->may_hold(choice);
}

ReadStatus TraceReader::next_of(const EventChoice& choice, EventView& event) {
  while (at_ == events_.size() && skips_chunk(next_chunk_, choice)) ++next_chunk_;
  return next(event);
}

ReadStatus TraceReader::next(EventView& event) {
  if (at_ == events_.size()) {
    if (!load_chunk(next_chunk_)) return ReadStatus::end;
    ++next_chunk_;
  }
  CHECK(parse_event(events_.subspan(at_), event) == ParseResult::event,
        "trace: a judged chunk does not parse");
  at_ += event.header->size_bytes;
  return ReadStatus::event;
}

std::span<const u8> TraceReader::next_run() {
  if (at_ == events_.size()) {
    if (!load_chunk(next_chunk_)) return {};
    ++next_chunk_;
  }
  const std::span<const u8> run = events_.subspan(at_);
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
