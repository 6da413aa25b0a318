// How recordings are named, found and put into words by the commands that handle them whole.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "trace/recordings_hosted.h"
#include "trace/trace_file_hosted.h"

namespace orrery::cli {

/// The directory that a REC argument means. Complains on stderr and gives nothing if there is none.
std::optional<std::string> find_recording(const std::string& name);

/// Recordings may come from strangers: what they say is shown without control characters.
std::string printable(std::string_view text);
/// The words of a command line as a shell would take them.
std::string shell_words(const std::vector<std::string>& words);
std::string human_bytes(u64 bytes);            ///< "12.3 MB"
std::string human_duration(u64 nanoseconds);   ///< "1.52 s"
std::string milliseconds(double nanoseconds);  ///< "1520.000 ms", for columns
std::string local_time(u64 realtime_ns);       ///< "2025-01-31 12:00:00"

/// Why events are missing, as "the disk was full".
std::string gap_reason(trace::GapReason reason);
/// Why a recording ends before its program did. `reader` has read it to its end.
std::string end_reason(const std::string& recording, const trace::TraceReader& reader);

/// How the run ended: "exit 0", "SIGSEGV", "recording", "recorder killed", "disk full".
std::string ending_words(const trace::RecordingInfo& info, bool being_written);

nlohmann::ordered_json recording_json(const trace::RecordingSummary& recording);
/// One document, for stdout. Strings that are no UTF-8 are shown with replacement characters.
void print_json(const nlohmann::ordered_json& json);

}  // namespace orrery::cli
