// `orrery show errors`: what the program did wrong with its heap: accesses of what no block has, wrong
// releases, and what was never given back.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/base_name.h"
#include "cli/command.h"
#include "cli/errors_report.h"
#include "cli/heap_words.h"
#include "cli/layer_options.h"
#include "cli/recording_text.h"
#include "cli/show.h"
#include "cli/style.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using lens::errors::CheckedRow;
using lens::errors::LeakRow;
using lens::errors::MemoryErrorRow;

constexpr std::size_t kShown = 20;
constexpr std::size_t kAll = 1000;

std::string bytes_words(u64 bytes) { return counted(bytes, "byte", "bytes"); }

std::string what_words(const MemoryErrorRow& error) {
  const std::string at = hexadecimal(error.address);
  if (error.kind == "double_free") return "Second release of the block " + at;
  if (error.kind == "invalid_free") return "Release of " + at + ", where no block begins";
  if (error.kind == "mismatched_free") return "Release of the block " + at + " by another kind of function";
  if (error.kind == "undefined_jump") return "A jump is decided by an undefined value";
  if (error.kind == "undefined_address") return "An access at an address that is undefined";
  if (error.kind == "undefined_argument")
    return "System call with an undefined value, or with memory that is";
  if (error.kind == "invalid_argument")
    return "System call with " + bytes_words(error.size_bytes) + " at " + at;
  return (error.kind == "invalid_read" ? "Invalid read of " : "Invalid write of ") +
         bytes_words(error.size_bytes) + " at " + at;
}

bool is_undefined(const MemoryErrorRow& error) { return error.kind.starts_with("undefined_"); }

std::string block_words(const MemoryErrorRow& error) {
  const std::string block = "a block of " + bytes_words(*error.block_bytes);
  const std::string gone = error.gone_pc ? " that was given back" : "";
  if (error.relation == "behind")
    return (*error.distance == 0 ? "right" : bytes_words(*error.distance)) + " behind " + block + gone;
  if (error.relation == "before") return bytes_words(*error.distance) + " before " + block + gone;
  return (*error.distance == 0 ? "the beginning of " : bytes_words(*error.distance) + " into ") + block +
         gone;
}

class Text {
 public:
  Text(const ErrorsReport& report, const Style& style, std::size_t most)
      : report_(report), style_(style), most_(most) {}

  void print() const {
    for (const CheckedRow& program : report_.programs) print_program(program);
  }

 private:
  void print_program(const CheckedRow& program) const {
    std::vector<const MemoryErrorRow*> errors;
    for (const MemoryErrorRow& error : report_.errors)
      if (error.process == program.process && error.program == program.program) errors.push_back(&error);
    std::printf("%s\n", style_
                            .bold("process #" + std::to_string(program.process) + ", program " +
                                  std::to_string(program.program))
                            .c_str());
    if (program.heap != "checked") {
      std::printf("  %s\n", printable(program.heap).c_str());
      return;
    }
    if (errors.empty()) std::printf("  no error of memory\n");
    for (std::size_t at = 0; at < std::min(errors.size(), most_); ++at) print_error(*errors[at]);
    if (errors.size() > most_)
      std::printf("\n  %s\n",
                  style_.dim("and " + std::to_string(errors.size() - most_) + " more: --all").c_str());
    print_leaks(program);
  }

  void print_stack(const RunPlace& place, const char* first) const {
    std::printf("%s", stack_lines(place, report_.stacks, first, style_).c_str());
  }

  void print_error(const MemoryErrorRow& error) const {
    std::printf("\n  %2u  %s%s\n", error.number, what_words(error).c_str(),
                error.times > 1 ? (", " + std::to_string(error.times) + " times").c_str() : "");
    print_stack(place_of(error), "at");
    if (is_undefined(error)) {
      const std::string at = error.address == 0 ? "" : " It was loaded from " + hexadecimal(error.address);
      if (!error.relation) {
        if (!at.empty()) std::printf("     %s, which is in no block of the heap.\n", at.c_str());
      } else {
        std::printf("     %s, %s; it was given out\n", at.c_str(), block_words(error).c_str());
        print_stack(made_place(error), "by");
      }
    } else if (!error.relation) {
      std::printf("      It is near no block that is known.\n");
    } else {
      std::printf("      This is %s; it was given out\n", block_words(error).c_str());
      print_stack(made_place(error), "by");
    }
    if (error.gone_pc) {
      std::printf("      and given back\n");
      print_stack(gone_place(error), "by");
    }
    std::printf("      %s\n", style_
                                  .dim("orrery show stack --at " + std::to_string(error.event) + "+" +
                                       std::to_string(error.ticks) + "  (" +
                                       milliseconds(static_cast<double>(error.time_ns)) + ")")
                                  .c_str());
  }

