// Exceptions that nobody catches, and what else ends a C++ program.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <variant>
#include <vector>

#include "cases.h"

namespace {

volatile long sink;

void told() { throw std::runtime_error("the disk of bank 7 is full"); }  // at: told

struct OrderError {
  int number;
};
void own_type() { throw OrderError{7}; }  // at: own_type

void number() { throw 42; }  // at: number

void out_of_range() {
  std::vector<int> numbers(3);
  sink = numbers.at(static_cast<unsigned long>(sink) + 5);  // at: out_of_range
}

void no_such_key() {
  const std::map<std::string, int> ages = {{"ann", 3}};
  sink = ages.at("bob");  // at: no_such_key
}

void not_a_number() { sink = std::stoi("twelve"); }  // at: not_a_number

void too_much_memory() {
  std::vector<char> room;
  room.resize(static_cast<unsigned long>(sink) + (1ul << 46));  // at: too_much_memory
  sink = room[5];
}

APART void quiet() noexcept { throw std::logic_error("from within"); }  // at: in_noexcept
void in_noexcept() { quiet(); }

struct Closes {
  ~Closes() noexcept(false) {
    if (sink == 0) throw std::runtime_error("cannot close");  // at: in_destructor
  }
};
void in_destructor() {
  try {
    Closes closes;
    throw std::logic_error("first");
  } catch (const std::logic_error&) {
    sink = 1;
  }
}

void nothing_to_rethrow() { throw; }  // at: nothing_to_rethrow

void not_joined() {
  std::thread thread([] { sink = 1; });  // at: not_joined
}

void of_a_thread() {
  std::thread thread([] { throw std::domain_error("worker 3 lost its queue"); });  // at: of_a_thread
  thread.join();
}

void not_there() {
  std::filesystem::file_size("/no/such/file.txt");  // at: not_there
}

void empty_function() {
  std::function<int(int)> callback;
  sink = callback(3);  // at: empty_function
}

void wrong_variant() {
  std::variant<int, std::string> value = 3;
  sink = static_cast<long>(std::get<std::string>(value).size());  // at: wrong_variant
}

struct Shape {
  Shape() { tell(); }
  virtual ~Shape() = default;
  APART void tell() {
    Shape* volatile self = this;
    self->area();  // at: pure_virtual
  }
  virtual void area() = 0;
};
struct Square : Shape {
  void area() override { sink = 4; }
};
void pure_virtual() { delete new Square; }

struct Account {
  long balance = 5;
  std::vector<int> entries;
};
APART long balance_of(const std::unique_ptr<Account>& account) {
  return account->balance;  // at: empty_pointer
}
void empty_pointer() {
  auto account = std::make_unique<Account>();
  auto other = std::move(account);
  sink = balance_of(account);
}

void invalid_iterator() {
  std::vector<long>* numbers = new std::vector<long>{1, 2, 3};
  delete numbers;
  OPAQUE(numbers);
  delete numbers;  // at: deleted_twice
}
void deleted_twice() { invalid_iterator(); }

void unlocks_twice() {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  lock.unlock();
  lock.unlock();  // at: unlocks_twice
}

}  // namespace

MAIN(CASE(told), CASE(own_type), CASE(number), CASE(out_of_range), CASE(no_such_key), CASE(not_a_number),
     CASE(too_much_memory), CASE(in_noexcept), CASE(in_destructor), CASE(nothing_to_rethrow),
     CASE(not_joined), CASE(of_a_thread), CASE(not_there), CASE(empty_function), CASE(wrong_variant),
     CASE(pure_virtual), CASE(empty_pointer), CASE(deleted_twice), CASE(unlocks_twice))
