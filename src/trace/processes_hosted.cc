#include "trace/processes_hosted.h"

#include "trace/lineage_hosted.h"

namespace orrery::trace {
std::vector<TraceProcess> read_processes(const std::shared_ptr<const OpenedTrace>& trace) {
  std::vector<TraceProcess> all;
  for (const auto& [number, chunks] : trace->processes()) {
    TraceReader reader(trace, number);
    TraceProcess process{.process = number};
    for (const IndexEntry& entry : chunks.entries) process.raw_bytes += entry.raw_bytes;
    process.first_time_ns = chunks.entries.front().first_time_ns;
    process.last_time_ns = chunks.entries.back().last_time_ns;
    EventView event;
    if (number != 0) process.start = read_start(trace, number);
    if (reader.event_count() != 0 && reader.seek(reader.end_number() - 1) &&
        reader.next(event) == ReadStatus::event)
      process.last = *event.header;
    process.event_count = reader.event_count();
    process.ending = reader.ending();
    all.push_back(process);
  }
  return all;
}

MergedReader::MergedReader(std::shared_ptr<const OpenedTrace> trace, const std::set<u32>& only)
    : trace_(std::move(trace)) {
  for (const auto& [number, chunks] : trace_->processes())
    if (only.empty() || only.contains(number)) turns_.push({chunks.entries.front().first_time_ns, number});
}

/// Queues the next event of a process.
void MergedReader::advance(u32 process) {
  Stream& stream = streams_[process];
  if (stream.reader->next(stream.event) == ReadStatus::event) {
    turns_.push({stream.event.header->time_ns, process});
    return;
  }
  if (!stream.reader->trouble().empty()) troubles_.push_back(stream.reader->trouble());
  damaged_ = damaged_ || stream.reader->ending() == Ending::damaged;
  streams_.erase(process);
}

ReadStatus MergedReader::next(EventView& event) {
  if (started_) advance(process_);
  started_ = false;
  while (!turns_.empty()) {
    process_ = turns_.top().process;
    turns_.pop();
    Stream& stream = streams_[process_];
    if (!stream.reader) {
      stream.reader = std::make_unique<TraceReader>(trace_, process_);
      advance(process_);
      continue;
    }
    event = stream.event;
    started_ = true;
    return ReadStatus::event;
  }
  return ReadStatus::end;
}

}  // namespace orrery::trace
