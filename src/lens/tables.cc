#include "lens/tables.h"

namespace orrery::lens {

std::vector<db::TableDescription> all_tables() { return {}; }

}  // namespace orrery::lens
