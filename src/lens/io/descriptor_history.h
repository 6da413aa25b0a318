// Plays the actions of all processes in order, and so knows which open file each descriptor was when, what
// went through it, and how long its callers waited there.
//
// An open file is what open(2) calls an open file description: descriptors of several numbers and of several
// processes may share one.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string_view>

#include "lens/io/descriptor_action.h"
#include "lens/process_tree.h"

namespace orrery::lens::io {

/// OpenFile::kind of what signalfd(2) makes.
inline constexpr std::string_view kSignalDescriptor = "signalfd";

struct OpenFile {
  u64 number = 0;  ///< counts from 1 in the order of their opening
  u32 process = 0;
  i32 task = 0;
  u64 event = 0, ticks = 0;
  std::string kind{}, name{}, call{};
  u64 opened_ns = 0;
  std::optional<u64> closed_ns{};  ///< its last descriptor; nothing: it was open at the end
  u64 reads = 0, bytes_read = 0, writes = 0, bytes_written = 0, failures = 0;
  u64 waited_ns = 0;
  u32 descriptors = 0;  ///< that are it now
  // Of a socket.
  std::string local{}, peer{};
  const char* how = nullptr;  ///< "accepted", "connected"; null: not yet, or no socket
  std::optional<u64> connected_ns{}, first_read_ns{}, last_write_ns{};
};
using OpenFilePointer = std::shared_ptr<OpenFile>;

/// Path or words; a socket is called by its addresses.
std::string name_of(const OpenFile& file);

/// A number of a process, for as long as it was the same open file.
struct DescriptorLife {
  u32 process = 0;
  int fd = -1;
  OpenFilePointer file{};
  const char* begin = "";  ///< "opened", "duplicated", "inherited"
  u64 begin_event = 0, begin_ticks = 0, begin_ns = 0;
  const char* end = "";  ///< "closed", "replaced", "closed by exec", "process ended"
  u64 end_event = 0, end_ticks = 0, end_ns = 0;
};

class DescriptorHistory {
 public:
  explicit DescriptorHistory(const ProcessTree& tree) : tree_(tree) {}

  void play(const DescriptorAction& action);
  void play(const Transfer& transfer);
  /// The same where its file is known.
  static void play(const Transfer& transfer, OpenFile& file);
  /// What the descriptor is when the call is made.
  OpenFilePointer file_of(const Transfer& transfer);

  const std::vector<OpenFilePointer>& files() const { return files_; }
  /// Those that have ended: of processes that ended, all.
  const std::vector<DescriptorLife>& lives() const { return lives_; }

 private:
  struct Descriptor {
    DescriptorLife life{};
    bool close_on_exec = false;
  };
  using Table = std::map<int, Descriptor>;

  void begin(const DescriptorAction& action);
  void open(const DescriptorAction& action);
  void duplicate(const DescriptorAction& action);
  void close(Table::iterator at, Table& table, const char* how, const DescriptorAction& action);
  void close_range(const DescriptorAction& action);
  void end_program(const DescriptorAction& action, bool is_exec);
  void accept(const DescriptorAction& action);
  void connect(const DescriptorAction& action);
  void name_sockets(const DescriptorAction& action);
  OpenFilePointer make_file(const DescriptorAction& action, std::string kind, std::string name);
  void give(int fd, OpenFilePointer file, const char* how, const DescriptorAction& action);
  const OpenFilePointer& file_of(int fd, const DescriptorAction& action);

  const ProcessTree& tree_;
  std::map<u32, Table> tables_;
  std::map<u32, std::vector<std::pair<u64, Table>>> forks_;  ///< by parent: its event, and what it had
  std::vector<OpenFilePointer> files_;
  std::vector<DescriptorLife> lives_;
};

}  // namespace orrery::lens::io
