#include "cli/why_descriptors.h"

#include "cli/collect.h"

namespace orrery::cli {
namespace {

using lens::why::HeldDescriptor;

/// The two ends of a pipe are made by one call.
Fallible<std::vector<HeldDescriptor>> read(const std::string& directory) {
  db::Database database = TRY(collect(directory, {{lens_of_table("descriptor")}}));
  db::Statement rows = TRY(database.prepare(
      "SELECT d.process, d.fd, d.file, f.kind, f.name, f.call, CASE WHEN f.kind = 'pipe' THEN "
      "(SELECT min(o.file) FROM open_file o WHERE o.process = f.process AND o.event = f.event AND o.ticks = "
      "f.ticks "
      "AND o.kind = 'pipe') ELSE 0 END FROM descriptor d JOIN open_file f USING (file) "
      "WHERE d.ending = 'process ended' ORDER BY d.process, d.fd"));
  std::vector<HeldDescriptor> all;
  while (TRY(rows.step())) {
    HeldDescriptor& held = all.emplace_back();
    held.process = static_cast<u32>(rows.integer(0));
    held.fd = static_cast<int>(rows.integer(1));
    held.file = static_cast<u64>(rows.integer(2));
    held.kind = rows.text(3);
    held.name = rows.text(4);
    held.opener = rows.text(5);
    held.pipe = static_cast<u64>(rows.integer(6));
  }
  return all;
}

}  // namespace

std::vector<HeldDescriptor> read_descriptors(const std::string& directory) {
  auto found = read(directory);
  return found ? found.take() : std::vector<HeldDescriptor>();
}

}  // namespace orrery::cli
