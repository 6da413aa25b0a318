// What `orrery show cache --by site` and `--by field` say of one program: misses of data by the memory object
// and by the structure member that was accessed.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/failure_hosted.h"
#include "cli/heap_stacks.h"
#include "cli/style.h"
#include "db/database.h"
#include "lens/cache/program_cache.h"
#include "lens/cache/program_objects.h"

namespace orrery::cli {

/// Of the programs of these processes, in their order. `condition`: SQL over `process`.
Fallible<std::vector<lens::cache::ObjectRows>> read_objects(db::Database& database,
                                                            const std::string& condition);

struct ObjectView {
  bool by_field = false;  ///< else by site
  bool all = false;       ///< not only the first rows
  lens::cache::CacheRow caches{};
};

/// `stacks`: of the program's heap.
std::string objects_text(const lens::cache::ObjectRows& rows, const HeapStacks& stacks,
                         const ObjectView& view, const Style& style);
nlohmann::ordered_json objects_json(const lens::cache::ObjectRows& rows, const HeapStacks& stacks,
                                    const ObjectView& view);

}  // namespace orrery::cli
