#include "cli/recording_text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "cli/command.h"
#include "linux/signal_names.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string signal_word(int number) {
  if (const abi::SignalName* name = abi::find_signal(number)) return name->name;
  return "signal " + std::to_string(number);
}

/// One or two words, for a table.
const char* gap_words(trace::GapReason reason) {
  switch (reason) {
    case trace::GapReason::disk_full:
      return "disk full";
    case trace::GapReason::writer_lost:
      return "recorder killed";
    case trace::GapReason::bad_record:
      return "broken record";
    case trace::GapReason::no_memory:
      return "out of memory";
  }
  return "gap";
}

std::string formatted(const char* format, double value, const char* unit) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), format, value, unit);
  return text.data();
}

}  // namespace

std::string gap_reason(trace::GapReason reason) {
  switch (reason) {
    case trace::GapReason::disk_full:
      return "the disk was full";
    case trace::GapReason::writer_lost:
      return "the recorder was killed";
    case trace::GapReason::bad_record:
      return "the engine wrote a broken record";
    case trace::GapReason::no_memory:
      return "the recorder was out of memory";
  }
  return "events are missing";
}

std::string end_reason(const std::string& recording, const trace::TraceReader& reader) {
  if (reader.ending() == trace::Ending::damaged) return reader.trouble();
  auto info = trace::read_info(recording);
  if (info && info.value().gap) return gap_reason(*info.value().gap);
  if (info && info.value().fatal_signal)
    return "the program was killed by " + signal_word(*info.value().fatal_signal);
  if (reader.ending() == trace::Ending::cut) return reader.trouble();
  return "the program was killed";
}

std::optional<std::string> find_recording(const std::string& name) {
  std::string trouble;
  std::string path = trace::resolve_recording(name, trouble);
  if (!path.empty()) {
    (void)trace::settle_recording(path);  // where it cannot be written it is read as it is
    return path;
  }
  complain(printable(trouble));
  return std::nullopt;
}

std::string printable(std::string_view text) {
  constexpr const char* kDigits = "0123456789abcdef";
  const auto is_plain = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; };
  if (std::all_of(text.begin(), text.end(), is_plain)) return std::string(text);
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f)
      out += c;
    else
      out.append("\\x").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
  }
  return out;
}

std::string shell_words(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ' ';
    const bool plain =
        !word.empty() && word.find_first_of(" \t\n'\"\\$`&|;<>()*?[]{}#~!") == std::string::npos;
    if (plain) {
      out += word;
      continue;
    }
    out += '\'';
    for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    out += '\'';
  }
  return printable(out);
}

std::string human_bytes(u64 bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes);
  for (const char* unit : {"kB", "MB", "GB"}) {
    value /= 1000;
    if (value < 999.5) return formatted(value < 9.95 ? "%.1f %s" : "%.0f %s", value, unit);
  }
  return formatted("%.1f %s", value / 1000, "TB");
}

std::string milliseconds(double nanoseconds) { return formatted("%.3f %s", nanoseconds / 1e6, "ms"); }

std::string human_duration(u64 nanoseconds) {
  const double value = static_cast<double>(nanoseconds);
  if (value < 1e6) return formatted("%.0f %s", value / 1e3, "us");
  if (value < 1e9) return formatted("%.3g %s", value / 1e6, "ms");
  if (value < 120e9) return formatted("%.3g %s", value / 1e9, "s");
  if (value < 7200e9) return formatted("%.1f %s", value / 60e9, "min");
  return formatted("%.1f %s", value / 3600e9, "h");
}

std::string local_time(u64 realtime_ns) {
  const auto seconds = static_cast<time_t>(realtime_ns / 1'000'000'000);
  tm parts{};
  std::array<char, 64> text{};
  if (localtime_r(&seconds, &parts) == nullptr) return "?";
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return text.data();
}

std::string ending_words(const trace::RecordingInfo& info, bool being_written) {
  if (being_written) return "recording";
  if (info.gap) return gap_words(*info.gap);
  if (info.fatal_signal) return signal_word(*info.fatal_signal);
  if (info.exit_status) return "exit " + std::to_string(*info.exit_status);
  return info.state == trace::RecordingState::recording ? "never finished" : "killed";
}

Json recording_json(const trace::RecordingSummary& recording) {
  const trace::RecordingInfo& info = recording.info;
  Json json = {{"name", recording.name},
               {"path", recording.path},
               {"program", info.program},
               {"arguments", info.arguments},
               {"directory", info.directory},
               {"state", recording.being_written ? "recording" : trace::state_name(info.state)},
               {"ending", ending_words(info, recording.being_written)},
               {"exit_status", nullptr},
               {"fatal_signal", nullptr},
               {"gap", nullptr},
               {"started_ns", info.started_ns},
               {"duration_ns", info.duration_ns},
               {"pid", info.pid},
               {"processes", info.process_count},
               {"processes_killed", info.killed_count},
               {"events", info.event_count},
               {"event_bytes", info.raw_bytes},
               {"trace_bytes", info.trace_bytes},
               {"total_bytes", recording.sizes.total_bytes},
               {"shared_bytes", recording.sizes.shared_bytes},
               {"host", info.host},
               {"kernel", info.kernel},
               {"cpu", info.cpu},
               {"profile", info.profile},
               {"seed", nullptr},
               {"orrery", info.orrery_version}};
  if (info.exit_status) json["exit_status"] = *info.exit_status;
  if (info.fatal_signal) json["fatal_signal"] = *info.fatal_signal;
  if (info.gap) json["gap"] = static_cast<int>(*info.gap);
  if (info.seed) json["seed"] = *info.seed;
  return json;
}

void print_json(const Json& json) {
  std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

}  // namespace orrery::cli
