// What the program did wrong with its heap before it died. A damaged heap shows later and elsewhere: at the
// allocator's next look, or where a pointer that was overwritten is used.
#include <algorithm>

#include "lens/why/verdict.h"

namespace orrery::lens::why {
namespace {

using errors::MemoryErrorRow;

std::string bytes_words(u64 bytes) { return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes"); }

std::string users_place(const StackFact& stack) {
  const FrameFact* const frame = stack.users();
  return frame == nullptr ? "" : place_text(*frame);
}

std::string by(const StackFact& stack) {
  const std::string place = users_place(stack);
  return place.empty() ? "" : " by " + place;
}

bool writes(const HeapError& error) { return error.row.kind == "invalid_write"; }
bool releases(const HeapError& error) { return error.row.size_bytes == 0; }
bool is_freed(const HeapError& error) { return error.row.gone_pc.has_value(); }

std::string block_words(const HeapError& error) {
  const MemoryErrorRow& row = error.row;
  if (!row.relation) return "memory of the heap that no block has";
  const std::string block = "a block of " + bytes_words(*row.block_bytes);
  if (row.relation == "behind")
    return (*row.distance == 0 ? "right behind " : bytes_words(*row.distance) + " behind ") + block;
  if (row.relation == "before") return bytes_words(*row.distance) + " before " + block;
  return *row.distance == 0 ? block : bytes_words(*row.distance) + " into " + block;
}

/// "deposit() at bank.c:12 wrote 8 bytes right behind a block of 40 bytes."
std::string sentence_of(const HeapError& error) {
  const MemoryErrorRow& row = error.row;
  std::string who = users_place(error.stack);
  if (who.empty()) who = row.function.value_or("It");
  std::string sentence = who;
  if (row.kind == "double_free") {
    sentence += " freed a block of " + bytes_words(row.block_bytes.value_or(0)) + " a second time";
  } else if (row.kind == "invalid_free") {
    sentence += " freed " + hexadecimal(row.address) + ", where no block begins";
  } else if (row.kind == "mismatched_free") {
    sentence += " freed a block by another kind of function than gave it";
  } else if (row.kind == "invalid_argument") {
    sentence += " had the kernel use " + block_words(error);
  } else {
    sentence +=
        (writes(error) ? " wrote " : " read ") + bytes_words(row.size_bytes) + ", " + block_words(error);
  }
  if (row.times > 1) sentence += " (" + std::to_string(row.times) + " times)";
  return sentence + ".";
}

void tell_of_block(const HeapError& error, Verdict& verdict) {
  if (is_freed(error)) verdict.sentences.push_back("The block had been freed" + by(error.gone) + ".");
  if (error.row.relation) verdict.sentences.push_back("The block was allocated" + by(error.made) + ".");
}

/// The error that a verdict is about: the first damage done, else the last use of freed memory.
const HeapError* choose(const std::vector<HeapError>& errors, bool heap_is_damaged) {
  if (heap_is_damaged) {
    // What the allocator complained of is the last thing that was done.
    // Unless the pointer had been read from memory that was freed.
    const auto stale = std::find_if(errors.begin(), errors.end(), [](const HeapError& error) {
      return !releases(error) && is_freed(error);
    });
    if (errors.back().row.kind == "invalid_free" && stale != errors.end()) return &*stale;
    if (releases(errors.back()) && errors.back().row.kind != "mismatched_free") return &errors.back();
    const auto damage = std::find_if(errors.begin(), errors.end(), writes);
    return damage == errors.end() ? nullptr : &*damage;
  }
  const auto wrote = std::find_if(errors.begin(), errors.end(), writes);
  if (wrote != errors.end()) return &*wrote;
  const auto used = std::find_if(errors.rbegin(), errors.rend(), is_freed);
  return used == errors.rend() ? &errors.back() : &*used;
}

/// The fault came in malloc, free and the like: they were given a bad pointer, or their own data was
/// overwritten.
bool died_in_allocator(const Facts& facts) {
  if (!facts.fault) return false;
  for (const FrameFact& frame : facts.stack.inner) {
    if (frame.users) return false;
    const std::string name = short_function(frame.function);
    for (const char* function : {"free", "malloc", "calloc", "realloc", "__libc_free", "__libc_malloc",
                                 "__libc_calloc", "__libc_realloc", "_int_free", "_int_malloc"}) {
      if (name == function) return true;
    }
  }
  return false;
}

Category category_of(const HeapError& error) {
  if (error.row.kind == "double_free") return Category::double_free;
  if (error.row.kind == "invalid_free" || error.row.kind == "mismatched_free") return Category::invalid_free;
  return is_freed(error) ? Category::use_after_free : Category::heap_overrun;
}

std::string headline_of(Category category) {
  switch (category) {
    case Category::double_free:
      return "it freed the same memory twice";
    case Category::invalid_free:
      return "it freed a pointer that malloc never gave";
    case Category::use_after_free:
      return "the heap was damaged by a use of freed memory";
    default:
      return "the heap was damaged by an access outside a block";
  }
}

}  // namespace

bool asks_about_heap(const Verdict& verdict) {
  switch (verdict.category) {
    case Category::heap_corruption:
    case Category::double_free:
    case Category::invalid_free:
    case Category::wild_pointer:
    case Category::unmapped_memory:
    case Category::freed_map:
    case Category::null_access:
    case Category::null_call:
    case Category::bad_jump:
    case Category::write_to_read_only:
    case Category::uncaught_exception:
    case Category::assertion:
    case Category::abort:
      return true;
    default:
      return false;
  }
}

void tell_of_heap_errors(const Facts& facts, Verdict& verdict) {
  if (facts.heap_errors.empty()) return;
  const bool damaged = verdict.category == Category::heap_corruption ||
                       verdict.category == Category::double_free ||
                       verdict.category == Category::invalid_free || died_in_allocator(facts);
  const HeapError* const error = choose(facts.heap_errors, damaged);
  if (error == nullptr) return;
  if (damaged) {
    verdict.category = category_of(*error);
    verdict.headline = program_name(facts) + " died of " + signal_name(facts.run.signal) + ": " +
                       headline_of(verdict.category) + ".";
    verdict.sentences.clear();
    if (const FrameFact* const frame = error->stack.users()) verdict.place = *frame;
    verdict.sentences.push_back(sentence_of(*error));
  } else {
    verdict.sentences.push_back("Before that, " + sentence_of(*error));
  }
  tell_of_block(*error, verdict);
  if (facts.heap_errors.size() > 1)
    verdict.sentences.push_back("There are " + std::to_string(facts.heap_errors.size() - 1) +
                                " more errors of heap memory.");
  verdict.hints.push_back({"orrery show errors" + (facts.run.named.empty() ? "" : " " + facts.run.named),
                           "all of them, with their stacks"});
}

}  // namespace orrery::lens::why
