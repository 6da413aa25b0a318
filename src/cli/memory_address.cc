#include "cli/memory_address.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/hexadecimal_hosted.h"
#include "cli/at_option.h"
#include "cli/heap_block.h"
#include "cli/recorded_files.h"
#include "cli/recording_text.h"
#include "cli/replay_process.h"
#include "elf/symbolizer_hosted.h"
#include "elf/unwind_hosted.h"
#include "lens/code_place.h"
#include "lens/instants.h"
#include "lens/load/object_file.h"
#include "lens/run_summary.h"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr u64 kBytesShown = 16;
constexpr u64 kRedZoneBytes = 128;  ///< below the stack pointer, a leaf function's own (System V ABI, 3.2.2)

Json bytes_at(lens::ReplaySession& session, u64 address) {
  u8 bytes[kBytesShown] = {};
  const u64 count = session.read(address, bytes);
  std::string text;
  char digits[4];
  for (u64 at = 0; at < count; ++at) {
    std::snprintf(digits, sizeof digits, "%s%02x", at == 0 ? "" : " ", bytes[at]);
    text += digits;
  }
  return count == 0 ? Json(nullptr) : Json(text);
}

Json symbol_at(lens::ReplaySession& session, u64 address) {
  const elf::Location place = elf::locate(session.images(), address);
  if (place.symbol.empty()) return nullptr;
  Json found = {{"name", place.symbol}, {"offset", place.symbol_offset}, {"line", nullptr}};
  if (!place.frames.empty() && place.frames.front().source.line != 0)
    found["line"] = place.frames.front().source.file + ":" + std::to_string(place.frames.front().source.line);
  return found;
}

/// The section that the file's headers have there.
Json section_at(lens::ReplaySession& session, u64 address) {
  const elf::MappedRegion* region = session.find_region(address);
  const elf::Image* image = session.images().find(address);
  // The pages of .bss behind the file's last one are anonymous, and no region of the file.
  const std::string kept = image != nullptr ? image->kept_file : region != nullptr ? region->kept_file : "";
  const auto file = kept.empty() ? nullptr : lens::load::ObjectFile::open(kept);
  if (!file) return nullptr;
  u64 first = ~u64{0};
  for (const elf::MappedRegion& each : session.regions())
    if (each.kept_file == kept) first = std::min(first, each.start);
  const std::string section = file->section_at(address - first + page_floor(file->first_address()));
  return section.empty() ? Json(nullptr) : Json(section);
}

/// Whose frame of the task that runs at the instant holds the address. Null if none does.
Json frame_at(lens::ReplaySession& session, u64 address) {
  const u64 pointer = session.registers().gpr[elf::kRspIndex];
  if (address < pointer && pointer - address > kRedZoneBytes) return nullptr;
  const elf::Stack stack = elf::unwind(session, session.images());
  for (std::size_t at = 0; at < stack.frames.size(); ++at) {
    const elf::Frame& frame = stack.frames[at];
    if (!frame.cfa) return nullptr;
    if (address >= *frame.cfa) continue;
    const elf::Location place = elf::locate(session.images(), frame.lookup_pc());
    const bool is_return = address >= *frame.cfa - sizeof(u64);
    return {{"number", at},
            {"function", place.symbol.empty() ? Json(nullptr) : Json(lens::short_function(place.symbol))},
            {"below_its_end", *frame.cfa - address},
            {"holds", address < pointer ? "red zone"
                      : is_return       ? "return address"
                                        : "locals"}};
  }
  return nullptr;
}

Fallible<Nothing> go(lens::ReplaySession& session, const LayerOptions& options) {
  if (options.instant) return lens::seek(session, *options.instant);
  const auto stopped = session.run_to_end();
  if (!stopped) return Failure(stopped.error());
  return Nothing{};
}

std::string frame_words(const Json& frame) {
  const std::string function = frame["function"].is_null() ? "a function without a name" : frame["function"];
  return frame["holds"].get<std::string>() + " in frame " + std::to_string(frame["number"].get<u64>()) +
         ", of " + function;
}

}  // namespace

Fallible<u64> parse_address(const std::string& text) {
  const std::string digits = text.starts_with("0x") ? text.substr(2) : text;
  u64 address = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), address, 16);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size())
    return Failure(text + " is no address: one is hexadecimal, as 0x7f001234");
  return address;
}

