#include "lens/errors/error_finder.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include "base/base_name.h"
#include "translate/definedness.h"

namespace orrery::lens::errors {

using heap::FunctionKind;
using translate::Access;
using translate::AccessBy;
using translate::AccessKind;

namespace {

/// By the name of a function (Itanium C++ ABI, 5.1.5: operators new, new[], delete and delete[]).
Family family_of(std::string_view name) {
  if (name.starts_with("_Znw") || name.starts_with("_Zdl")) return Family::scalar_new;
  if (name.starts_with("_Zna") || name.starts_with("_Zda")) return Family::array_new;
  return Family::malloc;
}

}  // namespace

std::unique_ptr<ErrorFinder> ErrorFinder::forked() const {
  return std::unique_ptr<ErrorFinder>(new ErrorFinder(shadow_, blocks_));
}

void ErrorFinder::watch(const heap::FileFunctions& file) {
  for (const auto& [address, function] : file.by_address) {
    functions_[address] = static_cast<u32>(by_number_.size());
    by_number_.push_back({*function, family_of(function->name)});
  }
  if (file.by_address.empty()) return;
  // In the C library, what its allocator has besides lies right before malloc (sysmalloc, the functions that
  // lock it for a fork).
  constexpr u64 kBesidesBytes = 16 << 10;
  const bool is_c_library =
      base_name(file.path).starts_with("libc.so") || base_name(file.path).starts_with("libc-");
  const u64 first = file.by_address.begin()->first, last = file.by_address.rbegin()->first;
  allocators_.push_back({first - (is_c_library ? kBesidesBytes : 0), last});
}

void ErrorFinder::entered(const translate::EnteredAllocator& entered) {
  const u32* const number = functions_.find(entered.pc);
  if (number == nullptr) return;
  Pending& made = pending();
  // One that was left by longjmp or an exception does not count as being in it.
  if (made.rsp != 0 && made.rsp >= entered.rsp) return;
  made = {.rsp = entered.rsp, .function = *number, .place = place(entered.pc)};
  for (int argument = 0; argument < 3; ++argument) made.arguments[argument] = entered.arguments[argument];
  made.called_from = entered.return_address == 0 ? 0 : entered.return_address - 1;
  const heap::AllocatorFunction& function = by_number_[*number].function;
  if (function.kind == FunctionKind::release) take_back(made, made.arguments[function.pointer]);
  // What no block begins at is wrong whatever realloc does about it; it may well not return.
  if (function.kind == FunctionKind::reallocate && blocks_.find(made.arguments[function.pointer]) == nullptr)
    take_back(made, made.arguments[function.pointer]);
}

void ErrorFinder::returned(u64 rsp, u64 rax, u64 given) {
  Pending& made = pending();
  if (made.rsp != rsp || rsp == 0) return;
  const Pending from = made;
  made.rsp = 0;
  const heap::AllocatorFunction& function = by_number_[from.function].function;
  if (function.kind == FunctionKind::release) return;
  if (function.kind == FunctionKind::measure) return measured(from.arguments[function.pointer], rax);
  const u64 pointer = function.kind == FunctionKind::reallocate ? from.arguments[function.pointer] : 0;
  const bool takes_back = blocks_.find(pointer) != nullptr;
  if (takes_back && (rax != 0 || function.size_asked(from.arguments) == 0)) {
    take_back(from, pointer);
    // A block that was made shorter or longer where it is has not gone.
    if (given == pointer) blocks_.forget_last_gone();
  }
  if (given != 0) give(from, given);
}

bool ErrorFinder::mapped(i32 task, u64 address, u64 size_bytes) {
  const bool by_allocator = pending_[task].rsp != 0;
  by_allocator ? shadow_.hold(address, size_bytes) : shadow_.let_go(address, size_bytes);
  return by_allocator;
}

void ErrorFinder::give(const Pending& by, u64 address) {
  const Watched& watched = by_number_[by.function];
  const u64 size = watched.function.size_asked(by.arguments);
  shadow_.give(address, size);
  blocks_.give({.address = address,
                .size_bytes = size,
                .family = watched.family,
                .made = by.place,
                .made_by = by.called_from});
}

/// The program has been told that it may use so many bytes of a block.
void ErrorFinder::measured(u64 address, u64 size_bytes) {
  const HeapBlock* const block = blocks_.find(address);
  if (block == nullptr || size_bytes <= block->size_bytes) return;
  shadow_.give(address, size_bytes);
  blocks_.set_usable(address, size_bytes);
}

bool ErrorFinder::is_allocators(u64 pc) const {
  return std::any_of(allocators_.begin(), allocators_.end(),
                     [&](const memory::layout::Range& code) { return code.contains(pc); });
}

void ErrorFinder::take_back(const Pending& by, u64 address) {
  if (address == 0 || (blocks_.find(address) == nullptr && is_allocators(by.called_from))) return;
  MemoryError error{.place = by.place, .called_from = by.called_from, .address = address};
  if (const HeapBlock* const block = blocks_.find(address)) {
    if (block->family != by_number_[by.function].family) {
      error.kind = ErrorKind::mismatched_free;
      error.neighbour = Neighbour{*block, true, Relation::inside, 0};
      add(error, by.called_from);
    }
    shadow_.take_back(address, std::max(block->size_bytes, block->usable_bytes));
    return blocks_.take_back(address, by.place, by.called_from);
  }
  if (borrowed_pages_.contains(page_floor(address))) return;
  error.neighbour = blocks_.neighbour(address);
  const bool was_block = error.neighbour && !error.neighbour->live &&
                         error.neighbour->relation == Relation::inside && error.neighbour->distance == 0;
  error.kind = was_block ? ErrorKind::double_free : ErrorKind::invalid_free;
  add(error, by.called_from);
}

/// Which of the bytes there are blocks, the child's allocator knew: all of them may be.
void ErrorFinder::borrowed(u64 address, u64 size_bytes) {
  for (u64 page = page_floor(address); page < address + size_bytes; page += kPageBytes) {
    shadow_.give(page, kPageBytes);
    borrowed_pages_.insert(page);
  }
}

void ErrorFinder::suspect(const Access& access) {
  if (is_allocators(access.pc)) return;
  if (access.by == AccessBy::kernel && makers_.contains(reader_.task))
    return borrowed(access.address, access.size_bytes);
  const u64 pc = access.pc;
  MemoryError error{.place = place(pc),
                    .address = access.address,
                    .size_bytes = access.size_bytes,
                    .writes = access.kind != AccessKind::read};
  error.kind = access.by == AccessBy::kernel ? ErrorKind::invalid_argument
               : error.writes                ? ErrorKind::invalid_write
                                             : ErrorKind::invalid_read;
  // strcmp for processors without more than SSE2 reads its vectors in two halves.
  constexpr u64 kHalfVectorBytes = 8, kVectorBytes = 16;
  if (error.kind == ErrorKind::invalid_read && access.size_bytes == kHalfVectorBytes)
    error.partly_allowed = shadow_.allows_some(access.address - kHalfVectorBytes, kVectorBytes);
  if (error.kind == ErrorKind::invalid_read && access.size_bytes >= kVectorBytes) {
    // strlen begins with 64 bytes that are aligned only to 16.
    constexpr u64 kFirstBytes = 64;
    const u64 group = access.address & ~(kWideReadBytes - 1);
    const u64 from = std::min(group, access.address - kFirstBytes);
    error.partly_allowed = shadow_.allows_some(from, group + kWideReadBytes - from);
    const bool aligned = access.address % access.size_bytes == 0 && std::has_single_bit(access.size_bytes);
    if (aligned && shadow_.allows_some(access.address, access.size_bytes)) return;
  }
  add(error, pc + (error.partly_allowed ? 1 : 0));
}

/// `same`: where it was made, or one more for those that are told apart there.
void ErrorFinder::undefined(u64 pc, u64 kind, u64 origin) {
  using Kind = translate::UndefinedUse::Kind;
  const auto use = static_cast<Kind>(kind);
  MemoryError error{.kind = use == Kind::jump      ? ErrorKind::undefined_jump
                            : use == Kind::address ? ErrorKind::undefined_address
                                                   : ErrorKind::undefined_argument,
                    .place = place(pc),
                    .address = origin};
  if (!add(error, pc)) return;
  std::optional<Neighbour> neighbour = blocks_.neighbour(origin);
  if (neighbour && neighbour->relation == Relation::inside) errors_.back().neighbour = std::move(neighbour);
}

/// False if it is one more of those known already.
bool ErrorFinder::add(MemoryError error, u64 same) {
  const auto [known, is_new] = numbers_.try_emplace({error.kind, same}, errors_.size());
  if (!is_new) {
    ++errors_[known->second].count;
    return false;
  }
  if (error.size_bytes != 0)
    error.neighbour = blocks_.neighbour(shadow_.first_forbidden(error.address, error.size_bytes));
  errors_.push_back(error);
  return true;
}

}  // namespace orrery::lens::errors
