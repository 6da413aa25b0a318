// The lens "build": how source became a file, as it happened. Watchers write down what each process did to
// files; when all have ended the actions are played in order, and steps, artefacts and inputs become rows.
#include "lens/build/action_watcher.h"
#include "lens/build/build_tables.h"
#include "lens/build/file_history.h"
#include "lens/build/kept_contents.h"
#include "lens/build/phase.h"
#include "lens/file/mapped_file.h"

namespace orrery::lens::build {
namespace {

/// A larger one has no hash and is not kept.
constexpr u64 kFileBytesMost = u64{1} << 30;

std::string shell_command(const std::vector<std::string>& words) {
  constexpr const char* kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

/// What is known of a version's bytes when all has been seen.
struct Known {
  std::string kind = "unknown";
  std::optional<u64> size{};
  std::optional<std::string> xxh64{}, content{};
  u64 known_bytes = 0;
};

class BuildInquiry final : public Inquiry {
 public:
  BuildInquiry(const Recording& recording, Rows& rows) : recording_(recording), rows_(rows) {}

  std::unique_ptr<Watcher> watch(const TreeProcess& process) override {
    return watch_files(recording_, process, journal_);
  }
  Fallible<Nothing> finish() override;

 private:
  void add_steps(const FileHistory& history);
  void add_artefacts(const FileHistory& history);
  void add_inputs(const FileHistory& history);
  const Known& known(const Version& version, bool keep);
  Known look_at(const Version& version, bool keep);
  Known look_at_kept_file(const Version& version);

  const Recording& recording_;
  Rows& rows_;
  Journal journal_;
  Steps steps_{recording_};
  std::vector<Phase> phases_;  ///< of the steps
  KeptContents kept_{recording_.directory};
  std::map<const Version*, Known> known_;
  std::map<const Version*, u64> artefacts_;
};

Fallible<Nothing> BuildInquiry::finish() {
  FileHistory history(recording_, steps_);
  for (const FileAction& action : journal_.take()) history.play(action);
  add_steps(history);
  add_artefacts(history);
  add_inputs(history);
  return Nothing{};
}

void BuildInquiry::add_steps(const FileHistory& history) {
  std::set<u32> parents;
  for (const Step& step : steps_.all())
    if (step.parent) parents.insert(*step.parent);
  for (const Step& step : steps_.all()) {
    const PhaseFacts facts = phase_of(step.program, step.arguments, !parents.contains(step.number));
    phases_.push_back(facts.phase);
    StepRow row{.step = step.number,
                .parent = step.parent,
                .process = step.process,
                .phase = name_of(facts.phase),
                .program = step.program,
                .command = shell_command(step.arguments),
                .directory = history.directory_of(step.number),
                .start_ns = step.start_ns,
                .end_ns = step.end_ns,
                .end = step.last ? end_words(recording_.tree.at(step.process)) : "became another program"};
    if (const std::string merged = merged_words(facts); !merged.empty()) row.merged = merged;
    if (step.usage) {
      row.user_ns = step.usage->user_ns;
      row.system_ns = step.usage->system_ns;
      row.peak_bytes = step.usage->peak_bytes;
    }
    rows_.add(kSteps, row);
  }
}

Known BuildInquiry::look_at_kept_file(const Version& version) {
  Known known;
  auto file = file::MappedFile::open(version.kept_file);
  if (!file) return known;
  const std::span<const u8> bytes = file.value().bytes();
  known.kind = kind_of_file(version.path, bytes);
  known.size = known.known_bytes = bytes.size();
  known.xxh64 = hash_words(bytes);
  known.content = version.kept_file.substr(recording_.directory.size() + 1);
  return known;
}

Known BuildInquiry::look_at(const Version& version, bool keep) {
  if (!version.changed && !version.kept_file.empty()) return look_at_kept_file(version);
  Known known{.size = version.size, .known_bytes = version.content.known_bytes()};
  if (!version.size || *version.size > kFileBytesMost) return known;
  std::vector<u8> bytes(*version.size);
  if (!version.content.read(journal_.spool(), bytes)) return known;
  known.kind = kind_of_file(version.path, bytes);
  if (version.whole() && !bytes.empty()) known.xxh64 = hash_words(bytes);
  if (keep && !bytes.empty()) known.content = kept_.keep(bytes);
  return known;
}

const Known& BuildInquiry::known(const Version& version, bool keep) {
  const auto there = known_.find(&version);
  if (there != known_.end() && (there->second.content || !keep)) return there->second;
  return known_[&version] = look_at(version, keep);
}

void BuildInquiry::add_artefacts(const FileHistory& history) {
  for (const VersionPointer& version : history.versions()) {
    if (!version->changed) continue;
    const Known& facts = known(*version, true);
    ArtefactRow row{.artefact = artefacts_.size(),
                    .step = version->step,
                    .path = version->path,
                    .kind = facts.kind,
                    .size = facts.size,
                    .xxh64 = facts.xxh64,
                    .content = facts.content,
                    .written_ns = version->written_ns,
                    .removed_ns = version->removed_ns,
                    .fate = version->replaced     ? "replaced"
                            : version->removed_ns ? "removed"
                                                  : "there"};
    if (version->made_as != version->path) row.made_as = version->made_as;
    artefacts_[version.get()] = row.artefact;
    rows_.add(kArtefacts, row);
  }
}

void BuildInquiry::add_inputs(const FileHistory& history) {
  for (const FileHistory::Use& use : history.uses()) {
    const Phase phase = phases_[use.step];
    // What a linker read of a library is enough to link again, and a thousand headers are no use.
    const bool keep = phase == Phase::link || phase == Phase::archive;
    const Known& facts = known(*use.version, keep);
    InputRow row{.step = use.step,
                 .path = use.version->path,
                 .kind = facts.kind,
                 .size = facts.size,
                 .xxh64 = facts.xxh64,
                 .content = facts.content,
                 .known_bytes = facts.known_bytes};
    if (const auto made = artefacts_.find(use.version.get()); made != artefacts_.end())
      row.artefact = made->second;
    rows_.add(kInputs, row);
  }
}

std::unique_ptr<Inquiry> inquire(const Recording& recording, Rows& rows) {
  return std::make_unique<BuildInquiry>(recording, rows);
}

std::vector<db::TableDescription> tables() {
  return {db::describe(kSteps), db::describe(kArtefacts), db::describe(kInputs)};
}

}  // namespace
}  // namespace orrery::lens::build

namespace orrery::lens {

extern const Lens kBuildLens;
const Lens kBuildLens = {.name = "build",
                         .version = 2,
                         .sentence = "The steps of a build, what each read and what it made.",
                         .tables = build::tables,
                         .read = nullptr,
                         .watch = nullptr,
                         .inquire = build::inquire};

}  // namespace orrery::lens
