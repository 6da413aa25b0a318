#include "lens/tables.h"

#include "lens/collected.h"
#include "lens/lens.h"

namespace orrery::lens {

std::vector<db::TableDescription> all_tables() {
  std::vector<db::TableDescription> tables;
  for (const Lens* lens : all_lenses())
    for (db::TableDescription& table : lens->tables()) tables.push_back(std::move(table));
  tables.push_back(db::describe(kCollected));
  return tables;
}

}  // namespace orrery::lens
