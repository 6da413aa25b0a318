#include "lens/heap/own_allocator.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace orrery::lens::heap {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\n";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// At commas that are in no brackets: Pool<int, 4>::get(_, size) is one.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    if (at == text.size() || (text[at] == ',' && depth == 0)) {
      parts.push_back(trimmed(text.substr(begin, at - begin)));
      begin = at + 1;
    } else {
      depth += text[at] == '(' || text[at] == '<' ? 1 : text[at] == ')' || text[at] == '>' ? -1 : 0;
    }
  }
  return parts;
}

Failure trouble(std::string_view function, const std::string& what) {
  return Failure("--allocator: " + std::string(function) + ": " + what);
}

/// What an allocator's function is called in most programs.
AllocatorFunction guess(std::string_view name) {
  const auto has = [name](std::string_view word) { return name.find(word) != std::string_view::npos; };
  if (has("realloc")) return {.name = name, .kind = FunctionKind::reallocate, .size = 1, .pointer = 0};
  for (const std::string_view word : {"free", "release", "dealloc", "delete", "destroy"})
    if (has(word)) return {.name = name, .kind = FunctionKind::release, .pointer = 0};
  if (has("calloc")) return {.name = name, .kind = FunctionKind::allocate, .size = 1, .count = 0};
  return {.name = name, .kind = FunctionKind::allocate, .size = 0};
}

/// What the arguments say.
struct Arguments {
  u8 size = kNoArgument, count = kNoArgument, block = kNoArgument, to = kNoArgument;
  std::optional<u64> size_bytes{};

  u8* place_of(std::string_view word) {
    return word == "size"    ? &size
           : word == "count" ? &count
           : word == "block" ? &block
           : word == "to"    ? &to
                             : nullptr;
  }
};

Fallible<Arguments> read_arguments(std::string_view function, std::string_view list) {
  constexpr std::string_view kConstant = "size=";
  Arguments found;
  std::size_t number = 0;
  for (const std::string_view word : split(list)) {
    if (word.empty() && number == 0) break;
    if (word.starts_with(kConstant)) {
      u64 bytes = 0;
      const char* const end = word.data() + word.size();
      const auto read = std::from_chars(word.data() + kConstant.size(), end, bytes);
      if (read.ec != std::errc{} || read.ptr != end)
        return trouble(function, std::string(word) + " is no size in bytes");
      found.size_bytes = bytes;
      continue;
    }
    if (word != "_") {
      u8* const place = found.place_of(word);
      if (place == nullptr)
        return trouble(function, "an argument is size, count, block, to, size=BYTES or _, not \"" +
                                     std::string(word) + "\"");
      if (*place != kNoArgument) return trouble(function, std::string(word) + " is there twice");
      if (number >= kArgumentsKnown)
        return trouble(function, "only the first " + std::to_string(kArgumentsKnown) +
                                     " arguments are known: " + std::string(word) + " must be among them");
      *place = static_cast<u8>(number);
    }
    ++number;
  }
  return found;
}

Fallible<AllocatorFunction> function_of(std::string_view name, const Arguments& from) {
  const bool has_size = from.size != kNoArgument || from.size_bytes.has_value();
  if (from.size != kNoArgument && from.size_bytes) return trouble(name, "it has two sizes");
  if (from.block != kNoArgument && from.to != kNoArgument)
    return trouble(name, "it cannot both take a block and store one");
  if (from.block == kNoArgument && !has_size)
    return trouble(name, "which argument is the size? (size=BYTES if none is)");
  if (from.count != kNoArgument && !has_size) return trouble(name, "a count needs a size");
  AllocatorFunction made{.name = name,
                         .kind = FunctionKind::allocate,
                         .size = from.size,
                         .count = from.count,
                         .size_bytes = from.size_bytes.value_or(0)};
  if (from.block != kNoArgument) {
    made.kind = has_size ? FunctionKind::reallocate : FunctionKind::release;
    made.pointer = from.block;
  } else if (from.to != kNoArgument) {
    made.kind = FunctionKind::allocate_to;
    made.pointer = from.to;
  }
  return made;
}

}  // namespace

Fallible<OwnAllocator> OwnAllocator::parse(std::string_view words) {
  OwnAllocator made;
  words = trimmed(words);
  if (words.starts_with('+')) {
    made.joins_known_ = true;
    words.remove_prefix(1);
  }
  for (const std::string_view item : split(words)) {
    const auto open = item.ends_with(')') ? item.rfind('(') : std::string_view::npos;
    const auto& kept =
        made.names_.emplace_back(std::make_unique<const std::string>(trimmed(item.substr(0, open))));
    const std::string_view name = *kept;
    if (name.empty()) return Failure("--allocator: a function has no name in \"" + std::string(words) + "\"");
    if (open != std::string_view::npos) {
      const std::string_view list = item.substr(open + 1, item.size() - open - 2);
      made.functions_.push_back(TRY(function_of(name, TRY(read_arguments(name, list)))));
      continue;
    }
    const AllocatorFunction* const known = known_function(name);
    made.functions_.push_back(known != nullptr ? *known : guess(name));
    made.functions_.back().name = name;
  }
  return made;
}

std::string OwnAllocator::text() const {
  std::string text = joins_known_ ? "+" : "";
  for (const AllocatorFunction& function : functions_)
    text += (text.empty() || text == "+" ? "" : ", ") + text_of(function);
  return text;
}

std::string text_of(const AllocatorFunction& function) {
  std::string arguments;
  const auto add = [&](const std::string& word) { arguments += (arguments.empty() ? "" : ", ") + word; };
  int last = -1;
  for (const u8 each : {function.size, function.count, function.pointer})
    if (each != kNoArgument) last = std::max<int>(last, each);
  for (int number = 0; number <= last; ++number) {
    const bool is_to = function.kind == FunctionKind::allocate_to;
    add(number == function.size      ? "size"
        : number == function.count   ? "count"
        : number != function.pointer ? "_"
        : is_to                      ? "to"
                                     : "block");
  }
  if (function.size == kNoArgument && function.kind != FunctionKind::release)
    add("size=" + std::to_string(function.size_bytes));
  return std::string(function.name) + "(" + arguments + ")";
}

}  // namespace orrery::lens::heap
