#include "replay/divergence.h"

#include <algorithm>

#include "linux/signal_names.h"
#include "linux/syscall_table.h"

namespace orrery::replay {

using trace::EventKind;

namespace {

/// Appends text and numbers; what does not fit is dropped.
class Words {
 public:
  explicit Words(std::span<char> out) : out_(out) {}

  Words& text(std::string_view words) {
    const std::size_t now = std::min(words.size(), out_.size() - used_);
    std::copy_n(words.data(), now, out_.data() + used_);
    used_ += now;
    return *this;
  }
  Words& number(u64 value, u64 base = 10) {
    char digits[20];
    int count = 0;
    do {
      const auto digit = static_cast<char>(value % base);
      digits[count++] = static_cast<char>(digit < 10 ? '0' + digit : 'a' + digit - 10);
      value /= base;
    } while (value != 0);
    while (count > 0) text({&digits[--count], 1});
    return *this;
  }
  Words& hex(u64 value) { return text("0x").number(value, 16); }
  Words& signed_number(i64 value) {
    if (value < 0) text("-");
    return number(value < 0 ? ~static_cast<u64>(value) + 1 : static_cast<u64>(value));
  }
  std::string_view view() const { return {out_.data(), used_}; }

 private:
  std::span<char> out_;
  std::size_t used_ = 0;
};

std::string_view kind_words(EventKind kind) {
  switch (kind) {
    case EventKind::none:
      return "nothing";
    case EventKind::start:
      return "the start";
    case EventKind::syscall:
      return "system call";
    case EventKind::map:
      return "a file mapping";
    case EventKind::memory:
      return "a failing memory operation";
    case EventKind::tsc:
      return "a read of the time stamp counter";
    case EventKind::cpu_number:
      return "a question for the cpu number";
    case EventKind::random:
      return "a request for random bytes";
    case EventKind::signal:
      return "signal";
    case EventKind::exec:
      return "an exec";
    case EventKind::exit:
      return "the end of the program";
    case EventKind::gap:
      return "a gap in the recording";
    case EventKind::more:
      return "more of an answer";
    case EventKind::file_change:
      return "a change of a mapped file";
    case EventKind::fork:
      return "a new process";
    case EventKind::memory_change:
      return "what a child left in memory";
    case EventKind::meeting:
      return "a look for who has a file mapped";
    case EventKind::turn:
      return "a turn among processes that share memory";
  }
  return "an event of unknown kind";
}

void say_signal(Words& words, i64 number) {
  const abi::SignalName* name = abi::find_signal(static_cast<int>(number));
  if (name != nullptr) return void(words.text(name->name));
  words.text("signal ").signed_number(number);
}

void say_event(Words& words, EventKind kind, u16 detail, i64 result) {
  constexpr i64 kBySignal = 0x100;
  if (kind != EventKind::signal) words.text(kind_words(kind));
  if (kind == EventKind::syscall) {
    const abi::SyscallRow* row = abi::find_syscall(u64{detail});
    words.text(" ");
    if (row != nullptr)
      words.text(row->name);
    else
      words.number(detail);
  } else if (kind == EventKind::signal) {
    say_signal(words, result);
  } else if (kind == EventKind::exit && result == trace::kExitToNative) {
    words.text(" here: it goes on natively");
  } else if (kind == EventKind::exit && (result & kBySignal) != 0) {
    say_signal(words.text(" by "), result & ~kBySignal);
  } else if (kind == EventKind::exit) {
    words.text(" with status ").signed_number(result);
  }
}

void say_place(Words& words, const host::Instant& instant) {
  words.text(" at task ").signed_number(instant.task).text(", tick ").number(instant.ticks);
  words.text(", pc ").hex(instant.pc);
}

std::string_view difference_words(Difference difference) {
  switch (difference) {
    case Difference::kind:
      return "another event";
    case Difference::detail:
      return "another call";
    case Difference::request:
      return "other arguments or input";
    case Difference::task:
      return "another task";
    case Difference::ticks:
      return "another tick";
    case Difference::pc:
      return "another pc";
    case Difference::payload:
      return "an answer of another size";
    case Difference::signal_missed:
      return "the point of a signal was passed";
    case Difference::status:
      return "another end";
    case Difference::damaged:
      return "the recording is damaged here";
    case Difference::refused:
      return "this host refuses to map a file that the recording's host mapped";
    case Difference::kept_file:
      return "a kept file of the recording is missing or damaged";
  }
  return "something";
}

}  // namespace

std::string_view describe(const Divergence& divergence, std::span<char> out) {
  Words words(out);
  const trace::EventHeader& expected = divergence.expected;
  words.text("replay differs at event ").number(expected.number).text(" (");
  words.text(difference_words(divergence.difference)).text("): expected ");
  say_event(words, expected.kind, expected.detail, expected.result);
  say_place(words, {expected.task, expected.ticks, expected.pc});
  if (divergence.difference == Difference::damaged) return words.view();
  if (divergence.difference == Difference::kept_file)
    return words.text("; files/").number(divergence.args[0]).text(" is not what was kept").view();
  words.text("; got ");
  say_event(words, divergence.got, divergence.got_detail, divergence.got_result);
  if (divergence.got == EventKind::syscall) {
    words.text("(");
    for (int i = 0; i < 6; ++i) words.text(i == 0 ? "" : ", ").hex(divergence.args[i]);
    words.text(")");
  }
  say_place(words, divergence.got_instant);
  return words.view();
}

}  // namespace orrery::replay
