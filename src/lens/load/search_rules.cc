#include "lens/load/search_rules.h"

#include <algorithm>

#include "base/base_name.h"

namespace orrery::lens::load {
namespace {

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : slash == 0 ? "/" : path.substr(0, slash);
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

std::string without_end(std::string text, char end) {
  while (text.size() > 1 && text.back() == end) text.pop_back();
  return text;
}

/// Whether `directory` is `wanted` or one of those below it that hold builds for better processors.
bool is_within(const std::string& directory, const std::string& wanted) {
  if (directory == wanted) return true;
  if (!directory.starts_with(wanted + "/")) return false;
  const std::string below = directory.substr(wanted.size());
  const auto starts = [&](const char* each) { return below.starts_with(each); };
  return starts("/glibc-hwcaps/") || starts("/tls") || starts("/x86_64") || starts("/haswell");
}

bool holds(const std::vector<std::string>& directories, const std::string& directory) {
  return std::any_of(directories.begin(), directories.end(),
                     [&](const std::string& each) { return is_within(directory, each); });
}

/// The directories that are searched last: of a dynamic linker built as Debian does, or as upstream does.
bool is_default(const std::string& directory) {
  return holds(
      {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"},
      directory);
}

}  // namespace

std::vector<std::string> search_directories(const std::string& list, const std::string& separators,
                                            const std::string& origin) {
  std::vector<std::string> directories;
  for (std::size_t at = 0; !list.empty() && at <= list.size();) {
    const auto end = std::min(list.find_first_of(separators, at), list.size());
    std::string each = list.substr(at, end - at);
    for (const char* name : {"$ORIGIN", "${ORIGIN}"}) replace_all(each, name, origin);
    for (const char* name : {"$LIB", "${LIB}"}) replace_all(each, name, "lib/x86_64-linux-gnu");
    for (const char* name : {"$PLATFORM", "${PLATFORM}"}) replace_all(each, name, "x86_64");
    directories.push_back(without_end(each, '/'));
    at = end + 1;
  }
  return directories;
}

SearchRules::SearchRules(const StartStack& stack)
    : preloaded_(search_directories(stack.variable("LD_PRELOAD"), ": ", "")),
      library_path_(search_directories(stack.variable("LD_LIBRARY_PATH"), ":;",
                                       directory_of(stack.arguments.empty() ? "" : stack.arguments[0]))) {}

SearchRule SearchRules::rule_of(const std::string& path, const std::vector<LoadedObject>& objects) const {
  const std::string name(base_name(path)), directory = directory_of(path);
  const auto asks = [&](const LoadedObject& object) {
    if (!object.file) return false;
    const auto& needed = object.file->needed();
    return std::any_of(needed.begin(), needed.end(),
                       [&](const std::string& each) { return each == path || each == name; });
  };
  const auto asker = std::find_if(objects.begin(), objects.end(), asks);
  SearchRule rule{.asker = asker != objects.end() ? &*asker : nullptr};
  const bool is_preloaded = std::any_of(preloaded_.begin(), preloaded_.end(), [&](const std::string& each) {
    return each == path || each == name;
  });
  const auto is_listed = [&](const std::string& list, const LoadedObject& of) {
    return holds(search_directories(list, ":", directory_of(of.path)), directory);
  };
  const ObjectFile* file = rule.asker != nullptr ? rule.asker->file.get() : nullptr;
  const bool has_runpath = file != nullptr && !file->runpath().empty();
  const bool by_rpath = !has_runpath && rule.asker != nullptr &&
                        (is_listed(file->rpath(), *rule.asker) ||
                         (objects.front().file && is_listed(objects.front().file->rpath(), objects.front())));
  const bool as_needed = file != nullptr && std::find(file->needed().begin(), file->needed().end(), path) !=
                                                file->needed().end();
  if (is_preloaded && rule.asker == nullptr)
    rule.name = "LD_PRELOAD";
  else if (as_needed)
    rule.name = "as named";
  else if (by_rpath)
    rule.name = "DT_RPATH";
  else if (holds(library_path_, directory))
    rule.name = "LD_LIBRARY_PATH";
  else if (has_runpath && is_listed(file->runpath(), *rule.asker))
    rule.name = "DT_RUNPATH";
  else if (is_in_cache(path))
    rule.name = "cache";
  else
    rule.name = is_default(directory) ? "default" : "as named";
  return rule;
}

/// Its strings end with NUL; each path stands there once.
bool SearchRules::is_in_cache(const std::string& path) const {
  const auto* begin = path.c_str();
  return std::search(cache_.begin(), cache_.end(), begin, begin + path.size() + 1) != cache_.end();
}

}  // namespace orrery::lens::load
