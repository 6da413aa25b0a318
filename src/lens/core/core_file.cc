#include "lens/core/core_file.h"

#include <elf.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lens/core/notes.h"

namespace orrery::lens {
namespace {

/// Reservations of run-times are as large as the address space, and nearly empty. A GB takes about a second.
constexpr u64 kRegionBytesMost = u64{16} << 30;
constexpr u64 kPieceBytes = 1 << 20;

class CoreWriter {
 public:
  CoreWriter(ReplaySession& session, const CoreWanted& wanted, int fd)
      : session_(session), wanted_(wanted), regions_(session.regions()), fd_(fd) {}

  Fallible<CoreWritten> write() {
    std::vector<u8> notes = TRY(core_notes(session_, wanted_, regions_, {}));
    const u64 count = regions_.size() + 1;
    notes_at_ = sizeof(Elf64_Ehdr) + count * sizeof(Elf64_Phdr);
    const bool many = count >= PN_XNUM;
    const u64 sections_at = (notes_at_ + notes.size() + 7) & ~u64{7};
    u64 at = page_ceil(sections_at + (many ? sizeof(Elf64_Shdr) : 0));
    for (const elf::MappedRegion& region : regions_) at = TRY(add_region(region, at));
    if (wanted_.at_crash) notes = TRY(notes_of_end());
    TRY(put(notes_at_, notes));
    TRY(put_headers(notes.size(), many ? sections_at : 0));
    if (ftruncate(fd_, static_cast<off_t>(at)) != 0) return Failure(std::strerror(errno));
    return written_;
  }

 private:
  Fallible<Nothing> put(u64 at, std::span<const u8> bytes) {
    while (!bytes.empty()) {
      const ssize_t done = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) return Failure(std::string("writing the core: ") + std::strerror(errno));
      bytes = bytes.subspan(static_cast<u64>(done));
      at += static_cast<u64>(done);
    }
    return Nothing{};
  }

  /// Where the next one is to lie.
  Fallible<u64> add_region(const elf::MappedRegion& region, u64 at) {
    const u64 size_bytes = region.end - region.start;
    const auto flag = [&](int protection, u32 segment) {
      return (region.protection & protection) != 0 ? segment : 0U;
    };
    Elf64_Phdr header{};
    header.p_type = PT_LOAD;
    header.p_flags = flag(PROT_READ, PF_R) | flag(PROT_WRITE, PF_W) | flag(PROT_EXEC, PF_X);
    header.p_offset = at;
    header.p_vaddr = region.start;
    header.p_memsz = size_bytes;
    header.p_align = kPageBytes;
    const bool is_reserved = region.protection == PROT_NONE;
    const bool too_large = !is_reserved && size_bytes > kRegionBytesMost;
    written_.regions_left_out += too_large ? 1 : 0;
    if (!is_reserved && !too_large) {
      header.p_filesz = size_bytes;
      written_.memory_bytes += size_bytes;
      TRY(put_memory(region, at));
    }
    headers_.push_back(header);
    return at + header.p_filesz;
  }

  Fallible<Nothing> put_memory(const elf::MappedRegion& region, u64 at) {
    std::vector<u8> piece(kPieceBytes);
    for (u64 address = region.start; address < region.end; address += kPieceBytes) {
      const u64 wanted = std::min(kPieceBytes, region.end - address);
      const u64 got = session_.read_through(address, std::span(piece).first(wanted));
      for (u64 i = 0; i < got; i += kPageBytes) {
        const std::span<const u8> page = std::span(piece).subspan(i, std::min<u64>(kPageBytes, got - i));
        const bool is_zero = page[0] == 0 && std::memcmp(page.data(), page.data() + 1, page.size() - 1) == 0;
        if (!is_zero) TRY(put(at + (address - region.start) + i, page));
      }
    }
    return Nothing{};
  }

  /// The signal is delivered only when the replay runs on; all else of the notes is as before.
  Fallible<std::vector<u8>> notes_of_end() {
    const CoreSignal signal{.number = *wanted_.process.fatal_signal, .code = SI_TKILL};
    const std::vector<u8> named = TRY(core_notes(session_, wanted_, regions_, signal));
    auto end = session_.run_to_end();
    if (!end) return Failure(end.error());
    const Stop& stop = end.value();
    if (stop.fault_signal != signal.number) return named;
    return patched(named, {signal.number, stop.fault_code, stop.fault_address});
  }

  /// Puts the cause into NT_SIGINFO and NT_PRSTATUS of notes whose tasks are gone by now.
  static std::vector<u8> patched(std::vector<u8> notes, const CoreSignal& signal) {
    for (u64 at = 0; at + sizeof(Elf64_Nhdr) <= notes.size();) {
      Elf64_Nhdr header;
      std::memcpy(&header, notes.data() + at, sizeof header);
      u8* const body = notes.data() + at + sizeof header + ((header.n_namesz + 3) & ~3U);
      if (header.n_type == NT_SIGINFO) {
        siginfo_t info{};
        info.si_signo = signal.number;
        info.si_code = signal.code;
        info.si_addr = reinterpret_cast<void*>(signal.address);
        std::memcpy(body, &info, sizeof info);
      }
      at += sizeof header + ((header.n_namesz + 3) & ~3U) + ((header.n_descsz + 3) & ~3U);
    }
    return notes;
  }

  Fallible<Nothing> put_headers(u64 note_bytes, u64 sections_at) {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_CORE;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_phoff = header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    const u64 count = headers_.size() + 1;
    header.e_phnum = sections_at != 0 ? PN_XNUM : static_cast<u16>(count);
    if (sections_at != 0) {  // the number of segments stands in the first section header (elf(5))
      header.e_shoff = sections_at;
      header.e_shentsize = sizeof(Elf64_Shdr);
      header.e_shnum = 1;
      Elf64_Shdr section{};
      section.sh_info = static_cast<u32>(count);
      TRY(put(sections_at, {reinterpret_cast<const u8*>(&section), sizeof section}));
    }
    Elf64_Phdr note{};
    note.p_type = PT_NOTE;
    note.p_offset = notes_at_;
    note.p_filesz = note_bytes;
    note.p_align = 4;
    headers_.insert(headers_.begin(), note);
    TRY(put(0, {reinterpret_cast<const u8*>(&header), sizeof header}));
    return put(sizeof header,
               {reinterpret_cast<const u8*>(headers_.data()), headers_.size() * sizeof(Elf64_Phdr)});
  }

  ReplaySession& session_;
  const CoreWanted& wanted_;
  const std::vector<elf::MappedRegion> regions_;
  int fd_;
  u64 notes_at_ = 0;
  std::vector<Elf64_Phdr> headers_;
  CoreWritten written_;
};

}  // namespace

Fallible<CoreWritten> write_core(ReplaySession& session, const CoreWanted& wanted, int fd) {
  return CoreWriter(session, wanted, fd).write();
}

}  // namespace orrery::lens