Fallible<Json> name_address(const LayerOptions& options, const ProcessMap& map, u64 address) {
  const lens::Recording recording = TRY(lens::open_recording(options.directory));
  const u32 process = static_cast<u32>(map.process);
  auto run = lens::summarize(options.directory, recording.trace, recording.tree.at(process));
  if (!run) return Failure(run.error());
  auto replay = ReplayProcess::start(options.directory, {.asked = process, .trace = recording.trace});
  if (!replay) return Failure(replay.error());
  RecordedFiles files(options.directory);
  auto session = replay.value()->attach(files.of(run.value()));
  if (!session) return Failure(session.error());
  TRY(go(*session.value(), options));

  Json found = {{"address", address}, {"process", map.process}, {"at", nullptr}};
  if (options.instant) found["at"] = instant_json(*options.instant);
  const MapPiece* piece = find_piece(map, address);
  found["mapped"] = piece != nullptr;
  if (piece == nullptr) return found;
  found["start"] = piece->start;
  found["end"] = piece->end;
  found["permissions"] = piece->permissions;
  found["meaning"] = piece->meaning;
  found["object"] = piece->object.empty() ? Json(nullptr) : Json(piece->object);
  found["file_offset"] =
      piece->file_offset ? Json(*piece->file_offset + (address - piece->start)) : Json(nullptr);
  found["thread"] = piece->thread != 0 ? Json(piece->thread) : Json(nullptr);
  found["made_by"] = piece->made_by;
  found["begin_ns"] = piece->begin_ns;
  found["section"] = piece->object.empty() ? Json(nullptr) : section_at(*session.value(), address);
  found["symbol"] = piece->object.empty() ? Json(nullptr) : symbol_at(*session.value(), address);
  found["frame"] = piece->meaning == "stack" ? frame_at(*session.value(), address) : Json(nullptr);
  found["bytes"] = bytes_at(*session.value(), address);
  const bool may_be_heap = piece->meaning == "heap" || piece->meaning == "anonymous";
  found["block"] = may_be_heap ? TRY(find_heap_block(options.directory, process, options.instant, address))
                               : Json(nullptr);
  return found;
}

void print_address(const Json& found) {
  const u64 address = found["address"];
  if (!found["mapped"]) {
    std::printf("%s is not mapped in process #%ld then\n", hexadecimal(address).c_str(),
                found["process"].get<i64>());
    return;
  }
  std::string words = found["meaning"];
  if (!found["thread"].is_null()) words += " of thread " + std::to_string(found["thread"].get<i64>());
  if (!found["section"].is_null()) words = found["section"];
  if (!found["object"].is_null()) words += " of " + found["object"].get<std::string>();
  std::printf("%s: %s\n", hexadecimal(address).c_str(), printable(words).c_str());
  if (const Json& symbol = found["symbol"]; !symbol.is_null()) {
    const u64 offset = symbol["offset"];
    std::printf(
        "  symbol   %s%s%s\n", printable(symbol["name"].get<std::string>()).c_str(),
        offset != 0 ? (" + " + std::to_string(offset)).c_str() : "",
        symbol["line"].is_null() ? "" : (", " + printable(symbol["line"].get<std::string>())).c_str());
  }
  if (const Json& frame = found["frame"]; !frame.is_null())
    std::printf("  frame    %s\n", printable(frame_words(frame)).c_str());
  if (const Json& block = found["block"]; !block.is_null())
    std::printf("  block    %s\n", printable(heap_block_words(block, address)).c_str());
  else if (found["meaning"] == "heap")
    std::printf("  block    none: it is the allocator's own, or was never given out\n");
  std::printf("  piece    %s-%s %s, %lu bytes from its start; there since %s%s\n",
              hexadecimal(found["start"]).c_str(), hexadecimal(found["end"]).c_str(),
              found["permissions"].get<std::string>().c_str(), address - found["start"].get<u64>(),
              milliseconds(found["begin_ns"].get<double>()).c_str(),
              found["made_by"].get<std::string>().empty()
                  ? ""
                  : (", by " + printable(found["made_by"].get<std::string>())).c_str());
  if (!found["file_offset"].is_null() && found["section"] != ".bss")
    std::printf("  in file  at offset %s\n", hexadecimal(found["file_offset"]).c_str());
  if (!found["bytes"].is_null()) std::printf("  bytes    %s\n", found["bytes"].get<std::string>().c_str());
}

}  // namespace orrery::cli
