// The layer of input and output: open files, the descriptors that named them, connections.
#include "lens/io/descriptor_history.h"
#include "lens/io/descriptor_watcher.h"
#include "lens/lens.h"

namespace orrery::lens {
namespace io {
namespace {

using std::optional;

struct FileRow {
  u64 file = 0;
  u32 process = 0;
  i32 task = 0;
  u64 event = 0, ticks = 0;
  std::string kind{}, name{}, call{};
  u64 opened_ns = 0;
  optional<u64> closed_ns{};
  u64 reads = 0, bytes_read = 0, writes = 0, bytes_written = 0, failures = 0, waited_ns = 0;
};

constexpr db::Column<FileRow> kFileColumns[] = {
    db::column<&FileRow::file>("file", "Its number, by which the other tables call it.", db::Key::primary),
    db::column<&FileRow::process>("process", "Who opened it: a process of the table process.",
                                  db::Key::indexed),
    db::column<&FileRow::task>("task", "The thread that did."),
    db::column<&FileRow::event>("event", "The process's next event at the call: the instant."),
    db::column<&FileRow::ticks>("ticks", "Ticks of that thread then."),
    db::column<&FileRow::kind>(
        "kind",
        "file, directory, pipe, tcp, udp, unix stream, epoll, eventfd, ...; given: it was "
        "open when the recording began; passed: it came with a message."),
    db::column<&FileRow::name>("name", "Path as the program gave it, address of a socket, or words."),
    db::column<&FileRow::call>("call", "The system call that made it; empty of what was given."),
    db::column<&FileRow::opened_ns>("opened_ns", "When that returned, in ns since the recording began."),
    db::column<&FileRow::closed_ns>("closed_ns",
                                    "When its last descriptor went; NULL: a process that had it has no end."),
    db::column<&FileRow::reads>("reads", "Calls that read from it, or accepted a connection."),
    db::column<&FileRow::bytes_read>("bytes_read", "What they got."),
    db::column<&FileRow::writes>("writes", "Calls that wrote to it."),
    db::column<&FileRow::bytes_written>("bytes_written", "What they gave."),
    db::column<&FileRow::failures>("failures", "Calls of both that failed, EAGAIN among them."),
    db::column<&FileRow::waited_ns>("waited_ns",
                                    "How long callers waited in calls on it that took 10 us or more."),
};
constexpr db::Table<FileRow> kFiles = {
    "open_file", "What descriptors stood for: open files, sockets, pipes, with what went through them.",
    kFileColumns};

struct DescriptorRow {
  u32 process = 0;
  int fd = 0;
  u64 file = 0;
  std::string begin{};
  u64 begin_event = 0, begin_ticks = 0, begin_ns = 0;
  std::string end{};
  u64 end_event = 0, end_ticks = 0, end_ns = 0;
};

constexpr db::Column<DescriptorRow> kDescriptorColumns[] = {
    db::column<&DescriptorRow::process>("process", "Whose it was.", db::Key::indexed),
    db::column<&DescriptorRow::fd>("fd", "The number."),
    db::column<&DescriptorRow::file>("file", "What it stood for: a row of open_file.", db::Key::indexed),
    db::column<&DescriptorRow::begin>("origin", "opened, duplicated or inherited."),
    db::column<&DescriptorRow::begin_event>("begin_event", "The process's next event then."),
    db::column<&DescriptorRow::begin_ticks>("begin_ticks", "Ticks of the thread then."),
    db::column<&DescriptorRow::begin_ns>("begin_ns", "When, in ns since the recording began."),
    db::column<&DescriptorRow::end>("ending", "closed, replaced, closed by exec, or process ended."),
    db::column<&DescriptorRow::end_event>("end_event", "The process's next event then."),
    db::column<&DescriptorRow::end_ticks>("end_ticks", "Ticks of the thread then."),
    db::column<&DescriptorRow::end_ns>("end_ns", "When, in ns since the recording began."),
};
constexpr db::Table<DescriptorRow> kDescriptors = {
    "descriptor", "The life of every descriptor: a number of a process, and what it stood for.",
    kDescriptorColumns};

struct ConnectionRow {
  u64 file = 0;
  u32 process = 0;
  std::string how{}, kind{}, local{}, peer{};
  u64 connected_ns = 0;
  optional<u64> first_read_ns{}, last_write_ns{}, closed_ns{};
  u64 bytes_in = 0, bytes_out = 0, waited_ns = 0;
};

constexpr db::Column<ConnectionRow> kConnectionColumns[] = {
    db::column<&ConnectionRow::file>("file", "The socket: a row of open_file.", db::Key::primary),
    db::column<&ConnectionRow::process>("process", "Who accepted it, or connected.", db::Key::indexed),
    db::column<&ConnectionRow::how>("how", "accepted or connected."),
    db::column<&ConnectionRow::kind>("kind", "tcp, udp, unix stream, ..."),
    db::column<&ConnectionRow::local>("local", "Its own address, as far as the program named or asked it."),
    db::column<&ConnectionRow::peer>("peer", "The other's address, likewise."),
    db::column<&ConnectionRow::connected_ns>(
        "connected_ns", "When accept or connect returned, in ns since the recording began."),
    db::column<&ConnectionRow::first_read_ns>("first_read_ns",
                                              "When the first bytes had come; NULL: none did."),
    db::column<&ConnectionRow::last_write_ns>("last_write_ns",
                                              "When the last bytes had gone; NULL: none did."),
    db::column<&ConnectionRow::closed_ns>("closed_ns", "When it was closed; NULL: it was not."),
    db::column<&ConnectionRow::bytes_in>("bytes_in", "Bytes read from it."),
    db::column<&ConnectionRow::bytes_out>("bytes_out", "Bytes written to it."),
    db::column<&ConnectionRow::waited_ns>("waited_ns", "How long callers waited in calls on it."),
};
constexpr db::Table<ConnectionRow> kConnections = {"connection", "Sockets that were connected to a peer.",
                                                   kConnectionColumns};

class IoInquiry final : public Inquiry {
 public:
  IoInquiry(const Recording& recording, Rows& rows) : recording_(recording), rows_(rows) {}

