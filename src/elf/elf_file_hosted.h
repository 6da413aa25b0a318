// An ELF file as its three tables say it is: header, segments, sections. For any class, byte order and
// machine, whole or damaged. Nothing is copied: rows are decoded when asked for, from bytes that the caller
// keeps (mapped, so that a gigabyte of debug information costs nothing until somebody reads it).
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/failure_hosted.h"
#include "elf/file_bytes_hosted.h"

namespace orrery::elf {

struct FileHeader {
  u8 os_abi = 0;
  u8 abi_version = 0;
  u16 type = 0;
  u16 machine = 0;
  u32 version = 0;
  u64 entry = 0;
  u64 segments_offset = 0;
  u64 sections_offset = 0;
  u32 flags = 0;
  u16 header_size = 0;
  u16 segment_size = 0;   ///< of one row
  u64 segment_count = 0;  ///< as the file says, wherever it says it
  u16 section_size = 0;   ///< of one row
  u64 section_count = 0;  ///< as the file says
  u64 section_names = 0;  ///< index of the section that holds the sections' names
};

struct Segment {
  u64 index = 0;
  u64 row = 0;  ///< offset of its row in the file
  u32 type = 0;
  u32 flags = 0;
  u64 offset = 0;
  u64 address = 0;
  u64 physical = 0;
  u64 file_bytes = 0;
  u64 memory_bytes = 0;
  u64 alignment = 0;
};

struct Section {
  u64 index = 0;
  u64 row = 0;
  u32 name = 0;  ///< offset in the names
  u32 type = 0;
  u64 flags = 0;
  u64 address = 0;
  u64 offset = 0;
  u64 size = 0;
  u32 link = 0;
  u32 info = 0;
  u64 alignment = 0;
  u64 entry_size = 0;

  bool has_file_bytes() const;
  u64 file_bytes() const { return has_file_bytes() ? size : 0; }
};

class ElfFile {
 public:
  /// Fails when there is no ELF header that could be read; any other damage is noted.
  static Fallible<ElfFile> open(std::span<const u8> bytes);

  const FileBytes& bytes() const { return bytes_; }
  const FileHeader& header() const { return header_; }
  bool is_object() const;  ///< ET_REL
  bool is_core() const;    ///< ET_CORE
  /// The debug information of another file, which keeps that one's tables and not its bytes.
  bool is_debug_file() const { return debug_file_; }

  u64 segment_count() const { return segment_count_; }  ///< those that lie in the file
  Segment segment(u64 index) const;
  std::optional<Segment> find_segment(u32 type) const;  ///< the first
  u64 section_count() const { return section_count_; }
  Section section(u64 index) const;
  /// "" if it has none.
  std::string_view section_name(const Section& section);
  std::optional<Section> find_section(std::string_view name) const;
  std::optional<Section> find_section_of_type(u32 type) const;  ///< the first

  /// What the file has of it; nothing for one without file bytes.
  std::span<const u8> contents(const Section& section) const;
  /// The bytes that lie at `address` when the file is loaded: up to the end of the segment's file bytes.
  std::span<const u8> loaded_at(u64 address) const;
  std::optional<u64> offset_of(u64 address) const;

  DamageList& damages() { return damages_; }
  void damaged(u64 offset, std::string sentence) { damages_.add(offset, std::move(sentence)); }

 private:
  Fallible<Nothing> read_header(std::span<const u8> bytes);
  void read_extended_counts();
  void check_tables();
  void check_segments();
  void check_sections();
  void check_section(const Section& section);

  FileBytes bytes_;
  FileHeader header_;
  u64 segment_count_ = 0;
  u64 section_count_ = 0;
  bool debug_file_ = false;
  Strings names_;
  std::map<std::string_view, u64> by_name_;
  std::map<u32, u64> by_type_;
  DamageList damages_;
};

/// Whether readelf(1) would list the section under the segment: its file bytes and its addresses lie in it.
bool is_inside(const Section& section, const Segment& segment);

}  // namespace orrery::elf
