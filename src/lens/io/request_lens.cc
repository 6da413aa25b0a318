// The slowest requests of servers, and how long all of them took.
#include "lens/io/requests.h"
#include "lens/lens.h"

namespace orrery::lens::io {
namespace {

struct RequestRow {
  u64 rank = 0;
  u32 process = 0;
  i32 task = 0;
  u64 event = 0, file = 0;
  std::string peer{};
  u64 arrived_ns = 0, answered_ns = 0, latency_ns = 0;
  u64 queue_ns = 0, cpu_ns = 0, lock_ns = 0, disk_ns = 0, network_ns = 0, sched_ns = 0, other_ns = 0;
  u64 bytes_in = 0, bytes_out = 0, reads = 0, writes = 0;
};

constexpr db::Column<RequestRow> kRequestColumns[] = {
    db::column<&RequestRow::rank>("rank", "1 is the slowest.", db::Key::primary),
    db::column<&RequestRow::process>("process", "Who answered: a process of the table process.",
                                     db::Key::indexed),
    db::column<&RequestRow::task>("task", "The thread that wrote the answer."),
    db::column<&RequestRow::event>("event", "The process's next event at the first read: the instant."),
    db::column<&RequestRow::file>("file", "The connection, counted as the processes opened files."),
    db::column<&RequestRow::peer>("peer", "The client's address."),
    db::column<&RequestRow::arrived_ns>(
        "arrived_ns",
        "When the request had come at the latest, in ns since the recording began: when the poll before "
        "returned, or the read did that waited for it."),
    db::column<&RequestRow::answered_ns>("answered_ns", "When the last bytes of the answer had gone."),
    db::column<&RequestRow::latency_ns>("latency_ns", "The time between: the sum of what follows."),
    db::column<&RequestRow::queue_ns>("queue_ns",
                                      "It had come and nobody had read it, or it waited for its thread."),
    db::column<&RequestRow::cpu_ns>("cpu_ns", "The thread ran."),
    db::column<&RequestRow::lock_ns>(
        "lock_ns", "It waited for a lock, a condition or a semaphore, or in a poll that a signal ended."),
    db::column<&RequestRow::disk_ns>("disk_ns", "It was in calls on files that took 10 us or more."),
    db::column<&RequestRow::network_ns>("network_ns", "It waited for sockets, pipes, or in a poll."),
    db::column<&RequestRow::sched_ns>("sched_ns", "It could have run while other threads did."),
    db::column<&RequestRow::other_ns>("other_ns",
                                      "It slept, or waited for a process, a signal or another call."),
    db::column<&RequestRow::bytes_in>("bytes_in", "Bytes read."),
    db::column<&RequestRow::bytes_out>("bytes_out", "Bytes written."),
    db::column<&RequestRow::reads>("reads", "Calls that read them."),
    db::column<&RequestRow::writes>("writes", "Calls that wrote them."),
};
constexpr db::Table<RequestRow> kRequests = {
    "request", "The 1,000 slowest requests that servers answered, with where their time went.",
    kRequestColumns};

struct ServerRow {
  u32 process = 0;
  u64 requests = 0, mean_ns = 0, median_ns = 0, p90_ns = 0, p99_ns = 0, longest_ns = 0, bytes_in = 0,
      bytes_out = 0;
};

constexpr db::Column<ServerRow> kServerColumns[] = {
    db::column<&ServerRow::process>("process", "Who answered.", db::Key::primary),
    db::column<&ServerRow::requests>("requests", "How many: bytes in and then bytes out on one connection."),
    db::column<&ServerRow::mean_ns>("mean_ns", "Their latency in the mean."),
    db::column<&ServerRow::median_ns>("median_ns", "Half took no longer; within 3 %, as what follows."),
    db::column<&ServerRow::p90_ns>("p90_ns", "Nine of ten took no longer."),
    db::column<&ServerRow::p99_ns>("p99_ns", "99 of 100 took no longer."),
    db::column<&ServerRow::longest_ns>("longest_ns", "The longest."),
    db::column<&ServerRow::bytes_in>("bytes_in", "Bytes of all of them."),
    db::column<&ServerRow::bytes_out>("bytes_out", "Bytes of all answers."),
};
constexpr db::Table<ServerRow> kServers = {
    "server", "Processes that answered requests, with how long that took.", kServerColumns};

class RequestInquiry final : public Inquiry {
 public:
  RequestInquiry(const Recording& recording, Rows& rows) : rows_(rows), finder_(recording) {}
  std::unique_ptr<Watcher> watch(const TreeProcess& process) override { return finder_.watch(process); }

  Fallible<Nothing> finish() override {
    finder_.finish();
    u64 rank = 0;
    for (const RequestPointer& each : finder_.slowest()) write(++rank, *each);
    for (const auto& [process, sums] : finder_.sums())
      rows_.add(kServers, ServerRow{.process = process,
                                    .requests = sums.requests,
                                    .mean_ns = sums.total_ns / std::max<u64>(sums.requests, 1),
                                    .median_ns = sums.latencies.quantile(0.5),
                                    .p90_ns = sums.latencies.quantile(0.9),
                                    .p99_ns = sums.latencies.quantile(0.99),
                                    .longest_ns = sums.longest_ns,
                                    .bytes_in = sums.bytes_in,
                                    .bytes_out = sums.bytes_out});
    return Nothing{};
  }

 private:
  void write(u64 rank, const Request& each) {
    const auto share = [&](Share which) { return each.shares[static_cast<u32>(which)]; };
    rows_.add(kRequests, RequestRow{.rank = rank,
                                    .process = each.process,
                                    .task = each.task,
                                    .event = each.event,
                                    .file = each.socket->number,
                                    .peer = each.socket->peer,
                                    .arrived_ns = each.arrived_ns,
                                    .answered_ns = each.answered_ns,
                                    .latency_ns = each.latency_ns(),
                                    .queue_ns = share(Share::queue),
                                    .cpu_ns = share(Share::cpu),
                                    .lock_ns = share(Share::lock),
                                    .disk_ns = share(Share::disk),
                                    .network_ns = share(Share::network),
                                    .sched_ns = share(Share::sched),
                                    .other_ns = share(Share::other),
                                    .bytes_in = each.bytes_in,
                                    .bytes_out = each.bytes_out,
                                    .reads = each.reads,
                                    .writes = each.writes});
  }

  Rows& rows_;
  RequestFinder finder_;
};

std::unique_ptr<Inquiry> inquire(const Recording& recording, Rows& rows) {
  return std::make_unique<RequestInquiry>(recording, rows);
}

std::vector<db::TableDescription> tables() { return {db::describe(kRequests), db::describe(kServers)}; }

}  // namespace
}  // namespace orrery::lens::io

namespace orrery::lens {

extern const Lens kRequestLens;
const Lens kRequestLens = {.name = "request",
                           .version = 3,
                           .sentence = "Requests of servers: the slowest, and where their time went.",
                           .tables = io::tables,
                           .read = nullptr,
                           .watch = nullptr,
                           .inquire = io::inquire};

}  // namespace orrery::lens
