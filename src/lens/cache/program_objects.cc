#include "lens/cache/program_objects.h"

#include "lens/known.h"

namespace orrery::lens::cache {
namespace {

const char* name_of(SiteKind kind) {
  switch (kind) {
    case SiteKind::heap:
      return "heap";
    case SiteKind::global:
      return "global";
    case SiteKind::stack:
      return "stack";
    case SiteKind::mapping:
      break;
  }
  return "mapping";
}

bool is_counted(const DataCounts& counts) {
  return counts.reads.references != 0 || counts.writes.references != 0;
}

template <class Row>
Row counted(Row row, const DataCounts& counts) {
  row.reads = counts.reads.references;
  row.d1_read_misses = counts.reads.first;
  row.d2_read_misses = counts.reads.second;
  row.dll_read_misses = counts.reads.last;
  row.dtlb_read_misses = counts.reads.buffer;
  row.writes = counts.writes.references;
  row.d1_write_misses = counts.writes.first;
  row.d2_write_misses = counts.writes.second;
  row.dll_write_misses = counts.writes.last;
  row.dtlb_write_misses = counts.writes.buffer;
  return row;
}

}  // namespace

void ObjectRows::set_program(u32 of_process, u32 number) {
  process = of_process, program = number;
  for (SiteRow& row : sites) row.process = process, row.program = program;
  for (FieldRow& row : fields) row.process = process, row.program = program;
}

Status ProgramObjects::look_at_files(ReplaySession& session) {
  files_.look(session);
  return look_at_map(session);
}

Status ProgramObjects::look_at_map(ReplaySession& session) {
  objects_.look(session);
  return Nothing{};
}

Status ProgramObjects::before_unmapping(ReplaySession&, u64 start, u64 end) {
  if (!files_.overlap(start, end)) return Nothing{};
  data_.forget(start, end, [this](const elf::DataTypes& types) { fields_.forget(types); });
  files_.forget(start, end);
  return Nothing{};
}

Status ProgramObjects::finish(ReplaySession&) {
  const ObjectCounter::Rest rest = counter_.finish();
  frame_.add(rest.frame);
  unknown_.add(rest.unknown);
  return Nothing{};
}

ObjectRows ProgramObjects::rows() const {
  ObjectRows rows{.heap_program = heap_program_};
  for (const Site& site : objects_.sites()) {
    if (!is_counted(site.counts)) continue;
    const bool is_stack = site.kind == SiteKind::stack;
    const profile::Function& function = files_.functions()[site.function];
    SiteRow row{.kind = name_of(site.kind),
                .node = site.kind == SiteKind::heap ? std::optional(site.node) : std::nullopt,
                .name = known(is_stack ? function.name : site.name),
                .object = known(is_stack ? function.object : site.object),
                .task = is_stack ? std::optional(site.task) : std::nullopt};
    rows.sites.push_back(counted(std::move(row), site.counts));
  }
  for (const Field& field : fields_.fields()) {
    if (!is_counted(field.counts)) continue;
    FieldRow row{.kind = "type",
                 .type = known(field.type),
                 .member = known(field.member),
                 .offset = field.offset_bytes,
                 .size_bytes = field.size_bytes};
    rows.fields.push_back(counted(std::move(row), field.counts));
  }
  if (is_counted(frame_)) rows.fields.push_back(counted(FieldRow{.kind = "frame"}, frame_));
  if (is_counted(unknown_)) rows.fields.push_back(counted(FieldRow{.kind = "unknown"}, unknown_));
  return rows;
}

}  // namespace orrery::lens::cache
