// An ELF file as JSON, by docs/file.schema.json. The tables are streamed, a row at a time.
#pragma once

#include <string>
#include <vector>

#include "cli/file_parts.h"
#include "elf/archive_hosted.h"
#include "lens/file/facts.h"

namespace orrery::cli {

/// `facts` may be null: only the parts are wanted then.
void print_file_json(const std::string& path, elf::ElfFile& file, const lens::file::Facts* facts,
                     const std::vector<const FilePart*>& parts, const PartOptions& options, Output& out);

struct DescribedMember {
  elf::ArchiveMember member;
  std::string kind;     ///< "object", or "other" for what is no ELF file
  std::string machine;  ///< "" for what is no ELF file
};
void print_archive_json(const std::string& path, const elf::Archive& archive,
                        const std::vector<DescribedMember>& members, Output& out);

}  // namespace orrery::cli
