// `orrery dump REC`: the events of a recording, one a line, as its file has them: what the outside
// answered; of all processes in the order of time. Arguments of system calls are not in a recording; with
// --calls a replay computes them again.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <limits>
#include <map>
#include <set>

#include "cli/at_option.h"
#include "cli/command.h"
#include "cli/dump_calls.h"
#include "cli/process_option.h"
#include "cli/recording_text.h"
#include "cli/style.h"
#include "linux/error_names.h"
#include "linux/signal_names.h"
#include "linux/syscall_print.h"
#include "linux/syscall_table.h"
#include "trace/info_hosted.h"
#include "trace/processes_hosted.h"

namespace orrery::cli {
namespace {

using trace::EventKind;
using trace::EventView;

struct DumpOptions {
  std::string recording;
  std::string process;  ///< PID or #N; all if empty
  std::string at;       ///< an instant to begin at; the beginning if empty
  u64 from = 0;         ///< its event
  u64 count = std::numeric_limits<u64>::max();
  u64 bytes_most = 32;
  bool calls = false;
  bool json = false;
};

constexpr const char* kKindNames[] = {
    "none", "start", "syscall", "map",  "memory",      "tsc",  "cpu_number",    "random", "signal",
    "exec", "exit",  "gap",     "more", "file_change", "fork", "memory_change", "turn",   "meeting"};
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
  if (result == trace::kExitToNative) return "goes on natively";
  return (result & 0x100) != 0 ? "killed by " + signal_word(result & 0xff)
                               : "exit " + std::to_string(result & 0xff);
}

std::string memory_words(u16 operation) {
  return operation < std::size(kMemoryOperations) ? kMemoryOperations[operation]
                                                  : "operation " + std::to_string(operation);
}

std::string start_words(const EventView& event) {
  trace::ProcessStart start;
  if (event.payload.size() < sizeof start) return "start ?";
  std::memcpy(&start, event.payload.data(), sizeof start);
  return "start of process #" + std::to_string(start.process) + ", forked by #" +
         std::to_string(start.parent_process) + " (pid " + std::to_string(start.parent_pid) + ") in event " +
         std::to_string(start.parent_event);
}

std::string fork_words(const EventView& event) {
  trace::ForkedProcess forked;
  const std::string words = "fork = " + error_word(event.header->result);
  if (event.payload.empty()) return words;
  std::memcpy(&forked, event.payload.data(), std::min(event.payload.size(), sizeof forked));
  const char* borrows = (forked.flags & trace::kForkBorrows) != 0 ? ", which borrows the memory" : "";
  return words + "  process #" + std::to_string(forked.process) + borrows;
}

std::string exec_words(const EventView& event) {
  std::vector<std::string> words;
  const std::string_view all(reinterpret_cast<const char*>(event.payload.data()), event.payload.size());
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find('\0', at), all.size());
    words.emplace_back(all.substr(at, end - at));
    at = end + 1;
  }
  if (words.empty()) return "exec ?";
  const std::string path = printable(words.front());
  words.erase(words.begin());
  return "exec " + path + ": " + shell_words(words);
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
      if (header.result < 0) return "memory is shared";
      return header.result == 0 ? "quantum over" : "signal " + signal_word(header.result);
    case EventKind::exit:
      return exit_words(header.result);
    case EventKind::gap:
      return "gap: events are missing from here (reason " + std::to_string(header.result) + ")";
    case EventKind::start:
      return start_words(event);
    case EventKind::fork:
      return fork_words(event);
    case EventKind::exec:
      return exec_words(event);
    case EventKind::memory_change:
    case EventKind::random:
    case EventKind::more:
    case EventKind::file_change:
      return kind_name(header.kind) + " " + std::to_string(event.payload.size()) + " bytes" + data;
    default:
      return kind_name(header.kind) + " = " + std::to_string(header.result) + data;
  }
}

/// The recording's processes and which of them are wanted.
struct Selection {
  std::shared_ptr<const trace::OpenedTrace> trace;
  std::map<u32, i32> pids;  ///< by process number
  std::set<u32> wanted;
  u64 first_time_ns = ~u64{0};
};

Selection read_selection(const std::string& recording, std::shared_ptr<const trace::OpenedTrace> trace) {
  Selection selection{.trace = std::move(trace), .pids = {}, .wanted = {}};
  auto info = trace::read_info(recording);
  if (info) selection.pids[0] = info.value().pid;
  for (const trace::TraceProcess& process : trace::read_processes(selection.trace)) {
    if (process.start) selection.pids[process.process] = process.start->pid;
    selection.pids.try_emplace(process.process, 0);
    selection.first_time_ns = std::min(selection.first_time_ns, process.first_time_ns);
  }
  return selection;
}

