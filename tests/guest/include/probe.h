// Probes of the processor: a few instructions run with every register known, and all that came of them is
// printed: how they ended (the signal with its siginfo and the frame's trap number, error code and cr2, or
// the end of the code), where, and which registers and flags changed. run.sh compares the print of the
// machine with that of the real processor, so a probe needs no expectation of its own.
//
// A table of probes is an X macro: X(name, "assembly in Intel syntax") a row. The registers are loaded and
// put away by sigreturn and by the signal frame, so that even flags and stack pointers that no code could
// live with are allowed.
#pragma once

#include "check.h"

/// Where probes work. Fixed, so that addresses in the print are the same everywhere.
enum {
  PROBE_CODE = 0x20000000,       ///< two pages, readable, writable and executable; then nothing
  PROBE_DATA = 0x20100000,       ///< two pages, readable and writable; then one of PROT_NONE, then nothing
  PROBE_READ_ONLY = 0x20200000,  ///< one page
  PROBE_STACK = 0x20300000,      ///< sixteen pages; rsp is in the middle
  PROBE_PAGE = 4096,
};
#define PROBE_STACK_TOP (PROBE_STACK + 8 * PROBE_PAGE)
#define PROBE_FLAGS 0x202

struct probe {
  const char* name;
  const uint8_t *begin, *end;
};

#define PROBE_TEXT(name, text)                                                  \
  __asm__(                                                                      \
      ".pushsection .rodata\n.intel_syntax noprefix\n"                          \
      "probe_" #name "_begin:\n" text "\nprobe_" #name                          \
      "_end:\n"                                                                 \
      ".att_syntax prefix\n.popsection\n");                                     \
  extern const uint8_t probe_##name##_begin[] __asm__("probe_" #name "_begin"), \
      probe_##name##_end[] __asm__("probe_" #name "_end");
#define PROBE_ROW(name, text) {#name, probe_##name##_begin, probe_##name##_end},

/// Defines `static const struct probe table[]` of the X macro's rows.
#define PROBES(table, rows) rows(PROBE_TEXT) static const struct probe table[] = {rows(PROBE_ROW)};

/// The ends of the code that stand for "ran through": ud2 and a mark no probe contains.
static const uint8_t probe_finish[] = {0x0f, 0x0b, 0xf5, 0xa7, 0x3c};

static greg_t probe_registers[NGREG];  ///< what the next probe starts with
static ucontext_t probe_home;          ///< where it was started from
static uintptr_t probe_end_pc;
static void (*probe_on_stop)(int, siginfo_t*, ucontext_t*);  ///< sees each signal first, if set
static int probe_quiet_flags;  ///< flags not to print: undefined after the instruction

static inline void probe_print(const char* text) { (void)!write(STDOUT_FILENO, text, strlen(text)); }

/// An address by what it points into.
static inline void probe_place(char* out, size_t size, uintptr_t value) {
  static const struct {
    uintptr_t start, bytes;
    const char* name;
  } places[] = {{PROBE_CODE, 4 * PROBE_PAGE, "code"},
                {PROBE_DATA, 5 * PROBE_PAGE, "data"},
                {PROBE_STACK, 16 * PROBE_PAGE, "stack"}};
  for (size_t i = 0; i < sizeof places / sizeof *places; ++i)
    if (value - places[i].start < places[i].bytes) {
      snprintf(out, size, "%s+0x%lx", places[i].name, value - places[i].start);
      return;
    }
  snprintf(out, size, "0x%lx", value);
}

static const char* const probe_register_names[] = {"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
                                                   "rdi", "rsi", "rbp", "rbx", "rdx", "rax", "rcx", "rsp"};

static inline void probe_report(int number, const siginfo_t* info, const greg_t* regs) {
  char line[1024], place[64];
  int n = 0;
  const uintptr_t pc = (uintptr_t)regs[REG_RIP];
  const int finished = number == SIGILL && pc == probe_end_pc;
  if (finished) {
    n += snprintf(line, sizeof line, "  done");
  } else {
    probe_place(place, sizeof place, (uintptr_t)info->si_addr);
    n += snprintf(line, sizeof line, "  signal %d code %d address %s", number, info->si_code, place);
    n += snprintf(line + n, sizeof line - n, " trap %lld error 0x%llx", regs[REG_TRAPNO], regs[REG_ERR]);
    if (regs[REG_TRAPNO] == 14) {
      probe_place(place, sizeof place, (uintptr_t)regs[REG_CR2]);
      n += snprintf(line + n, sizeof line - n, " cr2 %s", place);
    }
    probe_place(place, sizeof place, pc);
    n += snprintf(line + n, sizeof line - n, " at %s", place);
  }
  for (int i = REG_R8; i <= REG_RSP; ++i) {
    if (regs[i] == probe_registers[i]) continue;
    probe_place(place, sizeof place, (uintptr_t)regs[i]);
    n += snprintf(line + n, sizeof line - n, " %s=%s", probe_register_names[i], place);
  }
  const long flags = regs[REG_EFL] & ~probe_quiet_flags;
  if (flags != (probe_registers[REG_EFL] & ~probe_quiet_flags))
    n += snprintf(line + n, sizeof line - n, " flags=0x%lx", flags);
  if ((uint32_t)regs[REG_CSGSFS] != 0x33 || ((uint64_t)regs[REG_CSGSFS] >> 48) != 0x2b)
    n += snprintf(line + n, sizeof line - n, " selectors=0x%llx", regs[REG_CSGSFS]);
  snprintf(line + n, sizeof line - n, "\n");
  probe_print(line);
}

