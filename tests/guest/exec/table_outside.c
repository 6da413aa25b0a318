// An image whose program headers lie in the file but in no segment: the kernel gives AT_PHDR as where the
// image begins (binfmt_elf.c adds the load bias to the 0 it found).
#include <elf.h>
#include <sys/auxv.h>

#include "check.h"

// A program without libc that ends with 0 if AT_PHDR points at an ELF header. On the first stack: argc, argv,
// envp, auxv.
__asm__(
    ".pushsection .rodata\n"
    "program: mov (%rsp), %rcx\n"
    "  lea 16(%rsp, %rcx, 8), %rsi\n"  // envp
    "1: mov (%rsi), %rax\n"
    "  add $8, %rsi\n"
    "  test %rax, %rax\n"
    "  jnz 1b\n"
    "2: mov (%rsi), %rax\n"
    "  mov 8(%rsi), %rdx\n"
    "  add $16, %rsi\n"
    "  cmp $3, %rax\n"  // AT_PHDR
    "  jne 2b\n"
    "  xor %edi, %edi\n"
    "  cmpl $0x464c457f, (%rdx)\n"
    "  setne %dil\n"
    "  mov $60, %eax\n"
    "  syscall\n"
    "program_end:\n"
    ".popsection\n");
extern const char program[], program_end[];

#define PAGE 0x1000UL

int main(void) {
  begin_case("table_in_no_segment");
  struct {
    Elf64_Ehdr header;
    Elf64_Phdr segments[2];
    char padding[PAGE - sizeof(Elf64_Ehdr) - 2 * sizeof(Elf64_Phdr)];
    char code[PAGE];
  } image = {
      .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                 .e_type = ET_DYN,
                 .e_machine = EM_X86_64,
                 .e_version = EV_CURRENT,
                 .e_entry = PAGE,
                 .e_phoff = sizeof(Elf64_Ehdr),
                 .e_ehsize = sizeof(Elf64_Ehdr),
                 .e_phentsize = sizeof(Elf64_Phdr),
                 .e_phnum = 2},
      .segments = {{PT_LOAD, PF_R, 0, 0, 0, 4 /* the table begins at 64 */, 256, PAGE},
                   {PT_LOAD, PF_R | PF_X, PAGE, PAGE, PAGE, PAGE, PAGE, PAGE}},
  };
  memcpy(image.code, program, (size_t)(program_end - program));
  const int fd = open("image", O_CREAT | O_WRONLY, 0755);
  CHECK_EQ(write(fd, &image, sizeof image), sizeof image);
  close(fd);
  char* arguments[] = {"image", NULL};
  char* environment[] = {"ONE=1", NULL};
  CHECK_EQ(execve("image", arguments, environment), 0);
}
