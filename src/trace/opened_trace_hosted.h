// A trace file that is open for reading: where the chunks of each process lie, and how the file ends. Many
// readers may share one.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"
#include "trace/chunk_cache_hosted.h"
#include "trace/format.h"

namespace orrery::trace {

/// How a trace ends.
enum class Ending : u8 {
  clean,    ///< closed by its writer
  cut,      ///< not closed (the writer was killed, or still writes): whole up to its last flush
  damaged,  ///< bytes are wrong: whole up to there
};

/// Where and why a trace is not whole.
struct TraceFault {
  Ending ending = Ending::clean;
  u64 offset = 0;    ///< in the file; 0: it only was not closed
  std::string what;  ///< "the chunk header's checksum is wrong"
};

/// The chunks of one process, as far as they follow each other.
struct ProcessChunks {
  std::vector<IndexEntry> entries;
  TraceFault fault;  ///< by which they end
  u64 end_number() const {
    return entries.empty() ? 0 : entries.back().first_number + entries.back().event_count;
  }
};

/// What the index says of a chunk.
IndexEntry index_entry(const ChunkHeader& header, u64 offset);

class OpenedTrace {
 public:
  /// Opens a recording's directory or a trace file. On failure returns null and says why in `trouble`.
  static std::shared_ptr<const OpenedTrace> open(const std::string& path, std::string& trouble);
  OpenedTrace(const OpenedTrace&) = delete;
  OpenedTrace& operator=(const OpenedTrace&) = delete;
  ~OpenedTrace();

  const std::string& path() const { return path_; }
  u64 file_bytes() const { return file_bytes_; }
  u64 started_ns() const { return started_ns_; }
  /// By process number.
  const std::map<u32, ProcessChunks>& processes() const { return processes_; }
  /// No chunks and the file's own fault if the trace does not have the process.
  const ProcessChunks& chunks_of(u32 process) const;
  /// False if the file does not have all of it.
  bool read_at(void* bytes, u64 size_bytes, u64 offset) const;
  /// What its readers have decoded.
  ChunkCache& decoded() const { return *decoded_; }

 private:
  OpenedTrace(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  bool read_file_header(std::string& trouble);
  bool load_index();
  bool take_entries(std::span<const IndexEntry> entries, const Trailer& trailer);
  void scan();
  void take_chunk(const ChunkHeader& header, u64 offset);
  u64 find_chunk(u64 offset) const;
  void note_fault(Ending ending, u64 offset, const std::string& what);
  void close_processes();

  int fd_;
  std::string path_;
  u64 file_bytes_ = 0;
  u64 started_ns_ = 0;
  std::map<u32, ProcessChunks> processes_;
  ProcessChunks none_;  ///< its fault is the file's
  std::unique_ptr<ChunkCache> decoded_ = std::make_unique<ChunkCache>();
};

}  // namespace orrery::trace
