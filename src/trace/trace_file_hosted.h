// REC/trace as a file: appended to by the writer process, read by everything else. docs/format.md is
// its specification.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "trace/chunk_hosted.h"
#include "trace/event_view.h"
#include "trace/format.h"
#include "trace/opened_trace_hosted.h"

namespace orrery::trace {

/// Appends chunks. After a failed append the file is as long as it was before, so what was written stays
/// readable.
class TraceAppender {
 public:
  /// Creates `path`, which must not exist, with mode 0600 and holds an exclusive flock(2) on it, by
  /// which others see that the recording is still being written.
  static Result<TraceAppender> create(const std::string& path, u64 started_ns);
  TraceAppender(TraceAppender&& other) noexcept;
  TraceAppender(const TraceAppender&) = delete;
  TraceAppender& operator=(const TraceAppender&) = delete;
  TraceAppender& operator=(TraceAppender&&) = delete;
  ~TraceAppender();

  /// Precondition as ChunkEncoder::encode.
  Status append(std::span<const u8> events, int zstd_level, u32 process = 0);
  /// The same for events that somebody else's ChunkEncoder made into a chunk.
  Status append_chunk(std::span<const u8> chunk);
  /// Lets others see that nothing more will be written.
  void unlock();
  /// Writes the index. Without it the file is complete too, but is read by scanning.
  Status finish();

  int fd() const { return fd_; }
  u64 stored_bytes() const { return end_; }
  u64 raw_bytes() const { return raw_bytes_; }
  u64 event_count() const { return event_count_; }

 private:
  explicit TraceAppender(int fd) : fd_(fd), encoder_(std::make_unique<ChunkEncoder>()) {}
  Status write_all(std::span<const u8> bytes);

  int fd_;
  std::unique_ptr<ChunkEncoder> encoder_;
  std::vector<IndexEntry> index_;
  u64 end_ = 0;
  u64 raw_bytes_ = 0;
  u64 event_count_ = 0;
};

enum class ReadStatus : u8 { event, end };

/// Reads the events of one process in order, from any number on. Never believes the file: whatever the bytes
/// are, it yields events that parse, or says where the damage is. After damage it yields what came before.
class TraceReader {
 public:
  /// Opens a recording's directory or a trace file to read the events of one process; a process that the
  /// trace does not have has none. On failure returns null and says why in `trouble`.
  static std::unique_ptr<TraceReader> open(const std::string& path, std::string& trouble, u32 process = 0);
  TraceReader(std::shared_ptr<const OpenedTrace> trace, u32 process);
  TraceReader(const TraceReader&) = delete;
  TraceReader& operator=(const TraceReader&) = delete;

  /// The next event; valid until the next call that reads or seeks. `end`: see ending().
  ReadStatus next(EventView& event);
  /// The same for who looks for some events only: chunks that hold none of these may be passed over, but not
  /// the last one. Others come, too.
  ReadStatus next_of(const EventChoice& choice, EventView& event);
  /// All events from the next one to the end of its chunk, as they stood in the ring; empty at the end.
  /// They count as read.
  std::span<const u8> next_run();
  /// Makes `number` the next event. False if it is not in the trace, or in a damaged chunk (see ending()).
  bool seek(u64 number);

  u32 process() const { return process_; }
  /// What the trace holds of other processes too.
  const std::shared_ptr<const OpenedTrace>& trace() const { return trace_; }
  u64 first_number() const { return chunks_.empty() ? 0 : chunks_.front().first_number; }
  /// One past the last event's number, as far as is known without reading all chunks.
  u64 end_number() const {
    return chunks_.empty() ? 0 : chunks_.back().first_number + chunks_.back().event_count;
  }
  u64 event_count() const { return end_number() - first_number(); }
  u64 file_bytes() const { return trace_->file_bytes(); }
  u64 started_ns() const { return trace_->started_ns(); }
  std::span<const IndexEntry> chunks() const { return chunks_; }

  /// Final only once next() has returned `end`: damage inside a chunk is found when it is read.
  Ending ending() const { return fault_.ending; }
  /// For people: "damaged at byte 123 of REC/trace: the chunk's checksum is wrong"; empty when clean.
  const std::string& trouble() const { return trouble_; }

 private:
  std::string read_stored(const IndexEntry& entry, ChunkHeader& header);
  bool load_chunk(u64 index);
  void end_before(u64 index, const std::string& trouble);
  bool skips_chunk(u64 index, const EventChoice& choice);
  void say_fault();

  std::shared_ptr<const OpenedTrace> trace_;
  u32 process_;
  std::span<const IndexEntry> chunks_;
  TraceFault fault_;
  std::string trouble_;

  ChunkDecoder decoder_;
  std::vector<u8> stored_;
  DecodedChunk decoded_;        ///< the one before next_chunk_
  std::span<const u8> events_;  ///< its events
  u64 at_ = 0;                  ///< in events_
  u64 next_chunk_ = 0;
};

}  // namespace orrery::trace