  std::unique_ptr<Watcher> watch(const TreeProcess& process) override {
    return watch_descriptors(recording_, process, journal_);
  }

  Fallible<Nothing> finish() override {
    DescriptorHistory history(recording_.tree);
    journal_.visit_all([&](const auto& action) { history.play(action); });
    for (const auto& file : history.files()) add(*file);
    for (const DescriptorLife& life : history.lives())
      rows_.add(kDescriptors, DescriptorRow{life.process, life.fd, life.file->number, life.begin,
                                            life.begin_event, life.begin_ticks, life.begin_ns, life.end,
                                            life.end_event, life.end_ticks, life.end_ns});
    return Nothing{};
  }

 private:
  void add(const OpenFile& file) {
    rows_.add(kFiles,
              FileRow{file.number, file.process, file.task, file.event, file.ticks, file.kind, name_of(file),
                      file.call, file.opened_ns, file.closed_ns, file.reads, file.bytes_read, file.writes,
                      file.bytes_written, file.failures, file.waited_ns});
    if (file.how == nullptr) return;
    rows_.add(kConnections,
              ConnectionRow{file.number, file.process, file.how, file.kind, file.local, file.peer,
                            file.connected_ns.value_or(0), file.first_read_ns, file.last_write_ns,
                            file.closed_ns, file.bytes_read, file.bytes_written, file.waited_ns});
  }

  const Recording& recording_;
  Rows& rows_;
  Journal journal_;
};

std::unique_ptr<Inquiry> inquire(const Recording& recording, Rows& rows) {
  return std::make_unique<IoInquiry>(recording, rows);
}

std::vector<db::TableDescription> tables() {
  return {db::describe(kFiles), db::describe(kDescriptors), db::describe(kConnections)};
}

}  // namespace
}  // namespace io

extern const Lens kIoLens;
const Lens kIoLens = {.name = "io",
                      .version = 2,
                      .sentence = "Open files, descriptors and connections, with what went through them.",
                      .tables = io::tables,
                      .read = nullptr,
                      .watch = nullptr,
                      .inquire = io::inquire};

}  // namespace orrery::lens
