#include "lens/cache/field_table.h"

namespace orrery::lens::cache {
namespace {

constexpr u64 kLayoutBytesMost = 1 << 16;

}  // namespace

u32 FieldTable::add(const std::string& type, const elf::MemberPlace& member) {
  const auto [known, is_new] = numbers_.try_emplace(
      {type, member.path, member.offset_bytes, member.size_bytes}, static_cast<u32>(fields_.size()));
  if (is_new)
    fields_.push_back({.type = type,
                       .member = member.path,
                       .offset_bytes = member.offset_bytes,
                       .size_bytes = member.size_bytes});
  return known->second;
}

u32 FieldTable::field_at(elf::DataTypes& types, elf::TypeId type, u64 offset_bytes, u64 access_bytes) {
  elf::MemberPlace member = types.member_at(type, offset_bytes, access_bytes);
  if (member.path.empty() && types.type(type).kind == elf::TypeKind::record)
    member.offset_bytes = offset_bytes, member.size_bytes = 0;  // of no member
  return add(types.type(type).name, member);
}

u32 FieldTable::layout_of(elf::DataTypes& types, elf::TypeId type) {
  const elf::DataType known = types.type(type);
  if (known.kind != elf::TypeKind::record || known.size_bytes == 0 || known.size_bytes > kLayoutBytesMost)
    return kNone;
  const auto [number, is_new] =
      layout_numbers_.try_emplace({&types, type}, static_cast<u32>(layouts_.size()));
  if (!is_new) return number->second;
  Layout layout{.size_bytes = known.size_bytes};
  while (layout.fields.size() < known.size_bytes) {
    const u64 at = layout.fields.size();
    const elf::MemberPlace member = types.member_at(type, at, 0);
    const u64 rest = member.path.empty() || member.size_bytes <= member.within_bytes
                         ? 1
                         : member.size_bytes - member.within_bytes;
    const u32 field = field_at(types, type, at, 0);
    layout.fields.resize(std::min(known.size_bytes, at + rest), field);
  }
  layouts_.push_back(std::move(layout));
  return number->second;
}

void FieldTable::forget(const elf::DataTypes& types) {
  std::erase_if(layout_numbers_, [&](const auto& each) { return each.first.first == &types; });
}

}  // namespace orrery::lens::cache
