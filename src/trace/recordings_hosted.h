// Where recordings lie on disk, and what may be done with a whole one: make, find, list, size, pack,
// remove. A recording is a directory REC with `trace`, `info`, `launch`, `engine` and `files/<n>`.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "trace/info_hosted.h"

namespace orrery::trace {

/// $XDG_DATA_HOME/orrery, or ~/.local/share/orrery.
std::string data_directory();
std::string recordings_directory();
std::string store_directory();

/// Makes an empty recording: at `wanted`, which must not exist or be an empty directory, or, if that
/// is empty, as <program>-<n> in the recordings directory. The `latest` link then names it. Returns its
/// absolute path.
Result<std::string> create_recording(std::string_view program, const std::string& wanted);
/// Makes the store if need be. An O_PATH descriptor, as machine::kStoreFd wants it.
Result<int> open_store();
/// An O_PATH descriptor of REC/files.
Result<int> open_files(const std::string& recording);
/// Keeps the engine's executable as REC/engine, through the store.
Status keep_engine(const std::string& recording, const std::string& engine);

Status write_launch(const std::string& recording, std::span<const u8> block);
Result<std::vector<u8>> read_launch(const std::string& recording);

/// The directory that `name` means: "" is the latest; otherwise a path, or a name in the recordings
/// directory. On failure empty, and `trouble` says why.
std::string resolve_recording(const std::string& name, std::string& trouble);
/// Has a trace or an info.
bool is_recording(const std::string& directory);
/// A writer process holds its trace.
bool is_being_written(const std::string& recording);

struct RecordingSizes {
  u64 total_bytes = 0;   ///< all of it, as a copy elsewhere would take
  u64 shared_bytes = 0;  ///< of these, hard links shared with the store or other recordings
};
RecordingSizes measure_recording(const std::string& recording);

/// One file on disk, which recordings and the store may share by hard links.
struct StoredFile {
  u64 device = 0, inode = 0;
  u64 size_bytes = 0;
  auto operator<=>(const StoredFile&) const = default;
};
/// The files of a recording; each once.
std::vector<StoredFile> files_of_recording(const std::string& recording);

struct RecordingSummary {
  std::string name{};
  std::string path{};
  RecordingInfo info{};
  bool being_written = false;
  RecordingSizes sizes{};
};
/// Of the recordings directory, oldest first.
std::vector<RecordingSummary> list_recordings();

/// Removes a recording that is not being written, and mends the `latest` link.
Status remove_recording(const std::string& recording);

/// Makes every hard link of the recording a copy of its own. Returns how many files were copied.
Result<u64> unshare_recording(const std::string& recording);

/// One line a file that would make a replay fail or differ: damaged trace, missing or altered kept
/// files. Empty: the recording is whole.
std::vector<std::string> verify_recording(const std::string& recording);

/// A file that the program mapped.
struct KeptOriginal {
  std::string path{};  ///< as the guest's map showed it
  std::string kept{};  ///< the copy in the recording
  u64 mtime_ns = 0;    ///< of the original, when it was mapped
};
/// Each kept copy once.
std::vector<KeptOriginal> list_kept_files(const std::string& recording);

struct StoreUse {
  u64 entry_count = 0, entry_bytes = 0;
  u64 unused_count = 0, unused_bytes = 0;  ///< no recording links them
};
/// Looks at the store. Unused are entries that no recording has linked for so long; with `remove` they go.
StoreUse tidy_store(bool remove, u64 unused_seconds_least);

}  // namespace orrery::trace
