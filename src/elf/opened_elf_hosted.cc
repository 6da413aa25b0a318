#include "elf/opened_elf_hosted.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <utility>

namespace orrery::elf {

OpenedElf::OpenedElf(const std::string& path, int flags)
    : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags)) {
  struct stat status {};
  if (fd_ >= 0 && (fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode))) close(std::exchange(fd_, -1));
  if (fd_ < 0) return;
  elf_version(EV_CURRENT);
  elf_ = elf_begin(fd_, ELF_C_READ_MMAP, nullptr);
  if (elf_ && elf_kind(elf_) != ELF_K_ELF) {
    elf_end(elf_);
    elf_ = nullptr;
  }
}

OpenedElf::~OpenedElf() {
  if (elf_) elf_end(elf_);
  if (fd_ >= 0) close(fd_);
}

int OpenedElf::release() {
  if (elf_) elf_end(std::exchange(elf_, nullptr));
  return std::exchange(fd_, -1);
}

std::vector<u8> OpenedElf::build_id() const {
  const void* bytes = nullptr;
  const ssize_t size = elf_ ? dwelf_elf_gnu_build_id(elf_, &bytes) : 0;
  if (size <= 0) return {};
  const auto* const first = static_cast<const u8*>(bytes);
  return {first, first + size};
}

Elf_Data* OpenedElf::section(const char* name) const {
  size_t names = 0;
  if (!elf_ || elf_getshdrstrndx(elf_, &names) != 0) return nullptr;
  for (Elf_Scn* section = elf_nextscn(elf_, nullptr); section; section = elf_nextscn(elf_, section)) {
    GElf_Shdr header;
    if (!gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS) continue;
    const char* const text = elf_strptr(elf_, names, header.sh_name);
    if (text && std::strcmp(text, name) == 0) return elf_getdata(section, nullptr);
  }
  return nullptr;
}

}  // namespace orrery::elf
