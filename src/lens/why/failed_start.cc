// The program never ran an instruction: execve(2) would have refused it. No replay helps here; the file is
// looked at as it is now, with the same rules (fs/binfmt_elf.c, fs/binfmt_script.c).
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "elf/image.h"
#include "elf/images_hosted.h"
#include "lens/why/verdict.h"

namespace orrery::lens::why {
namespace {

constexpr int kScriptsDeepMost = 5;  // as the kernel: a script may be interpreted by a script

std::string head_of(const std::string& path) {
  std::string head(elf::kHeadBytes, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<u64>(file.gcount()));
  return head;
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

/// The interpreter of a #! line, as the kernel reads it: a carriage return belongs to the name.
std::string script_interpreter(const std::string& head) {
  const auto line_end = std::min(head.find('\n'), head.size());
  const auto start = head.find_first_not_of(" \t", 2);
  if (start == std::string::npos || start >= line_end) return "";
  const auto end = std::min(head.find_first_of(" \t\n", start), line_end);
  return head.substr(start, end - start);
}

void explain_script(const std::string& path, const std::string& head, Verdict& verdict) {
  std::string interpreter = script_interpreter(head);
  verdict.category = Category::missing_interpreter;
  if (interpreter.empty()) {
    verdict.headline += "its first line, #!, names no interpreter.";
    return;
  }
  if (interpreter.back() == '\r') {
    interpreter.pop_back();
    verdict.headline += "its first line ends with a carriage return (a Windows line end).";
    verdict.sentences.push_back("The kernel looks for \"" + interpreter + "\\r\", which is not there.");
    verdict.hints.push_back({"sed -i 's/\\r$//' " + path, "turn the line ends into Unix ones"});
    return;
  }
  if (!exists(interpreter)) {
    verdict.headline += "its interpreter " + interpreter + " is missing.";
    verdict.sentences.push_back(path + " is a script; its first line is " +
                                quote(head.substr(0, head.find('\n')), 120) + ".");
    return;
  }
  verdict.category = Category::not_executable;
  verdict.headline += "its interpreter " + interpreter + " cannot be run.";
}

void explain_elf(const std::string& path, const std::string& head, Verdict& verdict) {
  const elf::Header header = elf::read_header({reinterpret_cast<const u8*>(head.data()), head.size()});
  if (header.verdict != elf::HeaderVerdict::good) {
    verdict.category = Category::not_executable;
    verdict.headline += std::string("it is ") + std::string(elf::describe(header.verdict)) + ".";
    return;
  }
  const std::string interpreter = elf::read_dynamic_names(path).interpreter;
  if (!interpreter.empty() && !exists(interpreter)) {
    verdict.category = Category::missing_interpreter;
    verdict.headline += "its program interpreter " + interpreter + " is missing.";
    verdict.sentences.push_back(path + " names it in PT_INTERP: the loader that maps its libraries.");
    verdict.sentences.push_back(
        "The program was built for another system, or the loader's package is not installed.");
    return;
  }
  verdict.category = Category::not_executable;
  verdict.headline += "its ELF file cannot be loaded.";
}

void explain_file(const std::string& path, Verdict& verdict) {
  struct stat status {};
  if (path.empty() || stat(path.c_str(), &status) != 0) {
    verdict.category = Category::missing_program;
    verdict.headline += "there is no such file: " + path + ".";
    return;
  }
  verdict.category = Category::not_executable;
  if (S_ISDIR(status.st_mode)) {
    verdict.headline += path + " is a directory.";
    return;
  }
  const std::string head = head_of(path);
  if ((status.st_mode & 0111) == 0) {
    verdict.headline += path + " is not marked as executable.";
    verdict.hints.push_back({"chmod +x " + path, "mark it"});
  } else if (head.starts_with("#!")) {
    explain_script(path, head, verdict);
  } else if (head.starts_with("\x7f"
                              "ELF")) {
    explain_elf(path, head, verdict);
  } else if (head.empty()) {
    verdict.headline += path + " is empty.";
  } else {
    verdict.headline += path + " is neither an ELF file nor a script that begins with #!.";
  }
}

/// The file at fault: a script's interpreter may itself be the one.
std::string file_at_fault(const std::string& program) {
  std::string path = program;
  for (int depth = 0; depth < kScriptsDeepMost; ++depth) {
    const std::string head = head_of(path);
    struct stat status {};
    const bool runs = stat(path.c_str(), &status) == 0 && (status.st_mode & 0111) != 0;
    if (!runs || !head.starts_with("#!")) return path;
    const std::string interpreter = script_interpreter(head);
    if (interpreter.empty() || interpreter.back() == '\r' || !exists(interpreter)) return path;
    path = interpreter;
  }
  return path;
}

}  // namespace

std::optional<Verdict> explain_failed_start(const Facts& facts) {
  if (facts.run.started || !facts.run.ended || facts.run.signal != 0) return std::nullopt;
  Verdict verdict{.headline = program_name(facts) + " could not start: "};
  std::string program = facts.run.program;
  if (!program.empty() && program[0] != '/') program = facts.run.cwd + "/" + program;
  explain_file(file_at_fault(program), verdict);
  return verdict;
}

}  // namespace orrery::lens::why
