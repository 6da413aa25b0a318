// `orrery show file PATH`: what an ELF file is, without running it. 0: shown; 1: shown, and damaged; 69: no
// ELF file.
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "cli/file_json.h"
#include "cli/file_parts.h"
#include "cli/file_text.h"
#include "cli/show.h"
#include "elf/names_hosted.h"
#include "lens/file/mapped_file.h"

namespace orrery::cli {
namespace {

struct ShowFileOptions {
  std::string path;
  std::string member;
  std::vector<std::string> parts;
  bool all = false;
  bool mangled = false;
  bool json = false;
};

void report_shrunk(int) {
  constexpr char kWords[] = "orrery: the file became shorter while it was read\n";
  (void)!write(STDERR_FILENO, kWords, sizeof kWords - 1);
  _exit(kCannotRun);
}

/// The file is mapped: bytes that somebody cuts off meanwhile raise SIGBUS.
void expect_shrinking() {
  struct sigaction action {};
  action.sa_handler = report_shrunk;
  sigaction(SIGBUS, &action, nullptr);
}

/// One line a damage; whether there is any.
bool complain_of(const std::string& path, elf::DamageList& damages) {
  for (const elf::Damage& each : damages.first())
    complain(printable(path + ": at " + elf::hex(each.offset) + ": " + each.sentence));
  if (const u64 more = damages.count() - damages.first().size(); more != 0)
    complain(printable(path) + ": and " + std::to_string(more) + " more");
  return damages.count() != 0;
}

/// What people take for programs and libraries, by how it begins.
struct OtherKind {
  std::string_view beginning;
  const char* words;
};
constexpr OtherKind kOtherKinds[] = {
    {"MZ", "a Windows program"},
    {"\xcf\xfa\xed\xfe", "a macOS program"},
    {"\xca\xfe\xba\xbe", "a Java class, or a macOS program"},
    {"BC\xc0\xde", "LLVM bitcode, as clang -flto writes it"},
    {"/* GNU ld script", "a script for the linker; it names the library itself"},
    {"\x1f\x8b", "compressed by gzip"},
    {"\xfd"
     "7zXZ",
     "compressed by xz"},
    {"\x28\xb5\x2f\xfd", "compressed by zstd"},
    {"PK\x03\x04", "a zip archive"},
};

/// "" for what is not known.
std::string other_kind(std::span<const u8> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<u64>(bytes.size(), 256));
  if (text.starts_with("#!")) {
    const auto begin = std::min(text.find_first_not_of(" \t", 2), text.size());
    const auto end = std::min(text.find_first_of(" \t\n", begin), text.size());
    return "; it is a script for " + std::string(text.substr(begin, end - begin));
  }
  for (const OtherKind& each : kOtherKinds)
    if (text.starts_with(each.beginning)) return std::string("; it is ") + each.words;
  return "";
}

std::vector<const FilePart*> wanted_parts(const ShowFileOptions& options) {
  std::vector<const FilePart*> wanted;
  for (const FilePart& part : file_parts()) {
    const bool named =
        std::find(options.parts.begin(), options.parts.end(), part.name) != options.parts.end();
    if (options.all || named) wanted.push_back(&part);
  }
  return wanted;
}

int show_elf(const std::string& path, std::span<const u8> bytes, u32 mode, const ShowFileOptions& options,
             const Session& session) {
  auto opened = elf::ElfFile::open(bytes);
  if (!opened) return complain(printable(path + ": " + opened.error().sentence + other_kind(bytes)));
  elf::ElfFile& file = opened.value();
  const PartOptions part_options{.mangled = options.mangled};
  const std::vector<const FilePart*> parts = wanted_parts(options);
  std::optional<lens::file::Facts> facts;
  if (options.all || options.parts.empty()) facts = lens::file::gather(file, mode, {.all = options.all});
  Output out(stdout);
  if (options.json) {
    print_file_json(path, file, facts ? &*facts : nullptr, parts, part_options, out);
  } else {
    const Style style = Style::for_stream(session.color, STDOUT_FILENO);
    if (facts) out.text(file_text(path, *facts, style));
    for (const FilePart* part : parts) {
      out.text(facts || part != parts.front() ? "\n" : "").text(style.bold(part->title)).text("\n");
      part->text(file, part_options, out);
    }
  }
  out.flush();
  return complain_of(path, file.damages()) ? kFound : kNothingFound;
}

DescribedMember describe(std::span<const u8> bytes, const elf::Archive& archive,
                         const elf::ArchiveMember& member) {
  DescribedMember described{member, "other", ""};
  if (archive.thin || member.offset > bytes.size()) return described;
  const auto inside = bytes.subspan(member.offset, std::min(member.size, bytes.size() - member.offset));
  auto opened = elf::ElfFile::open(inside);
  if (!opened) return described;
  described.kind = opened.value().is_object() ? "object" : elf::file_type_name(opened.value().header().type);
  described.machine = elf::machine_name(opened.value().header().machine);
  return described;
}

int show_archive(std::span<const u8> bytes, const ShowFileOptions& options) {
  elf::Archive archive = elf::read_archive(bytes);
  std::vector<DescribedMember> members;
  for (const elf::ArchiveMember& member : archive.members)
    members.push_back(describe(bytes, archive, member));
  Output out(stdout);
  if (options.json) {
    print_archive_json(options.path, archive, members, out);
  } else {
    out.name(options.path).print(": {}archive of {} members", archive.thin ? "thin " : "", members.size());
    if (archive.has_index) out.print(", with an index of {} symbols", archive.index_symbols);
    out.print("\n  {:>10} {:>10} {:<7} {:<10} {}\n", "offset", "size", "kind", "machine", "name");
    for (const DescribedMember& each : members) {
      out.print("  {:#10x} {:>10} {:<7} {:<10} ", each.member.offset, each.member.size, each.kind,
                each.machine);
      out.name(each.member.name).text("\n");
    }
  }
  out.flush();
  return complain_of(options.path, archive.damages) ? kFound : kNothingFound;
}

int show_member(std::span<const u8> bytes, u32 mode, const ShowFileOptions& options, const Session& session) {
  const elf::Archive archive = elf::read_archive(bytes);
  for (const elf::ArchiveMember& member : archive.members) {
    if (member.name != options.member) continue;
    if (archive.thin)
      return complain(printable(options.path) + " is a thin archive: the member is a file of its own");
    const auto inside = bytes.subspan(member.offset, std::min(member.size, bytes.size() - member.offset));
    return show_elf(options.path + "(" + member.name + ")", inside, mode, options, session);
  }
  return complain(printable(options.path + " has no member " + options.member));
}

int run_show_file(const ShowFileOptions& options, const Session& session) {
  expect_shrinking();
  auto mapped = lens::file::MappedFile::open(options.path);
  if (!mapped) return complain(printable(options.path + ": " + mapped.error().sentence));
  const std::span<const u8> bytes = mapped.value().bytes();
  const u32 mode = mapped.value().mode();
  const bool archive = elf::is_archive(bytes);
  if (!options.member.empty()) {
    if (!archive) return complain(printable(options.path) + " is no archive, so it has no members");
    return show_member(bytes, mode, options, session);
  }
  return archive ? show_archive(bytes, options) : show_elf(options.path, bytes, mode, options, session);
}

}  // namespace

