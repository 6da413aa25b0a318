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
  page.add("# System calls\n\n");
  page.add(
      "Every x86-64 system call of Linux 6.12 and what the machine makes of it. This page is written from\n");
  page.add("`src/linux/syscall_table.cc`; a test compares the two (`ORRERY_UPDATE=1` writes it anew).\n\n");
  page.add("* **full**: as the kernel does it, for a program of one task. ");
  page.decimal(count_of(Support::full)).add(" calls.\n");
  page.add("* **partial**: what is missing stands beside it. ")
      .decimal(count_of(Support::partial))
      .add(" calls.\n");
  page.add("* **refused**: fails as on an older or locked-down kernel, and orrery says so once on stderr. ");
  page.decimal(count_of(Support::refused)).add(" calls.\n\n");
  page.add("A number in no row is ENOSYS and one line on stderr that names it.\n\n");
  page.add("| number | call | support | what is missing, or why it is refused |\n|---:|---|---|---|\n");
  for (const SyscallRow& row : syscall_rows())
    if (row.name != nullptr) add_row(row, page);
  return page;
}

}  // namespace orrery::abi
