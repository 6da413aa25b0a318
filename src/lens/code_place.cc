#include "lens/code_place.h"

#include <algorithm>
#include <unordered_map>

#include "lens/task_place.h"

namespace orrery::lens {
namespace {

constexpr u64 kOuterShown = 5;
/// A stack in which one return address stands this often is a recursion that ran away.
constexpr u64 kRecursionLeast = 500;

/// The frames that one machine frame stands for: the function and what was inlined into it.
void add_frames(elf::StoppedMachine& machine, const elf::Images& images, const elf::Stack& stack, u64 index,
                const std::string& program, std::vector<FrameFact>& out) {
  const elf::Frame& frame = stack.frames[index];
  const elf::Location location = elf::locate(images, frame.lookup_pc());
  FrameFact fact{.pc = frame.pc, .found_by = frame.found_by, .signal_frame = frame.signal_frame};
  if (location.image) {
    fact.image = location.image->path;
    fact.image_offset = location.image_offset;
    fact.users = fact.image == program || !is_system_file(fact.image);
  }
  fact.function = location.symbol;
  fact.function_offset = location.symbol_offset;
  if (location.frames.empty()) {
    out.push_back(std::move(fact));
    return;
  }
  std::vector<std::vector<elf::Variable>> arguments = elf::arguments_of(machine, images, stack, index);
  for (u64 i = 0; i < location.frames.size(); ++i) {
    const elf::SourceFrame& source = location.frames[i];
    FrameFact one = fact;
    if (!source.function.empty()) one.function = source.function;
    one.source = source.source;
    one.inlined = source.inlined;
    if (i < arguments.size()) {
      one.arguments = std::move(arguments[i]);
      one.has_arguments = true;
    }
    out.push_back(std::move(one));
  }
}

void note_recursion(ReplaySession& session, const elf::Stack& stack, StackFact& fact) {
  std::unordered_map<u64, u64> counts;
  for (const elf::Frame& frame : stack.frames) ++counts[frame.pc];
  const auto most = std::max_element(counts.begin(), counts.end(), [](const auto& left, const auto& right) {
    return left.second < right.second;
  });
  if (most == counts.end() || most->second < kRecursionLeast) return;
  fact.repeated_count = most->second;
  const elf::Location location = elf::locate(session.images(), most->first - 1);
  fact.repeated = location.frames.empty() ? location.symbol : location.frames.back().function;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

bool is_code(ReplaySession& session, u64 pc) {
  const elf::MappedRegion* region = session.find_region(pc);
  return region && (region->protection & 4) != 0;
}

}  // namespace

std::string short_function(const std::string& name) {
  std::string text = name;
  for (const char* suffix :
       {" [clone .cold]", " [clone .part.0]", " [clone .isra.0]", " [clone .constprop.0]", ".cold"}) {
    if (text.ends_with(suffix)) text.resize(text.size() - std::string(suffix).size());
  }
  const std::string plt = text.ends_with("@plt") ? "@plt" : "";
  if (const auto version = text.find('@'); version != std::string::npos && version > 0) text.resize(version);
  if (text.starts_with("__GI_")) text.erase(0, 5);
  // The parameter list is the last bracketed part, before an optional " const".
  const auto close = text.rfind(')');
  if (close != std::string::npos && !text.starts_with("operator")) {
    int depth = 0;
    for (u64 at = close + 1; at-- > 0;) {
      if (text[at] == ')') ++depth;
      if (text[at] == '(' && --depth == 0) {
        if (at > 0) text.resize(at);
        break;
      }
    }
  }
  replace_all(text, "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >",
              "std::string");
  replace_all(text, "std::__cxx11::", "std::");
  return text + plt;
}

bool is_system_file(const std::string& path) {
  for (const char* directory : {"/lib/", "/lib64/", "/lib32/", "/usr/lib/", "/usr/lib64/", "/usr/bin/",
                                "/bin/", "/sbin/", "/usr/sbin/", "[vdso]"}) {
    if (path.starts_with(directory)) return true;
  }
  return path.empty();
}

bool is_system_source(const std::string& file) {
  for (const char* directory : {"/usr/include/", "/usr/lib/", "/rustc/", "/usr/share/go", "/usr/local/go/"}) {
    if (file.starts_with(directory)) return true;
  }
  return file.find("/.cargo/registry/") != std::string::npos ||
         file.find("/rustlib/src/") != std::string::npos;
}

const FrameFact* StackFact::users() const {
  const FrameFact *without_line = nullptr, *of_system = nullptr;
  for (const FrameFact& frame : inner) {
    if (!frame.users) continue;
    if (frame.source.line == 0) {
      if (!without_line) without_line = &frame;
    } else if (!is_system_source(frame.source.file)) {
      return &frame;
    } else if (!of_system) {
      of_system = &frame;
    }
  }
  return of_system ? of_system : without_line;
}

StackFact stack_of(ReplaySession& session, const std::string& program, u64 frames_shown) {
  return stack_of(session, session, program, frames_shown);
}

StackFact stack_of(ReplaySession& session, elf::StoppedMachine& machine, const std::string& program,
                   u64 frames_shown) {
  elf::Stack stack = elf::unwind(machine, session.images());
  StackFact fact;
  fact.complete = stack.complete;
  // Below the innermost frame, a pc that is no code was put there by a stray write.
  for (u64 i = 1; i < stack.frames.size(); ++i) {
    if (is_code(session, stack.frames[i].pc)) continue;
    fact.overwritten_return = stack.frames[i].pc;
    fact.complete = false;
    stack.frames.resize(i);
    break;
  }
  fact.frames_total = stack.frames.size();
  note_recursion(session, stack, fact);
  const u64 total = stack.frames.size();
  const u64 inner = total > frames_shown + kOuterShown ? frames_shown : total;
  for (u64 i = 0; i < inner; ++i) add_frames(machine, session.images(), stack, i, program, fact.inner);
  for (u64 i = std::max(inner, total - std::min(total, kOuterShown)); i < total; ++i) {
    add_frames(machine, session.images(), stack, i, program, fact.outer);
  }
  return fact;
}

}  // namespace orrery::lens