  void print_leaks(const CheckedRow& program) const {
    std::map<std::string, std::pair<u64, u64>> sums;
    for (const LeakSite& site : report_.sites) {
      if (site.first.process != program.process || site.first.program != program.program) continue;
      sums[site.first.kind].first += site.blocks;
      sums[site.first.kind].second += site.bytes;
    }
    if (sums.empty()) {
      std::printf("\n  all blocks were given back\n");
      return;
    }
    std::printf("\n  not given back at its end\n");
    static constexpr std::pair<const char*, const char*> kKinds[] = {
        {"definite", "lost: no pointer leads there"},
        {"indirect", "lost with them: only lost blocks lead there"},
        {"possible", "perhaps lost: only pointers into their midst lead there"},
        {"reachable", "still reachable"}};
    for (const auto& [kind, words] : kKinds)
      if (const auto sum = sums.find(kind); sum != sums.end())
        std::printf("%12s in %s %s\n", bytes_words(sum->second.second).c_str(),
                    blocks(sum->second.first).c_str(), words);
    std::size_t shown = 0;
    for (const LeakSite& site : report_.sites) {
      if (site.first.process != program.process || site.first.program != program.program) continue;
      if (site.first.kind != "reachable" && shown++ < most_) print_site(site);
    }
  }

  void print_site(const LeakSite& site) const {
    std::printf("\n      %s in %s, %s, given out\n", bytes_words(site.bytes).c_str(),
                blocks(site.blocks).c_str(),
                site.first.kind == "possible"   ? "perhaps lost"
                : site.first.kind == "indirect" ? "lost with others"
                                                : "lost");
    print_stack(place_of(site.first), "by");
  }

  const ErrorsReport& report_;
  const Style& style_;
  std::size_t most_;
};

// --- JSON ---

Json error_json(const ErrorsReport& report, const MemoryErrorRow& error) {
  Json json{{"process", error.process}, {"program", error.program}, {"number", error.number},
            {"kind", error.kind},       {"address", error.address}, {"size_bytes", error.size_bytes},
            {"times", error.times},     {"time_ns", error.time_ns}};
  if (error.function) json["function"] = *error.function;
  if (error.file) json["file"] = *error.file;
  if (error.line) json["line"] = *error.line;
  json["at"] = place_json(place_of(error), report.stacks);
  if (!error.relation) return json;
  json["block"] = {{"relation", *error.relation},
                   {"distance", *error.distance},
                   {"address", *error.block_address},
                   {"size_bytes", *error.block_bytes},
                   {"made", place_json(made_place(error), report.stacks)}};
  if (error.gone_pc) json["block"]["gone"] = place_json(gone_place(error), report.stacks);
  return json;
}

Json report_json(const ErrorsReport& report) {
  Json json{{"programs", Json::array()}, {"errors", Json::array()}, {"leaks", Json::array()}};
  for (const CheckedRow& program : report.programs)
    json["programs"].push_back({{"process", program.process},
                                {"program", program.program},
                                {"heap", program.heap},
                                {"blocks", program.blocks}});
  for (const MemoryErrorRow& error : report.errors) json["errors"].push_back(error_json(report, error));
  for (const LeakSite& site : report.sites) {
    Json leak{{"process", site.first.process},
              {"program", site.first.program},
              {"kind", site.first.kind},
              {"blocks", site.blocks},
              {"bytes", site.bytes}};
    if (site.first.function) leak["function"] = *site.first.function;
    if (site.first.file) leak["file"] = *site.first.file;
    if (site.first.line) leak["line"] = *site.first.line;
    leak["first"] = place_json(place_of(site.first), report.stacks);
    json["leaks"].push_back(std::move(leak));
  }
  return json;
}

// --- the command ---

Fallible<Nothing> show(const LayerOptions& options, const Session& session) {
  if (!options.at.empty()) return Failure("errors are those of the whole run: without --at");
  const std::size_t most = options.all ? kAll : kShown;
  const ErrorsReport report =
      TRY(read_errors(options.directory, options.condition(), most, Sought::undefined_too));
  if (options.json) {
    print_json(report_json(report));
    return Nothing{};
  }
  const Style style = Style::for_stream(session.color, STDOUT_FILENO);
  Text(report, style, most).print();
  return Nothing{};
}

}  // namespace

void add_show_errors(Arguments show_command, Session& session) {
  add_layer(
      show_command, session, "errors",
      "Invalid accesses of the heap, wrong releases, and blocks that were lost", show,
      "  orrery show errors                     each with the stacks of the access, its block and its "
      "release\n"
      "  orrery show errors --json\n"
      "  orrery query \"SELECT function, line, sum(size_bytes) FROM leak GROUP BY 1, 2 ORDER BY 3 DESC\"\n");
}

}  // namespace orrery::cli