/// Neither a handler nor sigreturn clears all that popf and iret can set: AC here, NT and ID after a probe.
static inline void probe_plain_flags(void) {
  __asm__ volatile("pushfq; andq $~0x244000, (%%rsp); popfq" ::: "memory", "cc");
}

static inline void probe_stopped(int number, siginfo_t* info, void* context) {
  ucontext_t* uc = context;
  probe_plain_flags();
  if (probe_on_stop != NULL) probe_on_stop(number, info, uc);
  probe_report(number, info, uc->uc_mcontext.gregs);
  // Only the general registers go back; x87 and vector registers stay what the probe made of them.
  memcpy(uc->uc_mcontext.gregs, probe_home.uc_mcontext.gregs, sizeof(gregset_t));
}

static inline void probe_start(int number, siginfo_t* info, void* context) {
  ucontext_t* uc = context;
  probe_home = *uc;
  for (int i = REG_R8; i <= REG_EFL; ++i) uc->uc_mcontext.gregs[i] = probe_registers[i];
  memset(uc->uc_mcontext.fpregs->_xmm, 0, sizeof uc->uc_mcontext.fpregs->_xmm);
}

static inline void probe_map(uintptr_t address, size_t pages, int protection) {
  CHECK_EQ(mmap((void*)address, pages * PROBE_PAGE, protection,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
           address);
}

/// The registers every probe starts with, and the memory as it starts with it.
static inline void probe_reset(void) {
  for (int i = REG_R8; i <= REG_R15; ++i) probe_registers[i] = 0x1111111111111111 * (i + 8 - REG_R8);
  probe_registers[REG_RDI] = PROBE_DATA;
  probe_registers[REG_RSI] = PROBE_DATA + PROBE_PAGE;
  probe_registers[REG_RBP] = PROBE_STACK_TOP + 256;
  probe_registers[REG_RBX] = PROBE_DATA + 256;
  probe_registers[REG_RAX] = 0x0102030405060708;
  probe_registers[REG_RCX] = 3;
  probe_registers[REG_RDX] = 0x1020304050607080;
  probe_registers[REG_RSP] = PROBE_STACK_TOP;
  probe_registers[REG_RIP] = PROBE_CODE;
  probe_registers[REG_EFL] = PROBE_FLAGS;
  for (int i = 0; i < 2 * PROBE_PAGE; ++i) ((volatile uint8_t*)PROBE_DATA)[i] = (uint8_t)(i * 7 + i / 256);
  memset((void*)PROBE_STACK, 0, 16 * PROBE_PAGE);
  probe_quiet_flags = 0;
}

static inline void probe_setup(void) {
  static char alternate[64 * 1024];
  static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
  probe_map(PROBE_CODE, 2, PROT_READ | PROT_WRITE | PROT_EXEC);
  probe_map(PROBE_DATA, 2, PROT_READ | PROT_WRITE);
  probe_map(PROBE_DATA + 2 * PROBE_PAGE, 1, PROT_NONE);
  probe_map(PROBE_READ_ONLY, 1, PROT_READ);
  probe_map(PROBE_STACK, 16, PROT_READ | PROT_WRITE);
  CHECK_EQ(*(volatile uint8_t*)PROBE_READ_ONLY, 0);  // present, so that error codes say so
  CHECK_EQ(sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate}, NULL), 0);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; ++i)
    on_signal(signals[i], probe_stopped, SA_ONSTACK);
  on_signal(SIGUSR1, probe_start, SA_ONSTACK);
  probe_reset();
}

/// Puts code at `address`, with the mark of the end behind it.
static inline void probe_place_code(uintptr_t address, const uint8_t* begin, const uint8_t* end) {
  memset((void*)PROBE_CODE, 0xf4, 2 * PROBE_PAGE);
  const size_t bytes = (size_t)(end - begin);
  memcpy((void*)address, begin, bytes);
  probe_end_pc = address + bytes;
  for (size_t i = 0; i < sizeof probe_finish; ++i)
    if (probe_end_pc + i < PROBE_CODE + 2 * PROBE_PAGE) ((uint8_t*)probe_end_pc)[i] = probe_finish[i];
  probe_registers[REG_RIP] = (greg_t)address;
}

/// Runs what probe_place_code() put, with probe_registers.
static inline void probe_go(void) {
  CHECK_EQ(raise(SIGUSR1), 0);
  probe_plain_flags();
}

static inline void probe_run(const struct probe* probe) {
  begin_case(probe->name);
  probe_reset();
  probe_place_code(PROBE_CODE, probe->begin, probe->end);
  probe_go();
}

#define PROBE_ALL(table) \
  for (size_t i = 0; i < sizeof table / sizeof *table; ++i) probe_run(&table[i])
