// The dynamic loader gave up before main: a library or a symbol is missing. ld.so says so on stderr and
// exits with 127; who needs the library stands in the images it had mapped by then, and where it looked
// in the opens that failed.
#include <algorithm>

#include "base/base_name.h"
#include "lens/why/verdict.h"

namespace orrery::lens::why {
namespace {

constexpr u64 kPathsShown = 12;

std::string after(const std::string& text, const std::string& marker) {
  const auto at = text.find(marker);
  return at == std::string::npos ? "" : text.substr(at + marker.size());
}

std::string until(const std::string& text, const std::string& marker) {
  return text.substr(0, text.find(marker));
}

/// With its slash.
std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

/// Which mapped file names the library in its DT_NEEDED.
std::vector<std::string> who_needs(const Facts& facts, const std::string& library) {
  std::vector<std::string> paths;
  for (const elf::Image& image : facts.images) {
    if (std::find(image.needed.begin(), image.needed.end(), library) != image.needed.end())
      paths.push_back(image.path);
  }
  return paths;
}

/// The opens of the library that failed. Each directory is tried with subdirectories for the CPU's features
/// too; those say nothing new.
std::vector<Call> tries_of(const Facts& facts, const std::string& library) {
  std::vector<Call> tries;
  for (const Call& call : facts.calls) {
    if (!call.failed() || base_name(call.path) != library) continue;
    const std::string directory = directory_of(call.path);
    std::erase_if(tries, [&](const Call& earlier) { return earlier.path.starts_with(directory); });
    tries.push_back(call);
  }
  if (tries.size() > kPathsShown) tries.resize(kPathsShown);
  return tries;
}

Verdict missing_library(const Facts& facts, const std::string& message) {
  const std::string library = until(message, ":");
  Verdict verdict{
      .category = Category::missing_library,
      .headline = program_name(facts) + " could not start: the library " + library + " is missing."};
  for (const std::string& path : who_needs(facts, library)) {
    verdict.sentences.push_back(library + " is needed by " + path + " (DT_NEEDED).");
  }
  verdict.failing_calls = tries_of(facts, library);
  if (verdict.failing_calls.empty()) {
    verdict.sentences.push_back("The loader says: " + message + ".");
  } else {
    std::string places = "It is in none of the places where the loader looked:";
    for (const Call& call : verdict.failing_calls) places += " " + directory_of(call.path);
    verdict.sentences.push_back(places + " (and the library cache).");
  }
  verdict.hints.push_back({"ldd " + facts.run.program, "where each library is found now"});
  verdict.hints.push_back({"apt-file search " + library, "which Debian package has it"});
  return verdict;
}

}  // namespace

std::optional<Verdict> explain_loader(const Facts& facts) {
  if (!facts.replayed || facts.run.signal != 0 || facts.run.status == 0) return std::nullopt;
  const std::string output = error_output(facts);
  if (const std::string message = until(after(output, "error while loading shared libraries: "), "\n");
      !message.empty()) {
    return missing_library(facts, message);
  }
  if (const std::string message = until(after(output, "symbol lookup error: "), "\n"); !message.empty()) {
    Verdict verdict{.category = Category::missing_symbol};
    verdict.headline = program_name(facts) + " could not go on: a symbol is in none of its libraries.";
    verdict.sentences.push_back("The loader says: " + message + ".");
    verdict.sentences.push_back(
        "A library is older than the one the program was linked with, or another one took its place.");
    return verdict;
  }
  const auto at = output.find("' not found (required by ");
  if (at == std::string::npos) return std::nullopt;
  const auto version = output.rfind("version `", at);
  if (version == std::string::npos) return std::nullopt;
  Verdict verdict{.category = Category::missing_symbol};
  verdict.headline = program_name(facts) + " could not start: a library is too old, version " +
                     output.substr(version + 9, at - version - 9) + " is missing.";
  const auto line_start = output.rfind('\n', at);
  verdict.sentences.push_back(
      "The loader says: " + until(output.substr(line_start == std::string::npos ? 0 : line_start + 1), "\n"));
  return verdict;
}

}  // namespace orrery::lens::why
