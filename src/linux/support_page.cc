#include "linux/support_page.h"

#include "linux/error_names.h"
#include "linux/syscall_table.h"

namespace orrery::abi {
namespace {

const char* support_name(Support support) {
  switch (support) {
    case Support::full:
      return "full";
    case Support::partial:
      return "partial";
    case Support::refused:
      return "refused";
  }
  return "";
}

constexpr const char* kIntroduction[] = {
    "# System calls",
    "",
    "Every x86-64 system call of Linux 6.12 and what the machine makes of it. This page is written from",
    "`src/linux/syscall_table.cc`; a test compares the two (`ORRERY_UPDATE=1` writes it anew).",
    "",
};

struct Explained {
  Support support;
  const char* text;
};
constexpr Explained kExplained[] = {
    {Support::full, "as the kernel does it."},
    {Support::partial, "what is missing stands beside it."},
    {Support::refused, "fails as on an older or locked-down kernel, and orrery says so once on stderr."},
};

constexpr const char* kTableHead[] = {
    "",
    "A number in no row is ENOSYS and one line on stderr that names it.",
    "",
    "| number | call | support | what is missing, or why it is refused |",
    "|---:|---|---|---|",
};

u64 count_of(Support support) {
  u64 count = 0;
  for (const SyscallRow& row : syscall_rows()) count += row.name != nullptr && row.support == support ? 1 : 0;
  return count;
}

void add_row(const SyscallRow& row, Text& page) {
  page.add("| ")
      .decimal(row.number)
      .add(" | ")
      .add(row.name)
      .add(" | ")
      .add(support_name(row.support))
      .add(" | ");
  if (row.answer == Answer::refuse) page.add(find_error(row.refusal)->name).add(": ");
  page.add(row.note).add(" |\n");
}

}  // namespace

Text support_page() {
  Text page;
  for (const char* line : kIntroduction) page.add(line).add("\n");
  for (const Explained& explained : kExplained) {
    page.add("* **").add(support_name(explained.support)).add("**: ").add(explained.text);
    page.add(" ").decimal(count_of(explained.support)).add(" calls.\n");
  }
  for (const char* line : kTableHead) page.add(line).add("\n");
  for (const SyscallRow& row : syscall_rows())
    if (row.name != nullptr) add_row(row, page);
  return page;
}

}  // namespace orrery::abi
