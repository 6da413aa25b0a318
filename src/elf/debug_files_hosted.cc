// The places are those that gdb and libdwfl know: by build-id below the debug directories, by debug link
// beside the file, in .debug beside it, and at the file's path below the debug directories. libdwfl's own
// search is of no use here: it would begin from the kept copy's directory, not from the program's.
#include "elf/debug_files_hosted.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "elf/debuginfod_hosted.h"
#include "elf/opened_elf_hosted.h"

namespace orrery::elf {
namespace {

constexpr u64 kBuildIdBytesMost = 64;

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

/// As gdb's and libdwfl's debug directories; $ORRERY_DEBUG_PATH goes before the system's.
std::vector<std::string> debug_roots() {
  std::vector<std::string> roots;
  const char* const named = std::getenv("ORRERY_DEBUG_PATH");
  const std::string list = named ? named : "";
  for (u64 at = 0; at < list.size();) {
    const u64 end = std::min(list.find(':', at), list.size());
    if (end > at) roots.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  roots.emplace_back("/usr/lib/debug");
  return roots;
}

bool is_usable(std::span<const u8> build_id) {
  return build_id.size() >= 2 && build_id.size() <= kBuildIdBytesMost;
}

std::string below_build_id(const std::string& root, std::span<const u8> build_id) {
  const std::string digits = hex_digits(build_id);
  return root + "/.build-id/" + digits.substr(0, 2) + "/" + digits.substr(2) + ".debug";
}

/// The checksum of .gnu_debuglink over all bytes of the file.
bool has_crc(int fd, u32 wanted) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || status.st_size <= 0) return false;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED) return false;
  const auto crc = static_cast<u32>(crc32_z(0, static_cast<const Bytef*>(bytes), size));
  munmap(bytes, size);
  return crc == wanted;
}

/// The file at `path`, if it belongs. Without a build-id on both sides the checksum must speak for it.
DebugFile open_if_right(const std::string& path, std::span<const u8> build_id, const u32* crc,
                        int flags = 0) {
  OpenedElf file(path, flags);
  if (!file.get()) return {};
  const std::vector<u8> its = file.build_id();
  const bool right = !build_id.empty() && !its.empty() ? std::ranges::equal(its, build_id)
                                                       : crc != nullptr && has_crc(file.fd(), *crc);
  return right ? DebugFile{file.release(), path} : DebugFile{};
}

/// A recording may come from a stranger: nothing in it may lead out of it.
std::string if_directory(std::string path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) ? path : "";
}

}  // namespace

std::string hex_digits(std::span<const u8> bytes) {
  std::string text;
  for (const u8 byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

DebugLink read_debug_link(const OpenedElf& file, const std::string& path) {
  DebugLink link{.path = path, .build_id = file.build_id(), .name = "", .crc = 0};
  const Elf_Data* const data = file.section(".gnu_debuglink");
  if (!data || !data->d_buf) return link;
  const char* const text = static_cast<const char*>(data->d_buf);
  const u64 length = strnlen(text, data->d_size);
  const u64 crc_at = (length + 4) / 4 * 4;
  if (length == 0 || crc_at + 4 > data->d_size || std::memchr(text, '/', length) != nullptr) return link;
  link.name.assign(text, length);
  std::memcpy(&link.crc, text + crc_at, 4);
  return link;
}

SupplementLink read_supplement_link(const OpenedElf& file) {
  SupplementLink link;
  const Elf_Data* const data = file.section(".gnu_debugaltlink");
  if (!data || !data->d_buf) return link;
  const char* const text = static_cast<const char*>(data->d_buf);
  const u64 length = strnlen(text, data->d_size);
  if (length == 0 || length + 1 >= data->d_size) return link;
  link.name.assign(text, length);
  const auto* const rest = reinterpret_cast<const u8*>(text) + length + 1;
  link.build_id.assign(rest, rest + (data->d_size - length - 1));
  return link;
}

DebugFiles::DebugFiles(std::string packed, Complain complain)
    : packed_(if_directory(std::move(packed))),
      roots_(debug_roots()),
      debuginfod_(std::make_unique<Debuginfod>(std::move(complain))) {}

DebugFiles::~DebugFiles() = default;

std::string DebugFiles::packed_name(const DebugLink& link) {
  if (is_usable(link.build_id)) return hex_digits(link.build_id) + ".debug";
  if (link.name.empty()) return "";
  const u8 crc[] = {static_cast<u8>(link.crc >> 24), static_cast<u8>(link.crc >> 16),
                    static_cast<u8>(link.crc >> 8), static_cast<u8>(link.crc)};
  return "crc-" + hex_digits(crc) + ".debug";
}

std::string DebugFiles::packed_name(const SupplementLink& link) {
  return is_usable(link.build_id) ? hex_digits(link.build_id) + ".debug" : "";
}

DebugFile DebugFiles::find(const DebugLink& wanted) {
  const u32* const crc = wanted.name.empty() ? nullptr : &wanted.crc;
  DebugFile packed = open_packed(packed_name(wanted), wanted.build_id, crc);
  if (packed.fd >= 0) return packed;
  std::vector<std::string> places;
  if (is_usable(wanted.build_id))
    for (const std::string& root : roots_) places.push_back(below_build_id(root, wanted.build_id));
  if (!wanted.name.empty()) {
    const std::string directory = directory_of(wanted.path);
    places.push_back(directory + "/" + wanted.name);
    places.push_back(directory + "/.debug/" + wanted.name);
    for (const std::string& root : roots_) places.push_back(root + directory + "/" + wanted.name);
  }
  for (const std::string& place : places) {
    DebugFile found = open_if_right(place, wanted.build_id, crc);
    if (found.fd >= 0) return found;
  }
  return ask_debuginfod(wanted.build_id, wanted.path);
}

DebugFile DebugFiles::find_supplement(const SupplementLink& wanted, const std::string& debug_file) {
  if (wanted.name.empty() || !is_usable(wanted.build_id)) return {};
  DebugFile packed = open_packed(packed_name(wanted), wanted.build_id, nullptr);
  if (packed.fd >= 0) return packed;
  std::vector<std::string> places;
  for (const std::string& root : roots_) places.push_back(below_build_id(root, wanted.build_id));
  places.push_back(wanted.name[0] == '/' ? wanted.name : directory_of(debug_file) + "/" + wanted.name);
  for (const std::string& place : places) {
    DebugFile found = open_if_right(place, wanted.build_id, nullptr);
    if (found.fd >= 0) return found;
  }
  return ask_debuginfod(wanted.build_id, wanted.name);
}

DebugFile DebugFiles::open_packed(const std::string& name, std::span<const u8> build_id,
                                  const u32* crc) const {
  if (packed_.empty() || name.empty()) return {};
  return open_if_right(packed_ + "/" + name, build_id, crc, O_NOFOLLOW);
}

DebugFile DebugFiles::ask_debuginfod(std::span<const u8> build_id, const std::string& whose) {
  if (!is_usable(build_id)) return {};
  const std::lock_guard lock(mutex_);
  const std::string path = debuginfod_->find_debug_file(build_id, whose);
  return path.empty() ? DebugFile{} : open_if_right(path, build_id, nullptr);
}

}  // namespace orrery::elf
