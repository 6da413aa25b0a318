// Plays the actions of all processes in order, and so knows each process's descriptors and directory, which
// file each path meant when, what every file held, who wrote it and who read it.
//
// A file has versions: a new one begins when another step changes it through a descriptor of its own. So the
// object that `ld -r` or `strip` rewrites in place is two artefacts, and what a driver made empty for its
// assembler is none.
#pragma once

#include <memory>
#include <optional>
#include <set>

#include "lens/build/content.h"
#include "lens/build/steps.h"

namespace orrery::lens::build {

struct Version {
  std::string path{};       ///< the last name that it had
  std::string made_as{};    ///< the first
  std::string kept_file{};  ///< a copy that the recorder made when it was mapped; "" if none did
  Content content{};
  std::optional<u64> size{};  ///< nothing: nobody was told
  bool fresh = false;         ///< began empty: what was never written is zero
  bool changed = false;       ///< a recorded process wrote, made or cut it
  bool replaced = false;      ///< another version followed, or another file took the name
  u32 step = 0;               ///< that wrote it
  u64 written_ns = 0;
  std::optional<u64> removed_ns{};

  bool whole() const { return size && (fresh || content.covers(*size)); }
};
using VersionPointer = std::shared_ptr<Version>;

class FileHistory {
 public:
  explicit FileHistory(const Recording& recording, const Steps& steps)
      : recording_(recording), steps_(steps) {}

  void play(const FileAction& action);

  const std::vector<VersionPointer>& versions() const { return versions_; }
  struct Use {
    u32 step = 0;
    VersionPointer version{};
  };
  /// Who read what that it had not written itself, in the order of the first time.
  const std::vector<Use>& uses() const { return uses_; }
  /// Where a step's program was started.
  std::string directory_of(u32 step) const;

 private:
  struct File {
    VersionPointer now{};
    std::set<std::string> names{};
    u64 writer = 0;  ///< the opening through which it was changed last; 0: none
    u32 versions = 1;
  };
  using FilePointer = std::shared_ptr<File>;
  /// An open file description, which descriptors of several processes may share.
  struct Opening {
    FilePointer file{};
    std::string path{};
    u64 number = 0;
    u64 position = 0;
    bool append = false;
    bool of_loader = false;
    u32 step = 0;
  };
  struct Descriptor {
    std::shared_ptr<Opening> opening{};
    bool close_on_exec = false;
  };
  struct Mapping {
    std::shared_ptr<Opening> opening{};
    u64 size = 0, offset = 0;
  };
  struct Process {
    std::map<int, Descriptor> descriptors{};
    std::string directory{};
    std::map<u64, Mapping> mappings{};
    u64 programs = 0;  ///< executed by itself
    u32 step = 0;
  };

  void begin(const FileAction& action);
  void become_program(Process& process, const FileAction& action);
  void open(Process& process, const FileAction& action);
  void close(Process& process, const FileAction& action);
  void duplicate(Process& process, const FileAction& action);
  void read(Process& process, const FileAction& action);
  void write(Process& process, const FileAction& action);
  void resize(Process& process, const FileAction& action);
  void told_size(Process& process, const FileAction& action);
  void rename(Process& process, const FileAction& action);
  void remove(Process& process, const FileAction& action);
  void copy(Process& process, const FileAction& action);
  void map(Process& process, const FileAction& action);
  static void unmap(Process& process, u64 address, u64 size_bytes);
  void stored(Process& process, const FileAction& action);

  static Opening* opening_of(Process& process, int fd);
  std::string path_of(const Process& process, int directory, const std::string& path) const;
  FilePointer file_at(const std::string& path);
  FilePointer make_file(const std::string& path);
  void lose_name(const std::string& path, u64 time_ns, bool replaced);
  Version& change(File& file, const Opening& opening, u32 step, u64 time_ns);
  void set_size(Version& version, u64 size);
  void use(u32 step, const Opening& opening);

  const Recording& recording_;
  const Steps& steps_;
  std::map<u32, Process> processes_;
  std::map<u32, std::vector<std::pair<u64, Process>>> forks_;  ///< by parent: its event, and what it was
  std::map<std::string, FilePointer> files_;
  std::vector<VersionPointer> versions_;
  std::vector<Use> uses_;
  std::set<std::pair<u32, const Version*>> used_;
  std::map<u32, std::string> directories_;
  u64 openings_ = 0;
};

}  // namespace orrery::lens::build