/// One JSON object a line, so that a reader need not hold all.
void print_event_json(const EventView& event, u32 process, i32 pid) {
  const trace::EventHeader& header = *event.header;
  nlohmann::ordered_json json = {{"event", header.number}, {"kind", kind_name(header.kind)},
                                 {"process", process},     {"pid", pid},
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

/// Prints events as they come: of one process, or of many with the pid in front.
class Printer {
 public:
  Printer(const DumpOptions& options, const Selection& selection, const Style& style)
      : options_(options), selection_(selection), many_(selection.pids.size() > 1) {
    const std::string pid = many_ ? "     PID " : "";
    if (!options.json)
      std::printf("%s\n", style.bold(pid + "   EVENT      TASK         TICKS       SECONDS  WHAT").c_str());
  }
  bool full() const { return shown_ >= options_.count; }
  void print(const EventView& event, u32 process) {
    ++shown_;
    const i32 pid = selection_.pids.at(process);
    if (options_.json) return print_event_json(event, process, pid);
    const trace::EventHeader& header = *event.header;
    if (many_) std::printf("%8d ", pid);
    const u64 begin_ns = std::min(selection_.first_time_ns, header.time_ns);
    std::printf("%8lu %9d %13lu %13.6f  %s\n", header.number, header.task, header.ticks,
                static_cast<double>(header.time_ns - begin_ns) / 1e9,
                event_words(event, options_.bytes_most).c_str());
  }

 private:
  const DumpOptions& options_;
  const Selection& selection_;
  bool many_;
  u64 shown_ = 0;
};

int dump_one(const DumpOptions& options, const Selection& selection, u32 process, const Session& session) {
  trace::TraceReader reader(selection.trace, process);
  const u64 from = std::max(options.from, reader.first_number());
  if (reader.event_count() != 0 && !reader.seek(from) && reader.ending() != trace::Ending::damaged)
    return complain("the recording's events are " + std::to_string(reader.first_number()) + " to " +
                        std::to_string(reader.end_number() - 1),
                    kUsage);
  Printer printer(options, selection, Style::for_stream(session.color, 1));
  EventView event;
  while (!printer.full() && reader.next(event) == trace::ReadStatus::event) printer.print(event, process);
  if (reader.ending() == trace::Ending::damaged) return complain(printable(reader.trouble()), kFound);
  if (session.verbosity > 0 && !reader.trouble().empty()) complain(printable(reader.trouble()));
  return 0;
}

int dump_all(const DumpOptions& options, const Selection& selection, const Session& session) {
  if (options.from != 0)
    return complain("--from is an instant of one process: name it with -p (see orrery ps)", kUsage);
  trace::MergedReader reader(selection.trace, selection.wanted);
  Printer printer(options, selection, Style::for_stream(session.color, 1));
  EventView event;
  while (!printer.full() && reader.next(event) == trace::ReadStatus::event)
    printer.print(event, reader.process());
  if (reader.damaged() || session.verbosity > 0)
    for (const std::string& trouble : reader.troubles()) complain(printable(trouble));
  return reader.damaged() ? kFound : 0;
}

/// What --from means: an event to begin at, and for a replay the instant.
Fallible<std::optional<lens::ExactInstant>> begin_at(DumpOptions& options, const std::string& directory,
                                                     const Selection& selection) {
  std::optional<lens::ExactInstant> instant;
  if (options.at.empty()) return instant;
  const lens::InstantWord word = TRY(lens::parse_instant(options.at));
  const bool is_event = word.kind == lens::InstantWord::Kind::event;
  if (is_event) options.from = word.number;
  if (is_event && !options.calls) return instant;
  instant = TRY(find_instant(directory, options.at, selection.wanted));
  if (!is_event) options.from = instant->at.event;
  return instant;
}

int run_dump(DumpOptions& options, const Session& session) {
  const auto path = find_recording(options.recording);
  if (!path) return kCannotRun;
  std::string trouble;
  auto trace = trace::OpenedTrace::open(*path, trouble);
  if (!trace) return complain(printable(trouble));
  Selection selection = read_selection(*path, std::move(trace));
  if (!options.process.empty()) selection.wanted = choose_processes(selection.pids, options.process);
  if (!options.process.empty() && selection.wanted.empty()) return kUsage;
  auto from = begin_at(options, *path, selection);
  if (!from) return complain(printable(from.error().sentence), kUsage);
  const bool one = selection.wanted.size() == 1 || selection.pids.size() <= 1;
  const u32 process = selection.wanted.empty() ? 0 : *selection.wanted.begin();
  if (options.calls)
    return dump_calls(
        *path, {.process = process, .from = from.value(), .count = options.count, .json = options.json});
  return one ? dump_one(options, selection, process, session) : dump_all(options, selection, session);
}

}  // namespace

void add_dump(Arguments app, Session& session) {
  auto options = std::make_shared<DumpOptions>();
  const Arguments command = app.command("dump", "Print the events of a recording");
  add_recording_option(command, options->recording);
  command.option("-n,--count", options->count, "Print at most this many");
  command.option("-p,--process", options->process, kProcessWords);
  command
      .option("--from", options->at,
              std::string("Begin at this instant of the process. ") + lens::kInstantWords)
      .type_name("INSTANT");
  command.option("-s,--string-limit", options->bytes_most, "Show at most this many bytes of data");
  command.flag("-c,--calls", options->calls, "Replay, and print the system calls as strace does");
  command.flag("--json", options->json, "Print one JSON object a line");
  command.set_examples(
      "  orrery dump --calls\n  orrery dump --calls --from main\n  orrery dump -n 20\n  orrery dump "
      "grep-0 --from 100 --json | jq .call\n");
  command.run([options, &session] { session.exit_code = run_dump(*options, session); });
}

}  // namespace orrery::cli
