// Finding the chunks.
//
// A trace that was closed has an index. Without a good one the chunks are found by going from header to
// header; where a header is broken, the next place is looked for where a chunk's magic and header checksum
// are right. So damage costs the process whose chunk it hit the rest of its events, since they are numbered
// without holes, and the other processes nothing. Whose chunk was lost is not known, so all are said to end
// damaged; which ones went on behind the place can be seen from their numbers. Bodies of chunks are checked
// when they are read.
#include "trace/opened_trace_hosted.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/hash.h"
#include "trace/chunk_hosted.h"

namespace orrery::trace {

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

std::shared_ptr<const OpenedTrace> OpenedTrace::open(const std::string& path, std::string& trouble) {
  struct stat status {};
  std::string file = path;
  if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) file += "/trace";
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    trouble = "cannot open " + file + ": " + std::strerror(errno);
    return nullptr;
  }
  std::shared_ptr<OpenedTrace> opened(new OpenedTrace(fd, file));
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    trouble = file + " is not a regular file";
    return nullptr;
  }
  // Tells `orrery rm` and `orrery gc` that it is in use. A writer's own lock is no reason not to read.
  flock(fd, LOCK_SH | LOCK_NB);
  opened->file_bytes_ = static_cast<u64>(status.st_size);
  if (!opened->read_file_header(trouble)) return nullptr;
  if (!opened->load_index()) opened->scan();
  return opened;
}

OpenedTrace::~OpenedTrace() { close(fd_); }

const ProcessChunks& OpenedTrace::chunks_of(u32 process) const {
  const auto found = processes_.find(process);
  return found != processes_.end() ? found->second : none_;
}

bool OpenedTrace::read_at(void* bytes, u64 size_bytes, u64 offset) const {
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

bool OpenedTrace::read_file_header(std::string& trouble) {
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
bool OpenedTrace::load_index() {
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
  if (take_entries(entries, trailer)) return true;
  processes_.clear();
  return false;
}

/// A stranger can write good checksums over nonsense: offsets and each process's numbers must make one row.
bool OpenedTrace::take_entries(std::span<const IndexEntry> entries, const Trailer& trailer) {
  u64 offset = sizeof(TraceFileHeader);
  u64 count = 0;
  for (const IndexEntry& entry : entries) {
    ProcessChunks& process = processes_[entry.process];
    const bool follows = process.entries.empty() || entry.first_number == process.end_number();
    if (entry.offset < offset || entry.offset >= trailer.index_offset || entry.event_count == 0 || !follows)
      return false;
    process.entries.push_back(entry);
    offset = entry.offset + sizeof(ChunkHeader);
    count += entry.event_count;
  }
  return count == trailer.event_count;
}

void OpenedTrace::scan() {
  u64 offset = sizeof(TraceFileHeader);
  while (offset < file_bytes_) {
    ChunkHeader header;
    const u64 left = file_bytes_ - offset;
    if (left < sizeof header || !read_at(&header, sizeof header, offset)) {
      note_fault(Ending::cut, offset, "the file ends inside a chunk header");
      break;
    }
    if (header.magic == kIndexMagic) {
      // The chunks before it may be whole, yet the index is not what its writer wrote.
      note_fault(Ending::damaged, offset, "the index is cut or its checksum is wrong");
      break;
    }
    if (const std::string trouble = judge_chunk_header(header); !trouble.empty()) {
      note_fault(Ending::damaged, offset, trouble);
      offset = find_chunk(offset + 1);
      continue;
    }
    if (header.stored_bytes > left - sizeof header) {
      note_fault(Ending::cut, offset, "the file ends inside a chunk");
      break;
    }
    take_chunk(header, offset);
    offset += sizeof header + header.stored_bytes;
  }
  if (none_.fault.ending == Ending::clean) none_.fault.ending = Ending::cut;
  close_processes();
}

void OpenedTrace::take_chunk(const ChunkHeader& header, u64 offset) {
  const bool after_damage = none_.fault.ending != Ending::clean;
  ProcessChunks& process = processes_[header.process];
  if (process.fault.ending != Ending::clean) return;
  const bool is_first = process.entries.empty();
  // The first chunk of a process that is met behind damage may not be its first.
  const bool follows =
      is_first ? !after_damage || header.first_number == 0 : header.first_number == process.end_number();
  if (follows) {
    process.entries.push_back(index_entry(header, offset));
  } else if (after_damage) {
    process.fault = none_.fault;
  } else {
    process.fault = {Ending::damaged, offset, "the chunk does not follow the one before"};
  }
}

/// Where the next chunk may begin, from `offset` on; the end of the file if there is none.
u64 OpenedTrace::find_chunk(u64 offset) const {
  constexpr u64 kBlockBytes = 1 << 20;
  std::vector<u8> block;
  while (offset + sizeof(ChunkHeader) <= file_bytes_) {
    block.resize(std::min(kBlockBytes, file_bytes_ - offset));
    if (!read_at(block.data(), block.size(), offset)) return file_bytes_;
    const u8* end = block.data() + block.size();
    for (const u8* at = block.data(); at != end; ++at) {
      at = static_cast<const u8*>(memmem(at, static_cast<u64>(end - at), &kChunkMagic, sizeof kChunkMagic));
      if (at == nullptr) break;
      ChunkHeader header;
      const u64 place = offset + static_cast<u64>(at - block.data());
      if (read_at(&header, sizeof header, place) && judge_chunk_header(header).empty()) return place;
    }
    // A magic may lie across the end of the block.
    offset += block.size() < kBlockBytes ? block.size() : block.size() - sizeof kChunkMagic + 1;
  }
  return file_bytes_;
}

/// The first one counts.
void OpenedTrace::note_fault(Ending ending, u64 offset, const std::string& what) {
  if (none_.fault.ending == Ending::clean) none_.fault = {ending, offset, what};
}

/// Where a process's chunks go on to the end of the file they end as the file does.
void OpenedTrace::close_processes() {
  std::erase_if(processes_, [](const auto& process) { return process.second.entries.empty(); });
  for (auto& [number, process] : processes_)
    if (process.fault.ending == Ending::clean) process.fault = none_.fault;
}

}  // namespace orrery::trace
