#include "cli/callgrind.h"

#include <map>
#include <unordered_map>
#include <vector>

#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

using lens::profile::CallRow;
using lens::profile::FunctionRow;
using lens::profile::LineRow;

/// "(1) name" where a name stands first, "(1)" after that.
class Names {
 public:
  std::string of(const std::string& name) {
    const auto [known, added] = numbers_.try_emplace(name, numbers_.size() + 1);
    const std::string number = "(" + std::to_string(known->second) + ")";
    return added ? number + " " + printable(name) : number;
  }

 private:
  std::unordered_map<std::string, std::size_t> numbers_;
};

class Writer {
 public:
  Writer(const CallgrindProgram& program, std::FILE* out) : program_(program), out_(out) {
    for (const FunctionRow& row : program.rows.functions) functions_[row.function].row = &row;
    for (const LineRow& row : program.rows.lines) functions_[row.function].lines.push_back(&row);
    for (const CallRow& row : program.rows.calls)
      if (row.caller != 0) functions_[row.caller].calls.push_back(&row);
  }

  void write() {
    u64 instructions = 0, branches = 0, taken = 0;
    for (const LineRow& row : program_.rows.lines) {
      instructions += row.instructions + row.elements;
      branches += row.branches;
      taken += row.taken;
    }
    std::fprintf(out_,
                 "# callgrind format\nversion: 1\ncreator: orrery\npid: %d\ncmd: %s\npart: 1\n\n"
                 "positions: line\nevents: Ir Bc Bt\nsummary: %lu %lu %lu\n",
                 program_.pid, printable(program_.command).c_str(), instructions, branches, taken);
    for (const auto& [number, function] : functions_)
      if (function.row != nullptr) write(function);
    std::fprintf(out_, "\ntotals: %lu %lu %lu\n", instructions, branches, taken);
  }

 private:
  struct Function {
    const FunctionRow* row = nullptr;
    std::vector<const LineRow*> lines{};
    std::vector<const CallRow*> calls{};
  };

  /// Functions of one name may be several: statics of several files, or of several objects.
  static std::string name_of(const FunctionRow& row) { return row.name.value_or("???"); }
  std::string file_of(const FunctionRow& row) { return row.file.value_or("???"); }

  /// Costs of other files than the function's, which were inlined, stand behind fi= and fe=.
  void change_file(const std::string& file, const std::string& own) {
    if (file == file_) return;
    std::fprintf(out_, "%s=%s\n", file == own ? "fe" : "fi", files_.of(file).c_str());
    file_ = file;
  }

  void write(const Function& function) {
    if (function.lines.empty() && function.calls.empty()) return;
    const FunctionRow& row = *function.row;
    const std::string own = file_of(row);
    std::fprintf(out_, "\nob=%s\nfl=%s\nfn=%s\n", objects_.of(row.object.value_or("???")).c_str(),
                 files_.of(own).c_str(), names_.of(name_of(row)).c_str());
    file_ = own;
    for (const LineRow* line : function.lines) {
      const u64 instructions = line->instructions + line->elements;
      if (instructions == 0) continue;
      change_file(line->file.value_or(own), own);
      std::fprintf(out_, "%u %lu %lu %lu\n", line->line.value_or(0), instructions, line->branches,
                   line->taken);
    }
    for (const CallRow* call : function.calls) {
      const FunctionRow& callee = *functions_.at(call->callee).row;
      change_file(call->file.value_or(own), own);
      std::fprintf(out_, "cob=%s\ncfi=%s\ncfn=%s\ncalls=%lu %u\n%u %lu\n",
                   objects_.of(callee.object.value_or("???")).c_str(), files_.of(file_of(callee)).c_str(),
                   names_.of(name_of(callee)).c_str(), call->calls, callee.line.value_or(0),
                   call->line.value_or(0), call->inclusive);
    }
  }

  const CallgrindProgram& program_;
  std::FILE* out_;
  std::map<u32, Function> functions_;
  Names objects_, files_, names_;
  std::string file_;
};

}  // namespace

void write_callgrind(const CallgrindProgram& program, std::FILE* out) { Writer(program, out).write(); }

}  // namespace orrery::cli
