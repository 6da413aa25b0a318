// What `orrery show cache` says of one program: references and misses in modelled caches.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "cli/style.h"
#include "db/database.h"
#include "lens/cache/program_cache.h"

namespace orrery::cli {

/// Of the programs of these processes, in their order. `condition`: SQL over `process`.
Fallible<std::vector<lens::cache::CacheRows>> read_caches(db::Database& database,
                                                          const std::string& condition);

/// `by_line`: rows are lines; else functions.
std::string cache_text(const lens::cache::CacheRows& rows, bool by_line, bool all, const Style& style);
nlohmann::ordered_json cache_json(const lens::cache::CacheRows& rows, bool by_line);

/// What all reports of caches say of their shapes and of the sums; `with_code`: of fetches, too.
std::string cache_sums_text(const lens::cache::CacheRow& caches, const lens::cache::CacheLineRow& sum,
                            bool with_code);
nlohmann::ordered_json caches_json(const lens::cache::CacheRow& caches);

}  // namespace orrery::cli
