#include "cli/perfetto.h"

namespace orrery::cli {
namespace {

/// A protobuf message under construction (protobuf.dev, "Encoding").
class Message {
 public:
  Message& number(u32 field, u64 value) {
    varint(u64{field} << 3);
    varint(value);
    return *this;
  }
  Message& fixed(u32 field, u64 value) {
    varint(u64{field} << 3 | 1);
    for (int byte = 0; byte < 8; ++byte) bytes_.push_back(static_cast<char>(value >> (8 * byte)));
    return *this;
  }
  Message& text(u32 field, std::string_view value) {
    varint(u64{field} << 3 | 2);
    varint(value.size());
    bytes_.append(value);
    return *this;
  }
  Message& message(u32 field, const Message& inner) { return text(field, inner.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(u64 value) {
    while (value >= 0x80) {
      bytes_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    bytes_.push_back(static_cast<char>(value));
  }
  std::string bytes_;
};

// Field numbers of the .proto files.
constexpr u32 kTracePacket = 1;
constexpr u32 kPacketTimestamp = 8, kPacketSequence = 10, kPacketTrackEvent = 11, kPacketSequenceFlags = 13,
              kPacketTrack = 60;
constexpr u32 kTrackUuid = 1, kTrackProcess = 3, kTrackThread = 4, kTrackParent = 5;
constexpr u32 kProcessPid = 1, kProcessName = 6;
constexpr u32 kThreadPid = 1, kThreadTid = 2, kThreadName = 5;
constexpr u32 kEventAnnotations = 4, kEventType = 9, kEventTrack = 11, kEventName = 23, kEventFlow = 47;
constexpr u32 kAnnotationText = 6, kAnnotationName = 10;
constexpr u64 kSequenceStateCleared = 1;
constexpr u64 kSequence = 1;

u64 sign_extended(i32 value) { return static_cast<u64>(i64{value}); }

}  // namespace

void PerfettoWriter::packet(const std::string& bytes) {
  Message all;
  all.text(kTracePacket, bytes);
  std::fwrite(all.bytes().data(), 1, all.bytes().size(), out_);
}

void PerfettoWriter::process_track(u64 track, i32 pid, std::string_view name) {
  Message process;
  process.number(kProcessPid, sign_extended(pid)).text(kProcessName, name);
  Message descriptor;
  descriptor.number(kTrackUuid, track).message(kTrackProcess, process);
  packet(Message().message(kPacketTrack, descriptor).number(kPacketSequence, kSequence).bytes());
}

void PerfettoWriter::thread_track(u64 track, u64 process_track, i32 pid, i32 tid, std::string_view name) {
  Message thread;
  thread.number(kThreadPid, sign_extended(pid))
      .number(kThreadTid, sign_extended(tid))
      .text(kThreadName, name);
  Message descriptor;
  descriptor.number(kTrackUuid, track).message(kTrackThread, thread).number(kTrackParent, process_track);
  packet(Message().message(kPacketTrack, descriptor).number(kPacketSequence, kSequence).bytes());
}

void PerfettoWriter::slice(u64 track, u64 begin_ns, u64 end_ns, std::string_view name,
                           const Annotations& annotations) {
  event(track, begin_ns, EventType::slice_begin, name, annotations);
  event(track, end_ns, EventType::slice_end, "", {});
}

void PerfettoWriter::instant(u64 track, u64 time_ns, std::string_view name, const Annotations& annotations,
                             u64 flow) {
  event(track, time_ns, EventType::instant, name, annotations, flow);
}

void PerfettoWriter::event(u64 track, u64 time_ns, EventType type, std::string_view name,
                           const Annotations& annotations, u64 flow) {
  Message event;
  for (const auto& [key, value] : annotations)
    event.message(kEventAnnotations, Message().text(kAnnotationText, value).text(kAnnotationName, key));
  event.number(kEventType, static_cast<u64>(type)).number(kEventTrack, track);
  if (!name.empty()) event.text(kEventName, name);
  if (flow != kNoFlow) event.fixed(kEventFlow, flow);
  Message whole;
  whole.number(kPacketTimestamp, time_ns).number(kPacketSequence, kSequence);
  if (first_) whole.number(kPacketSequenceFlags, kSequenceStateCleared);
  first_ = false;
  packet(whole.message(kPacketTrackEvent, event).bytes());
}

}  // namespace orrery::cli
