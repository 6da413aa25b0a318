// Debug information may name any file: that of a hostile program could name a private key, which its
// recording would then carry away. So only what has the name of a source file is taken, or lies where the
// system's headers do; and nothing that the compiler's checksum, or the file's time, says is not what was
// compiled.
#include "cli/pack_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "base/base_name.h"
#include "cli/command.h"
#include "cli/recording_text.h"
#include "elf/object_debug_hosted.h"
#include "trace/descriptor_hosted.h"
#include "trace/packed_files_hosted.h"
#include "trace/recordings_hosted.h"

namespace orrery::cli {
namespace {

constexpr const char* kSuffixes[] = {
    ".c",   ".h",   ".cc",  ".hh",  ".cpp",   ".hpp", ".cxx",  ".hxx", ".c++", ".h++", ".C",   ".H",
    ".inc", ".inl", ".ipp", ".tcc", ".tpp",   ".txx", ".ii",   ".i",   ".def", ".m",   ".mm",  ".cu",
    ".s",   ".S",   ".asm", ".f",   ".for",   ".F",   ".f90",  ".F90", ".f95", ".f03", ".f08", ".rs",
    ".go",  ".d",   ".zig", ".nim", ".swift", ".pas", ".adb",  ".ads", ".ml",  ".hs",  ".v",   ".vala",
    ".y",   ".yy",  ".l",   ".ll",  ".gperf", ".kt",  ".java", ".jl"};

bool is_source_name(const std::string& path) {
  if (is_system_header(path)) return true;
  const std::string_view name = base_name(path);
  return std::ranges::any_of(kSuffixes, [name](std::string_view suffix) {
    return name.size() > suffix.size() && name.ends_with(suffix);
  });
}

enum class Verdict : u8 { missing, refused, changed, taken };

class Packer {
 public:
  Packer(const std::string& recording, const PackWanted& wanted, trace::PackedFiles& packed)
      : recording_(recording),
        wanted_(wanted),
        packed_(packed),
        // What was packed before need not be found again, but it would not be missed either.
        debug_files_(recording + "/debug", [](const std::string& words) { complain(printable(words)); }) {}

  Fallible<PackedReport> run() {
    for (const trace::KeptOriginal& file : trace::list_kept_files(recording_)) TRY(take(file));
    for (const auto& [path, verdict] : verdicts_) {
      if (verdict == Verdict::missing) report_.missing.push_back(path);
      if (verdict == Verdict::refused) report_.refused.push_back(path);
      if (verdict == Verdict::changed) report_.changed.push_back(path);
    }
    std::stable_partition(report_.missing.begin(), report_.missing.end(),
                          [](const std::string& path) { return path.starts_with('/'); });
    TRY(packed_.write_list());
    return std::move(report_);
  }

 private:
  Fallible<Nothing> take(const trace::KeptOriginal& file) {
    const elf::ObjectDebug object(file.kept, file.path, debug_files_);
    if (!object.is_elf()) return Nothing{};
    if (!object.exists()) {
      report_.undebugged.push_back(file.path);
      return Nothing{};
    }
    if (wanted_.debug) TRY(take_debug(object));
    if (!wanted_.sources) return Nothing{};
    for (const elf::SourceFile& source : object.sources()) {
      if (base_name(source.path).starts_with('<')) continue;  // "<built-in>"
      Verdict& verdict = verdicts_[source.path];
      if (verdict != Verdict::taken) verdict = std::max(verdict, TRY(take_source(source, file.mtime_ns)));
    }
    return Nothing{};
  }

  Fallible<Nothing> take_debug(const elf::ObjectDebug& object) {
    report_.split_units += object.split_units();
    for (const elf::SeparateFile& each : object.separate()) {
      if (each.packed_name.empty() || packed_.debug_files().contains(each.packed_name)) continue;
      TRY(packed_.add_debug_file(each.packed_name, each.file.fd));
      ++report_.debug_count;
      report_.debug_bytes += packed_.debug_files().at(each.packed_name).size_bytes;
    }
    return Nothing{};
  }

  Fallible<Verdict> take_source(const elf::SourceFile& source, u64 object_mtime_ns) {
    if (packed_.sources().contains(source.path)) return Verdict::taken;
    const trace::Descriptor file(source.path.starts_with('/')
                                     ? open(source.path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
                                     : -1);
    struct stat status {};
    if (file.get() < 0 || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
      return Verdict::missing;
    if (!is_source_name(source.path) || static_cast<u64>(status.st_size) > trace::kSourceBytesMost)
      return Verdict::refused;
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    const ssize_t got = pread(file.get(), text.data(), text.size(), 0);
    if (got < 0) return Verdict::missing;
    text.resize(static_cast<std::size_t>(got));
    const u64 modified_ns =
        static_cast<u64>(status.st_mtim.tv_sec) * 1'000'000'000 + static_cast<u64>(status.st_mtim.tv_nsec);
    const bool same = source.md5 ? md5(text) == *source.md5 : modified_ns <= object_mtime_ns;
    if (!same) return Verdict::changed;
    TRY(packed_.add_source(source.path, text));
    ++report_.source_count;
    report_.source_bytes += text.size();
    return Verdict::taken;
  }

  const std::string& recording_;
  const PackWanted& wanted_;
  trace::PackedFiles& packed_;
  elf::DebugFiles debug_files_;
  std::map<std::string, Verdict> verdicts_;
  PackedReport report_;
};

}  // namespace

bool is_system_header(const std::string& path) {
  return path.starts_with("/usr/include/") || path.starts_with("/usr/lib/gcc/");
}

Fallible<PackedReport> pack_files(const std::string& recording, const PackWanted& wanted) {
  trace::PackedFiles packed = TRY(trace::PackedFiles::read(recording));
  return Packer(recording, wanted, packed).run();
}

}  // namespace orrery::cli
