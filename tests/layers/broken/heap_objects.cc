// Each case, named by the first argument, makes an error with new and delete, containers and smart pointers.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

static void* volatile kept;
static volatile long sink;

template <class Value>
static Value* seen(Value* made) {
  kept = const_cast<void*>(static_cast<const volatile void*>(made));
  return static_cast<Value*>(kept);
}

struct Part {
  ~Part() { sink = sink + number; }
  long number = 1, weight = 2, size = 3;
};
struct Base {
  ~Base() { sink = sink + 1; }  // not virtual
  long number = 0;
};
struct Derived : Base {
  std::unique_ptr<long[]> values{seen(new long[20])};
};
struct Link {
  std::shared_ptr<Link> next;
  long number = 0;
};
struct alignas(64) Line {
  long words[8] = {};
};

static void deletes_an_array_as_one() { delete seen(new int[10]); }
static void deletes_one_as_an_array() { delete[] seen(new int(3)); }
static void frees_what_new_made() { free(seen(new Part)); }
static void deletes_what_malloc_made() { delete static_cast<int*>(seen(malloc(40))); }
static void deletes_objects_as_one() { delete seen(new Part[4]); }
static void deletes_twice() {
  Part* const part = seen(new Part);
  ::operator delete(part);
  ::operator delete(part);
}
static void uses_what_it_deleted() {
  Part* const part = seen(new Part);
  delete part;
  sink = sink + *const_cast<volatile long*>(&part->size);
}
static void writes_behind_an_array() {
  int* const numbers = seen(new int[10]);
  for (int i = 0; i <= 10; ++i) const_cast<volatile int*>(numbers)[i] = i;
}
static void indexes_behind_a_vector() {
  std::vector<int> numbers(3);
  kept = numbers.data();
  sink = sink + *const_cast<volatile int*>(&numbers[3]);
}
static void keeps_an_iterator() {
  std::vector<long> numbers(100, 7);
  const auto third = numbers.begin() + 3;
  const auto above = std::make_unique<long>(3);
  numbers.push_back(8);
  sink = sink + *const_cast<volatile long*>(&*third) + *above;
}
static void keeps_a_reference() {
  std::vector<std::string> names(4, std::string(100, 'x'));
  const volatile char& letter = names[2][50];
  names.clear();
  sink = sink + letter;
}
static void reads_behind_a_string() {
  std::string name(40, 'x');
  kept = name.data();
  sink = sink + const_cast<volatile char*>(name.data())[41];
}
static std::string_view name_of(int number) {
  const std::string name = "the name of number " + std::to_string(number);
  kept = const_cast<char*>(name.data());
  return std::string_view(static_cast<const char*>(kept), name.size());
}
static void views_a_string_that_is_gone() {
  const std::string_view name = name_of(17);
  sink = sink + const_cast<const volatile char*>(name.data())[18];
}
static void erases_and_goes_on() {
  std::map<int, long> ages{{1, 11}, {2, 22}, {3, 33}};
  const auto second = ages.find(2);
  ages.erase(second);
  sink = sink + *const_cast<volatile long*>(&second->second);
}
static void walks_a_list_that_it_empties() {
  std::list<long> numbers{1, 2, 3};
  const auto last = std::prev(numbers.end());
  numbers.clear();
  sink = sink + *const_cast<volatile long*>(&*last);
}
static void gets_and_resets() {
  auto owner = std::make_unique<Part>();
  Part* const part = owner.get();
  owner.reset();
  sink = sink + *const_cast<volatile long*>(&part->weight);
}
static void shared_by_nobody_left() {
  std::weak_ptr<Part> weak;
  const Part* part = nullptr;
  {
    auto owner = std::shared_ptr<Part>(new Part);
    weak = owner;
    part = owner.get();
  }
  sink = sink + weak.expired() + *const_cast<const volatile long*>(&part->size);
}
static void leaks_a_circle_of_shared() {
  auto first = std::make_shared<Link>();
  first->next = std::make_shared<Link>();
  first->next->next = first;
}
static void releases_and_forgets() {
  auto owner = std::make_unique<Part>();
  sink = sink + owner.release()->number;
}
static void leaks_by_an_exception() {
  try {
    auto* const numbers = new long[30];
    numbers[0] = sink;
    if (numbers[0] == sink) throw std::runtime_error("no more");
    delete[] numbers;
  } catch (const std::runtime_error& error) {
    sink = sink + error.what()[0];
  }
}
static void deletes_by_the_base() {
  Base* const base = new Derived;
  delete base;
  kept = nullptr;
}
static void leaks_a_vector_of_strings() {
  auto* const names = new std::vector<std::string>(3, std::string(50, 'y'));
  sink = sink + static_cast<long>(names->size());
}
static void captures_what_goes() {
  std::function<long()> later;
  {
    const auto part = std::make_unique<Part>();
    later = [where = part.get()] { return *const_cast<volatile long*>(&where->number); };
    sink = sink + later();
  }
  sink = sink + later();
}
static void writes_behind_an_aligned_one() {
  Line* const line = seen(new Line);
  const_cast<volatile long*>(line->words)[8] = 1;
}
static void reads_a_deque_that_shrank() {
  std::deque<long> numbers(200, 5);
  const volatile long& last = numbers.back();
  numbers.resize(1);
  numbers.shrink_to_fit();
  sink = sink + last;
}
static void gives_a_thread_what_goes() {
  std::thread thread;
  {
    auto numbers = std::make_unique<std::vector<long>>(50, 1);
    const volatile long* const tenth = &(*numbers)[10];
    numbers.reset();
    thread = std::thread([tenth] { sink = sink + *tenth; });
  }
  thread.join();
}
static void copies_behind_an_array() {
  std::vector<long> from(12, 3);
  long* const to = seen(new long[10]);
  for (std::size_t i = 0; i < from.size(); ++i) const_cast<volatile long*>(to)[i] = from[i];
}
static void ends_well_with_objects() {
  std::map<std::string, std::vector<std::string>> names;
  for (int i = 0; i < 50; ++i)
    names["group " + std::to_string(i % 7)].push_back("a name of number " + std::to_string(i));
  for (auto& [group, members] : names) std::sort(members.begin(), members.end());
  auto first = std::make_shared<Link>();
  first->next = std::make_shared<Link>();
  const std::unique_ptr<Line> line(new Line);
  std::thread([&] { sink = sink + static_cast<long>(names.size()) + line->words[3]; }).join();
  delete[] seen(new Part[3]);
}

