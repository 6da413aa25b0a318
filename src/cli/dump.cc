// `orrery dump REC`: the events of a recording, one a line, as its file has them: what the outside
// answered. Arguments of system calls are not in a recording; with --calls a replay computes them again.
#include <cstdio>
#include <cstring>
#include <limits>

#include "cli/command.h"
#include "cli/dump_calls.h"
#include "cli/recording_text.h"
#include "cli/style.h"
#include "linux/error_names.h"
#include "linux/signal_names.h"
#include "linux/syscall_print.h"
#include "linux/syscall_table.h"
#include "trace/trace_file_hosted.h"

namespace orrery::cli {
namespace {

using trace::EventKind;
using trace::EventView;

struct DumpOptions {
  std::string recording;
  u64 from = 0;
  u64 count = std::numeric_limits<u64>::max();
  u64 bytes_most = 32;
  bool calls = false;
  bool json = false;
};

constexpr const char* kKindNames[] = {"none",       "start",       "syscall", "map",          "memory", "tsc",
                                      "cpu_number", "random",      "signal",  "exec",         "exit",   "gap",
                                      "more",       "file_change", "fork",    "memory_change"};
static_assert(std::size(kKindNames) == trace::kEventKindCount);

constexpr const char* kMemoryOperations[] = {"none", "map", "unmap", "protect", "move", "discard"};

std::string kind_name(EventKind kind) {
  const auto index = static_cast<u16>(kind);
  return index < trace::kEventKindCount ? kKindNames[index] : "kind " + std::to_string(index);
}

std::string call_name(u64 number) {
  const abi::SyscallRow* row = abi::find_syscall(number);
  return row != nullptr && row->name != nullptr ? row->name : "syscall_" + std::to_string(number);
}

std::string result_words(const abi::SyscallRow* row, i64 result) {
  if (row == nullptr) return " = " + std::to_string(result);
  Text text;
  abi::print_result(*row, result, text);
  return std::string(text.view());
}

std::string quoted(std::span<const u8> bytes, u64 bytes_most) {
  Text text;
  abi::print_bytes(bytes.first(std::min<u64>(bytes.size(), bytes_most)), text);
  return std::string(text.view()) + (bytes.size() > bytes_most ? "..." : "");
}

std::string file_words(const EventView& event) {
  trace::FileReference reference;
  if (event.payload.size() < sizeof reference) return "?";
  std::memcpy(&reference, event.payload.data(), sizeof reference);
  const auto path = event.payload.subspan(sizeof reference);
  std::string words = printable({reinterpret_cast<const char*>(path.data()), path.size()});
  if (reference.file_number == trace::kZeroPages) return words + " (zero pages)";
  return words + " (kept as files/" + std::to_string(reference.file_number) + ", " +
         human_bytes(reference.size_bytes) + ")";
}

std::string signal_word(i64 number) {
  const abi::SignalName* name = abi::find_signal(static_cast<int>(number));
  return name != nullptr ? name->name : "signal " + std::to_string(number);
}

std::string error_word(i64 result) {
  const abi::ErrorName* error =
      result < 0 && result > -4096 ? abi::find_error(static_cast<int>(-result)) : nullptr;
  return error != nullptr ? std::string("-1 ") + error->name + " (" + error->text + ")"
                          : std::to_string(result);
}

std::string exit_words(i64 result) {
  return (result & 0x100) != 0 ? "killed by " + signal_word(result & 0xff)
                               : "exit " + std::to_string(result & 0xff);
}

std::string memory_words(u16 operation) {
  return operation < std::size(kMemoryOperations) ? kMemoryOperations[operation]
                                                  : "operation " + std::to_string(operation);
}

std::string event_words(const EventView& event, u64 bytes_most) {
  const trace::EventHeader& header = *event.header;
  const std::string data = event.payload.empty() ? "" : "  " + quoted(event.payload, bytes_most);
  switch (header.kind) {
    case EventKind::syscall:
      return call_name(header.detail) + result_words(abi::find_syscall(header.detail), header.result) + data;
    case EventKind::map:
      return header.result < 0 ? "map = " + error_word(header.result) : "map " + file_words(event);
    case EventKind::memory:
      return "memory " + memory_words(header.detail) + " = " + error_word(header.result);
    case EventKind::signal:
      return header.result == 0 ? "quantum over" : "signal " + signal_word(header.result);
    case EventKind::exit:
      return exit_words(header.result);
    case EventKind::gap:
      return "gap: events are missing from here (reason " + std::to_string(header.result) + ")";
    case EventKind::random:
    case EventKind::more:
    case EventKind::file_change:
      return kind_name(header.kind) + " " + std::to_string(event.payload.size()) + " bytes" + data;
    default:
      return kind_name(header.kind) + " = " + std::to_string(header.result) + data;
  }
}

/// One JSON object a line, so that a reader need not hold all.
void print_event_json(const EventView& event) {
  const trace::EventHeader& header = *event.header;
  nlohmann::ordered_json json = {{"event", header.number}, {"kind", kind_name(header.kind)},
                                 {"task", header.task},    {"ticks", header.ticks},
                                 {"pc", header.pc},        {"time_ns", header.time_ns},
                                 {"result", header.result}};
  if (header.kind == EventKind::syscall) json["call"] = call_name(header.detail);
  if (header.kind == EventKind::memory) json["operation"] = memory_words(header.detail);
  if (header.kind == EventKind::map && header.result >= 0) json["file"] = file_words(event);
  json["payload_bytes"] = event.payload.size();
  json["words"] = event_words(event, 32);
  std::printf("%s\n", json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
}

int run_dump(const DumpOptions& options, const Session& session) {
  const auto path = find_recording(options.recording);
  if (!path) return kCannotRun;
  if (options.calls)
    return dump_calls(*path, {.from = options.from, .count = options.count, .json = options.json});
  std::string trouble;
  const auto reader = trace::TraceReader::open(*path, trouble);
  if (!reader) return complain(printable(trouble));
  const u64 from = std::max(options.from, reader->first_number());
  if (reader->event_count() != 0 && !reader->seek(from) && reader->ending() != trace::Ending::damaged)
    return complain("the recording's events are " + std::to_string(reader->first_number()) + " to " +
                        std::to_string(reader->end_number() - 1),
                    kUsage);
  const Style style = Style::for_stream(session.color, 1);
  if (!options.json)
    std::printf("%s\n", style.bold("   EVENT      TASK         TICKS       SECONDS  WHAT").c_str());
  EventView event;
  u64 first_time_ns = ~u64{0};
  for (u64 shown = 0; shown < options.count && reader->next(event) == trace::ReadStatus::event; ++shown) {
    const trace::EventHeader& header = *event.header;
    if (options.json) {
      print_event_json(event);
      continue;
    }
    if (first_time_ns == ~u64{0}) first_time_ns = reader->chunks().front().first_time_ns;
    std::printf("%8lu %9d %13lu %13.6f  %s\n", header.number, header.task, header.ticks,
                static_cast<double>(header.time_ns - first_time_ns) / 1e9,
                event_words(event, options.bytes_most).c_str());
  }
  if (reader->ending() == trace::Ending::damaged) return complain(printable(reader->trouble()), kFound);
  if (session.verbosity > 0 && !reader->trouble().empty()) complain(printable(reader->trouble()));
  return 0;
}

}  // namespace

void add_dump(CLI::App& app, Session& session) {
  auto options = std::make_shared<DumpOptions>();
  CLI::App* command = app.add_subcommand("dump", "Print the events of a recording");
  command->add_option("REC", options->recording,
                      "The recording: a name or a directory; the latest if left out");
  command->add_option("-n,--count", options->count, "Print at most this many");
  command->add_option("--from", options->from, "Begin at this event");
  command->add_option("-s,--string-limit", options->bytes_most, "Show at most this many bytes of data");
  command->add_flag("-c,--calls", options->calls, "Replay, and print the system calls as strace does");
  command->add_flag("--json", options->json, "Print one JSON object a line");
  set_examples(
      *command,
      "  orrery dump --calls\n  orrery dump -n 20\n  orrery dump grep-0 --from 100 --json | jq .call\n");
  command->callback([options, &session] { session.exit_code = run_dump(*options, session); });
}

}  // namespace orrery::cli
