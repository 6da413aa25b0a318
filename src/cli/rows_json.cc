#include "cli/rows_json.h"

namespace orrery::cli {

Fallible<nlohmann::ordered_json> rows_json(db::Database& database, const std::string& sql) {
  db::Statement rows = TRY(database.prepare(sql));
  auto array = nlohmann::ordered_json::array();
  while (TRY(rows.step())) {
    nlohmann::ordered_json row;
    for (int column = 0; column < rows.columns(); ++column) {
      nlohmann::ordered_json& value = row[std::string(rows.name(column))];
      if (rows.is_integer(column))
        value = rows.integer(column);
      else if (rows.is_real(column))
        value = rows.real(column);
      else if (!rows.is_null(column))
        value = std::string(rows.text(column));
    }
    array.push_back(std::move(row));
  }
  return array;
}

}  // namespace orrery::cli
