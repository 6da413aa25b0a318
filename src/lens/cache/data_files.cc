#include "lens/cache/data_files.h"

#include <algorithm>

#include "elf/demangle_hosted.h"
#include "elf/function_names_hosted.h"

namespace orrery::lens::cache {

DataFiles::File::File(const elf::Image& of) : image(&of), types(of) {
  elf::each_object(of, [&](const elf::NamedData& data) {
    if (data.address >= of.start && data.address < of.end)
      symbols.push_back({data.address, data.address + data.size_bytes, elf::demangle(data.name)});
  });
  // Of several names the first, and the larger of two that overlap.
  std::stable_sort(symbols.begin(), symbols.end(), [](const DataSymbol& left, const DataSymbol& right) {
    return left.begin != right.begin ? left.begin < right.begin : left.end > right.end;
  });
  u64 past = 0;
  std::erase_if(symbols, [&](const DataSymbol& symbol) {
    if (symbol.begin < past) return true;
    past = symbol.end;
    return false;
  });
}

DataFiles::File* DataFiles::file_at(u64 address) {
  const elf::Image* const image = files_.image_at(address);
  if (image == nullptr) return nullptr;
  std::unique_ptr<File>& file = known_[image];
  if (file == nullptr) file = std::make_unique<File>(*image);
  return file.get();
}

void DataFiles::forget(u64 start, u64 end, const std::function<void(const elf::DataTypes&)>& tell) {
  std::erase_if(known_, [&](const auto& each) {
    if (each.first->start >= end || start >= each.first->end) return false;
    tell(each.second->types.types());
    return true;
  });
}

const DataSymbol* DataFiles::symbol_at(u64 address) {
  const File* const file = file_at(address);
  if (file == nullptr) return nullptr;
  const auto above =
      std::upper_bound(file->symbols.begin(), file->symbols.end(), address,
                       [](u64 wanted, const DataSymbol& symbol) { return wanted < symbol.begin; });
  if (above == file->symbols.begin()) return nullptr;
  const DataSymbol& symbol = *std::prev(above);
  return address < symbol.end ? &symbol : nullptr;
}

std::pair<u64, u64> DataFiles::gap_at(u64 address) {
  const File* const file = file_at(address);
  if (file == nullptr) return {address, address + 1};
  std::pair<u64, u64> gap{file->image->start, file->image->end};
  for (const DataSymbol& symbol : file->symbols) {
    if (symbol.end <= address) gap.first = symbol.end;
    if (symbol.begin > address) return {gap.first, symbol.begin};
  }
  return gap;
}

CodeTypes* DataFiles::types_at(u64 address) {
  File* const file = file_at(address);
  return file != nullptr ? &file->types : nullptr;
}

InstructionData DataFiles::data_at(u64 pc) {
  CodeTypes* const types = types_at(pc);
  const elf::TableFunction* const function = files_.table_function_at(pc);
  if (types == nullptr || function == nullptr) return {};
  return types->find(pc, function->address, function->end);
}

}  // namespace orrery::lens::cache
