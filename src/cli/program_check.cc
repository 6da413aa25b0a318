#include "cli/program_check.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "elf/image.h"

namespace orrery::cli {
namespace {

bool is_file(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

std::vector<u8> read_head(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<u8> head(elf::kHeadBytes);
  file.read(reinterpret_cast<char*>(head.data()), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  return head;
}

/// Of the file itself, not of its contents.
void check_file(const std::string& path, std::vector<ProgramRemark>& remarks) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    remarks.push_back({true, path + ": " + std::strerror(errno), "it cannot be executed natively either"});
    return;
  }
  if (!S_ISREG(status.st_mode) || access(path.c_str(), X_OK) != 0) {
    remarks.push_back({true, path + " is no file that may be executed", "execve gives EACCES"});
    return;
  }
  struct statvfs system {};
  if (statvfs(path.c_str(), &system) == 0 && (system.f_flag & ST_NOEXEC) != 0)
    remarks.push_back({true, path + " is on a file system mounted noexec", "execve gives EACCES"});
  if ((status.st_mode & S_ISUID) != 0 || (status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
    remarks.push_back({false, path + " has its set-user-ID or set-group-ID bit set",
                       "it is ignored: the program runs with the rights of who records"});
  if (has_file_capabilities(path))
    remarks.push_back({false, path + " has file capabilities",
                       "they are ignored: the program runs with the rights of who records"});
}

}  // namespace

std::vector<ProgramRemark> check_program(const std::string& path) {
  std::vector<ProgramRemark> remarks;
  check_file(path, remarks);
  if (std::any_of(remarks.begin(), remarks.end(),
                  [](const ProgramRemark& remark) { return remark.prevents; }))
    return remarks;
  const std::vector<u8> head = read_head(path);
  if (head.size() >= 2 && head[0] == '#' && head[1] == '!') return remarks;
  const elf::Header header = elf::read_header(head);
  if (header.verdict != elf::HeaderVerdict::good)
    remarks.push_back(
        {true, path + " " + std::string(elf::describe(header.verdict)), "execve gives ENOEXEC"});
  if (is_orrery_itself(path))
    remarks.push_back({false, path + " is orrery itself", "it cannot record or replay inside a recording"});
  return remarks;
}

bool has_file_capabilities(const std::string& path) {
  return getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
}

bool is_orrery_itself(const std::string& path) {
  struct stat program {
  }, self{};
  return stat(path.c_str(), &program) == 0 && stat("/proc/self/exe", &self) == 0 &&
         program.st_dev == self.st_dev && program.st_ino == self.st_ino;
}

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (is_file(name)) return name;
    return {};
  }
  const char* variable = std::getenv("PATH");
  const std::string search = variable != nullptr ? variable : "/bin:/usr/bin";
  bool denied = false;
  for (std::size_t begin = 0; begin <= search.size();) {
    const std::size_t end = std::min(search.find(':', begin), search.size());
    const std::string directory = search.substr(begin, end - begin);
    const std::string path = directory.empty() ? name : directory + "/" + name;
    if (access(path.c_str(), X_OK) == 0) return path;
    denied = denied || errno == EACCES;
    begin = end + 1;
  }
  errno = denied ? EACCES : ENOENT;
  return {};
}

}  // namespace orrery::cli