static const struct {
  const char* name;
  void (*run)();
} cases[] = {
#define CASE(name) \
  { #name, name }
    CASE(deletes_an_array_as_one),
    CASE(deletes_one_as_an_array),
    CASE(frees_what_new_made),
    CASE(deletes_what_malloc_made),
    CASE(deletes_objects_as_one),
    CASE(deletes_twice),
    CASE(uses_what_it_deleted),
    CASE(writes_behind_an_array),
    CASE(indexes_behind_a_vector),
    CASE(keeps_an_iterator),
    CASE(keeps_a_reference),
    CASE(reads_behind_a_string),
    CASE(views_a_string_that_is_gone),
    CASE(erases_and_goes_on),
    CASE(walks_a_list_that_it_empties),
    CASE(gets_and_resets),
    CASE(shared_by_nobody_left),
    CASE(leaks_a_circle_of_shared),
    CASE(releases_and_forgets),
    CASE(leaks_by_an_exception),
    CASE(deletes_by_the_base),
    CASE(leaks_a_vector_of_strings),
    CASE(captures_what_goes),
    CASE(writes_behind_an_aligned_one),
    CASE(reads_a_deque_that_shrank),
    CASE(gives_a_thread_what_goes),
    CASE(copies_behind_an_array),
    CASE(ends_well_with_objects),
};

#include "run_case.h"