int show_file_summary(const std::string& path) {
  ShowFileOptions options;
  options.path = path;
  return run_show_file(options, Session{});
}

void add_show_file(Arguments show, Session& session) {
  auto options = std::make_shared<ShowFileOptions>();
  const Arguments command =
      show.command("file", "Show what an ELF file is: program, library, object, core or archive");
  command.option("PATH", options->path, "The file").required();
  command.flag("--all", options->all, "Every table after the summary, and nothing of the summary left out");
  std::vector<std::string> names;
  for (const FilePart& part : file_parts()) names.emplace_back(part.name);
  command
      .option("--part", options->parts,
              "Only this table: segments, sections, dynamic, versions, symbols, relocations, notes, units")
      .one_of(names)
      .repeatable();
  command.option("--member", options->member, "Of an archive: this member");
  command.flag("--mangled", options->mangled, "Names of symbols as the linker sees them");
  command.flag("--json", options->json, "Print JSON, as docs/file.md describes it");
  command.set_examples(
      "  orrery show file /bin/ls\n"
      "  orrery show file --all ./program | less\n"
      "  orrery show file --part symbols libplanet.so\n"
      "  orrery show file --member printf.o /usr/lib/x86_64-linux-gnu/libc.a\n"
      "  orrery show file --json ./program | jq .hardening\n");
  command.run([options, &session] { session.exit_code = run_show_file(*options, session); });
}

}  // namespace orrery::cli
