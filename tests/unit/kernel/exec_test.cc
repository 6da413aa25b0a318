// Kernel::start on real files: what lies where, and what is said of files that cannot be started.
#include <elf.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "kernel/loader.h"
#include "kernel/proc_self.h"
#include "kernel/proc_self_text.h"
#include "memory/layout.h"
#include "started_kernel.h"

namespace orrery::kernel {
namespace {

namespace layout = memory::layout;
using cpu::Gpr;

class ExecTest : public StartedKernel {
 protected:
  u64 word(u64 address) {
    u64 value = 0;
    EXPECT_TRUE(space().read_value(address, value));
    return value;
  }
  std::string text(u64 address) {
    std::vector<char> out;
    EXPECT_GE(space().read_string(address, 4096, out), 0);
    return {out.begin(), out.end()};
  }
  /// The auxiliary vector as the program will find it on its stack.
  std::map<u64, u64> auxv_on_stack() {
    u64 at = task().cpu.regs[Gpr::rsp];
    at += 8 * (1 + word(at) + 1);
    while (word(at) != 0) at += 8;
    std::map<u64, u64> out;
    for (at += 8; word(at) != 0; at += 16) out[word(at)] = word(at + 8);
    return out;
  }
  std::string make(const std::string& name, const std::string& content, int mode = 0755) {
    const std::string path = testing::TempDir() + "orrery_exec_" + std::to_string(getpid()) + name;
    std::ofstream(path, std::ios::binary) << content;
    chmod(path.c_str(), static_cast<mode_t>(mode));
    made.push_back(path);
    return path;
  }
  void TearDown() override {
    for (const auto& path : made) std::filesystem::remove(path);
    StartedKernel::TearDown();
  }
  static std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::vector<std::string> made;
};

TEST_F(ExecTest, StartsADynamicProgramInItsInterpreter) {
  ASSERT_EQ(start("/bin/true", {"true", "x"}, {"A=1", "B=2"}), 0);
  const auto auxv = auxv_on_stack();
  const u64 rsp = task().cpu.regs[Gpr::rsp];
  EXPECT_EQ(rsp % 16, 0U);
  EXPECT_EQ(word(rsp), 2U);
  EXPECT_EQ(text(word(rsp + 8)), "true");
  EXPECT_EQ(text(word(rsp + 16)), "x");
  EXPECT_EQ(word(rsp + 24), 0U);
  EXPECT_EQ(text(word(rsp + 32)), "A=1");

  const u64 program = process().image.program_base;
  EXPECT_TRUE(layout::kProgram.contains(program));
  const u64 interpreter = auxv.at(AT_BASE);
  EXPECT_TRUE(layout::kNear.contains(interpreter));
  for (const u64 base : {program, interpreter})
    EXPECT_EQ(std::memcmp(reinterpret_cast<void*>(base), ELFMAG, 4), 0);
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(program);
  EXPECT_EQ(auxv.at(AT_ENTRY), program + header->e_entry);
  EXPECT_EQ(auxv.at(AT_PHDR), program + header->e_phoff);
  EXPECT_EQ(auxv.at(AT_PHNUM), header->e_phnum);
  EXPECT_EQ(task().cpu.regs.rip, interpreter + reinterpret_cast<const Elf64_Ehdr*>(interpreter)->e_entry);
  EXPECT_EQ(text(auxv.at(AT_EXECFN)), "/bin/true");
  EXPECT_EQ(auxv.at(AT_UID), getuid());
  EXPECT_FALSE(auxv.contains(AT_SYSINFO_EHDR));
  EXPECT_EQ(space().brk_start(), layout::kBrkStart);
  const memory::Region* stack = space().find(rsp);
  ASSERT_NE(stack, nullptr);
  EXPECT_EQ(stack->end, layout::kStackTop);
  EXPECT_EQ(stack->protection, PROT_READ | PROT_WRITE);
  EXPECT_GE(rsp - stack->start, 128U << 10);
}

TEST_F(ExecTest, MapsEverySegmentAsTheFileSays) {
  ASSERT_EQ(start("/bin/ls"), 0);
  const std::string file = read_file("/bin/ls");
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(file.data());
  const auto* rows = reinterpret_cast<const Elf64_Phdr*>(file.data() + header->e_phoff);
  const u64 bias = process().image.program_base;
  int loads = 0;
  for (int i = 0; i < header->e_phnum; ++i) {
    const Elf64_Phdr& row = rows[i];
    if (row.p_type != PT_LOAD) continue;
    ++loads;
    const u64 at = row.p_vaddr + bias;
    EXPECT_EQ(std::memcmp(reinterpret_cast<void*>(at), file.data() + row.p_offset, row.p_filesz), 0);
    for (u64 rest = row.p_filesz; rest < row.p_memsz; ++rest)
      ASSERT_EQ(*reinterpret_cast<const u8*>(at + rest), 0) << rest;
    const memory::Region* region = space().find(at);
    ASSERT_NE(region, nullptr);
    EXPECT_EQ((region->protection & PROT_WRITE) != 0, (row.p_flags & PF_W) != 0);
    EXPECT_EQ((region->protection & PROT_EXEC) != 0, (row.p_flags & PF_X) != 0);
  }
  EXPECT_GE(loads, 3);
}

TEST_F(ExecTest, FollowsScripts) {
  const std::string script = make("script", "#!/bin/sh -x y\nexit 0\n");
  ASSERT_EQ(start(script, {"lost", "kept"}), 0);
  const u64 rsp = task().cpu.regs[Gpr::rsp];
  EXPECT_EQ(word(rsp), 4U);
  EXPECT_EQ(text(word(rsp + 8)), "/bin/sh");
  EXPECT_EQ(text(word(rsp + 16)), "-x y");
  EXPECT_EQ(text(word(rsp + 24)), script);
  EXPECT_EQ(text(word(rsp + 32)), "kept");
  EXPECT_EQ(std::string(task().comm.data()), script.substr(script.rfind('/') + 1).substr(0, 15));
  EXPECT_EQ(std::string(process().exe.begin(), process().exe.end()), std::filesystem::canonical("/bin/sh"));
}

TEST_F(ExecTest, NamesWhatIsMissing) {
  EXPECT_EQ(start("/no/such/program"), -ENOENT);
  EXPECT_EQ(failing_path(), "/no/such/program");
  EXPECT_EQ(start(make("lost", "#!/no/such/shell\n")), -ENOENT);
  EXPECT_EQ(failing_path(), "/no/such/shell");
  std::string program = read_file("/bin/true");
  const auto interpreter = program.find("/lib64/ld-linux");
  ASSERT_NE(interpreter, std::string::npos);
  program[interpreter + 1] = 'x';
  EXPECT_EQ(start(make("nold", program)), -ENOENT);
  EXPECT_EQ(failing_path().substr(0, 6), "/xib64");
  EXPECT_EQ(start(make("plain", "hello", 0644)), -EACCES);
  EXPECT_EQ(start("/tmp"), -EACCES);
  EXPECT_EQ(start(make("text", "hello")), -ENOEXEC);
  EXPECT_TRUE(lines.all.empty());
}

TEST_F(ExecTest, ExplainsProgramsOfOtherMachines) {
  std::string program = read_file("/bin/true");
  auto* header = reinterpret_cast<Elf64_Ehdr*>(program.data());
  header->e_machine = EM_AARCH64;
  EXPECT_EQ(start(make("arm", program)), -ENOEXEC);
  header->e_machine = EM_386;
  header->e_ident[EI_CLASS] = ELFCLASS32;
  EXPECT_EQ(start(make("i386", program)), -ENOEXEC);
  ASSERT_EQ(lines.all.size(), 2U);
  EXPECT_NE(lines.all[0].find("another processor"), std::string::npos);
  EXPECT_NE(lines.all[1].find("32-bit"), std::string::npos);
}

TEST_F(ExecTest, IgnoresSetUserIdInWords) {
  const std::string path = make("setuid", read_file("/bin/true"), 04755);
  ASSERT_EQ(start(path), 0);
  ASSERT_EQ(lines.all.size(), 1U);
  EXPECT_NE(lines.all[0].find("ignored"), std::string::npos);
}

TEST_F(ExecTest, ShowsItsMapInTheKernelsFormat) {
  ASSERT_EQ(start("/bin/true"), 0);
  Text out;
  ASSERT_TRUE(write_own_proc_file(task(), "maps", out));
  const std::string maps(out.view());
  EXPECT_NE(maps.find(" [stack]\n"), std::string::npos);
  const auto first = maps.substr(0, maps.find('\n'));
  const auto name = std::filesystem::canonical("/bin/true").string();
  EXPECT_EQ(first.find(name), 73U);
  EXPECT_EQ(first.substr(0, 31), "146fa0000000-146fa0002000 r--p ");
}

TEST_F(ExecTest, PutsTheGuestIntoTheHostsStatusText) {
  ASSERT_EQ(start("/bin/true"), 0);
  task().blocked = 0x200;
  const std::string host_text = read_file("/proc/self/status");
  const ProcessView view = view_of(process());
  const MeasuredMemory measured(view.regions, {});
  const Shown shown{.view = view,
                    .thread = view.tasks.front(),
                    .sizes = measure(view),
                    .own = &task(),
                    .measured = &measured,
                    .descriptor_table = 64};
  Text out;
  write_status_over(shown, {host_text.begin(), host_text.end()}, out);
  const std::string status(out.view());
  EXPECT_EQ(std::count(status.begin(), status.end(), '\n'),
            std::count(host_text.begin(), host_text.end(), '\n'));
  EXPECT_NE(status.find("Name:\ttrue\n"), std::string::npos);
  EXPECT_NE(status.find("SigBlk:\t0000000000000200\n"), std::string::npos);
  Text stat;
  const std::string host_stat = read_file("/proc/self/stat");
  write_stat_over(shown, {host_stat.begin(), host_stat.end()}, stat);
  const std::string line(stat.view());
  EXPECT_EQ(std::count(line.begin(), line.end(), ' '), 51);
  EXPECT_EQ(line.substr(0, line.find(' ')), std::to_string(getpid()));
}

}  // namespace
}  // namespace orrery::kernel
