// What a core's notes say of the process that died: fs/binfmt_elf.c writes them, with the layouts of
// <sys/procfs.h> for the machine. Read for x86-64; of other machines only what all have in common.
#include <elf.h>
#include <sys/procfs.h>

#include <csignal>
#include <cstring>

#include "lens/file/parts.h"

namespace orrery::lens::file {
namespace {

static_assert(sizeof(prpsinfo_t) == 136 && sizeof(prstatus_t) == 336);

template <class T>
bool read_struct(std::span<const u8> bytes, T& out) {
  if (bytes.size() < sizeof out) return false;
  std::memcpy(&out, bytes.data(), sizeof out);
  return true;
}

std::string text_of(const char* text, std::size_t most) { return {text, strnlen(text, most)}; }

}  // namespace

CoreFacts gather_core(elf::ElfFile& file, const std::vector<elf::Note>& notes) {
  CoreFacts facts;
  const bool ours = file.header().machine == EM_X86_64 && file.bytes().wide();
  for (const elf::Note& note : notes) {
    if (note.owner != "CORE") continue;
    prpsinfo_t program{};
    prstatus_t status{};
    switch (note.type) {
      case NT_PRSTATUS:
        // The first is the thread that died.
        if (ours && facts.threads == 0 && read_struct(note.description, status))
          facts.signal = status.pr_cursig;
        ++facts.threads;
        break;
      case NT_PRPSINFO:
        if (!ours || !read_struct(note.description, program)) break;
        facts.program = text_of(program.pr_fname, sizeof program.pr_fname);
        facts.command = text_of(program.pr_psargs, sizeof program.pr_psargs);
        facts.process = program.pr_pid;
        break;
      case NT_SIGINFO: {
        constexpr u64 kAddressAt = 16;  // si_addr
        const auto signal = file.bytes().number(note.description_offset, 4);
        const bool has_address =
            signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE;
        if (ours && !facts.address && has_address && note.description.size() >= kAddressAt + 8)
          facts.address = file.bytes().number(note.description_offset + kAddressAt, 8);
        break;
      }
      case NT_FILE:
        facts.mapped_files = file.bytes().number(note.description_offset, file.bytes().wide() ? 8 : 4);
        break;
      default:
        break;
    }
  }
  return facts;
}

}  // namespace orrery::lens::file
