// What the compiler and the standard library's headers expect of a C library, for a program that has
// none: memory primitives, operator new from the engine's heap, and the ends that must not be reached.
//
// The memory primitives use the rep string instructions: with "enhanced rep movsb" they are as fast as
// vector loops for the sizes the engine moves, and they leave the guest's vector registers alone.
#include <cstddef>
#include <new>

#include "base/check.h"
#include "base/heap.h"
#include "machine/fatal.h"
#include "machine/root.h"

extern "C" {

void* memcpy(void* __restrict to, const void* __restrict from, std::size_t bytes) {
  void* const result = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
  return result;
}

void* memmove(void* to, const void* from, std::size_t bytes) {
  if (to <= from || static_cast<const char*>(from) + bytes <= to) return memcpy(to, from, bytes);
  auto* last_to = static_cast<char*>(to) + bytes - 1;
  auto* last_from = static_cast<const char*>(from) + bytes - 1;
  __asm__ volatile("std; rep movsb; cld" : "+D"(last_to), "+S"(last_from), "+c"(bytes) : : "memory", "cc");
  return to;
}

void* memset(void* to, int value, std::size_t bytes) {
  void* const result = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
  return result;
}

int memcmp(const void* left, const void* right, std::size_t bytes) {
  const auto* a = static_cast<const unsigned char*>(left);
  const auto* b = static_cast<const unsigned char*>(right);
  for (std::size_t i = 0; i < bytes; ++i)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

std::size_t strlen(const char* text) {
  std::size_t length = 0;
  while (text[length] != 0) ++length;
  return length;
}

int strcmp(const char* left, const char* right) {
  while (*left != 0 && *left == *right) ++left, ++right;
  return static_cast<unsigned char>(*left) - static_cast<unsigned char>(*right);
}

void* memchr(const void* in, int value, std::size_t bytes) {
  auto* at = static_cast<unsigned char*>(const_cast<void*>(in));
  for (std::size_t i = 0; i < bytes; ++i)
    if (at[i] == static_cast<unsigned char>(value)) return at + i;
  return nullptr;
}

void __cxa_pure_virtual() { orrery::machine::die("a pure virtual call"); }
int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }
void* __dso_handle = nullptr;
[[noreturn]] void abort() { orrery::machine::die("abort"); }

}  // extern "C"

namespace std {
void __throw_length_error(const char* what) { orrery::machine::die(what); }
void __throw_out_of_range(const char* what) { orrery::machine::die(what); }
void __throw_out_of_range_fmt(const char* what, ...) { orrery::machine::die(what); }
void __throw_bad_alloc() { orrery::machine::die("out of memory"); }
void __throw_bad_array_new_length() { orrery::machine::die("array too long"); }
void __throw_bad_optional_access() { orrery::machine::die("empty optional"); }
void __throw_bad_variant_access(const char* what) { orrery::machine::die(what); }
void __throw_bad_variant_access(bool) { orrery::machine::die("wrong variant"); }
void __throw_logic_error(const char* what) { orrery::machine::die(what); }
void __throw_invalid_argument(const char* what) { orrery::machine::die(what); }
void __glibcxx_assert_fail(const char*, int, const char*, const char* what) noexcept {
  orrery::machine::die(what);
}
}  // namespace std

namespace {

void* allocate(std::size_t bytes, std::size_t align) {
  void* const block = orrery::machine::root().heap->allocate(bytes, align);
  if (block == nullptr) orrery::machine::die("the engine is out of memory");
  return block;
}

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes, 16); }
void* operator new[](std::size_t bytes) { return allocate(bytes, 16); }
void* operator new(std::size_t bytes, std::align_val_t align) {
  return allocate(bytes, static_cast<std::size_t>(align));
}
void operator delete(void* block) noexcept { orrery::machine::root().heap->free(block); }
void operator delete[](void* block) noexcept { orrery::machine::root().heap->free(block); }
void operator delete(void* block, std::size_t bytes) noexcept {
  orrery::machine::root().heap->free(block, bytes);
}
void operator delete[](void* block, std::size_t bytes) noexcept {
  orrery::machine::root().heap->free(block, bytes);
}
void operator delete(void* block, std::align_val_t) noexcept { orrery::machine::root().heap->free(block); }
void operator delete(void* block, std::size_t bytes, std::align_val_t) noexcept {
  orrery::machine::root().heap->free(block, bytes);
}

namespace orrery {

void check_failed(const CheckFailure& failure) {
  machine::report_check(failure.file, failure.line, failure.expression);
  machine::die(failure.message);
}

}  // namespace orrery
