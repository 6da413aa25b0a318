#include "lens/load/link_troubles.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/base_name.h"

namespace orrery::lens::load {
namespace {

const LoadedObject* find_object(const std::vector<LoadedObject>& objects, const std::string& path) {
  const auto found = std::find_if(objects.begin(), objects.end(),
                                  [&](const LoadedObject& each) { return each.path == path; });
  return found != objects.end() && found->file ? &*found : nullptr;
}

/// What its own paths have to do with it.
std::string search_path_words(const LoadedObject& asker, const LoadedObject& program) {
  if (!asker.file->runpath().empty()) return "; its DT_RUNPATH is " + asker.file->runpath();
  if (!asker.file->rpath().empty()) return "; its DT_RPATH is " + asker.file->rpath();
  const bool is_program = asker.link_map == program.link_map;
  if (is_program || !program.file || program.file->runpath().empty()) return "";
  return "; it has no DT_RUNPATH, and that of " + program.path + " (" + program.file->runpath() +
         ") serves only what that file needs itself";
}

/// The full paths in ld.so.cache that end with "/NAME".
std::vector<std::string> cached_paths(std::span<const u8> cache, const std::string& name) {
  const std::string wanted = "/" + name;
  std::vector<std::string> paths;
  for (auto at = cache.begin();;) {
    const auto* begin = wanted.c_str();
    at = std::search(at, cache.end(), begin, begin + wanted.size() + 1);
    if (at == cache.end()) return paths;
    const auto start = std::find(std::make_reverse_iterator(at), cache.rend(), 0).base();
    paths.emplace_back(start, at + static_cast<std::ptrdiff_t>(wanted.size()));
    at += static_cast<std::ptrdiff_t>(wanted.size());
  }
}

}  // namespace

std::vector<Trouble> find_missing_libraries(const std::vector<SearchRow>& searches,
                                            const std::vector<LoadedObject>& objects) {
  std::map<std::string, std::vector<const SearchRow*>> by_name;
  for (const SearchRow& row : searches) by_name[row.name].push_back(&row);
  std::vector<Trouble> troubles;
  for (const auto& [name, rows] : by_name) {
    if (std::any_of(rows.begin(), rows.end(), [](const SearchRow* row) { return row->found; })) continue;
    std::string words =
        "not found in " + std::to_string(rows.size()) + (rows.size() == 1 ? " place" : " places");
    const auto asked =
        std::find_if(rows.begin(), rows.end(), [](const SearchRow* row) { return row->needed_by; });
    if (asked != rows.end()) {
      words += "; " + *(*asked)->needed_by + " needs it";
      if (const LoadedObject* asker = find_object(objects, *(*asked)->needed_by))
        words += search_path_words(*asker, objects.front());
    } else if (rows.front()->rule == "LD_PRELOAD") {
      words += "; LD_PRELOAD names it, and the program runs without it";
    }
    troubles.push_back({"missing library", name, words, asked != rows.end()});
  }
  return troubles;
}

std::vector<Trouble> find_missing_versions(const std::vector<LoadedObject>& objects) {
  std::vector<Trouble> troubles;
  for (const LoadedObject& user : objects) {
    if (!user.file) continue;
    for (const NeededVersion& wanted : user.file->needed_versions()) {
      const auto provider = std::find_if(objects.begin(), objects.end(), [&](const LoadedObject& each) {
        return each.file && each.name_space == user.name_space &&
               (each.file->soname() == wanted.library || base_name(each.path) == wanted.library);
      });
      if (provider == objects.end() || wanted.is_weak || provider->file->defines_version(wanted.name))
        continue;
      troubles.push_back({"missing version", wanted.name,
                          user.path + " wants it of " + provider->path + ", which does not define it"});
    }
  }
  return troubles;
}

std::vector<Trouble> find_shadowed(const std::vector<SearchRow>& searches, std::span<const u8> cache) {
  std::vector<Trouble> troubles;
  for (const SearchRow& row : searches) {
    const bool is_before_cache =
        row.rule == "DT_RPATH" || row.rule == "LD_LIBRARY_PATH" || row.rule == "DT_RUNPATH";
    if (!row.found || !is_before_cache) continue;
    for (const std::string& path : cached_paths(cache, row.name)) {
      if (path == row.path) continue;
      troubles.push_back(
          {"shadowed", row.name,
           row.path + " was taken by " + row.rule + " before " + path + ", which ld.so.cache has"});
      break;
    }
  }
  return troubles;
}

std::vector<Trouble> find_interposed_allocator(const std::vector<InterpositionRow>& interpositions) {
  static const std::set<std::string> kAllocator = {"malloc",        "calloc",         "realloc", "free",
                                                   "aligned_alloc", "posix_memalign", "memalign"};
  std::vector<Trouble> troubles;
  for (const InterpositionRow& row : interpositions) {
    const bool is_librarys =
        base_name(row.loser).starts_with("libc.so") || base_name(row.loser).starts_with("ld-musl");
    if (!kAllocator.contains(row.symbol) || !is_librarys) continue;
    troubles.push_back({"interposed", row.symbol,
                        row.winner + " provides it in place of " + row.loser + " (" +
                            std::to_string(row.bindings) + (row.bindings == 1 ? " binding)" : " bindings)")});
  }
  return troubles;
}

bool is_defined(const std::vector<LoadedObject>& objects, std::string_view symbol) {
  return std::any_of(objects.begin(), objects.end(), [&](const LoadedObject& each) {
    return each.file && each.file->find_definition(symbol) != nullptr;
  });
}

}  // namespace orrery::lens::load
