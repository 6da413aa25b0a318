// The code that a program maps: which function and line each address belongs to.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "elf/function_table_hosted.h"
#include "lens/one_file.h"
#include "lens/replay_session.h"

namespace orrery::lens::profile {

/// A function, or all code of a file or of a region that belongs to none.
struct Function {
  std::string name{};    ///< demangled; "" if unknown
  std::string object{};  ///< the file, or the region's name; "" for code that the program made itself
  u64 address = 0;       ///< in the file, as objdump shows it; 0 if the function is unknown
  std::string file{};    ///< where its first instruction comes from
  u32 line = 0;          ///< 0 if unknown
};

struct CodePlace {
  u32 function = 0;  ///< number of it
  const std::string* file = nullptr;
  u32 line = 0;                          ///< 0 if unknown
  const std::string* inlined = nullptr;  ///< the innermost function that was inlined there; null if none was
  u64 end = 0;                           ///< up to here all is the same

  bool is_same_line(const CodePlace& other) const {
    return function == other.function && file == other.file && line == other.line && inlined == other.inlined;
  }
};

class CodeFiles {
 public:
  /// Files whose code has been mapped since the last look. Returns where their functions begin.
  std::vector<u64> look(ReplaySession& session);
  bool overlap(u64 start, u64 end) const;
  /// What was mapped there is gone.
  void forget(u64 start, u64 end);

  /// That find() will be asked of code there: its debug information is read while the program runs.
  void expect(u64 pc);
  CodePlace find(ReplaySession& session, u64 pc);

  // Of files alone, so that nobody need be asked.

  /// The number of the function; that of none if no file with code lies there.
  u32 function_at(u64 pc);
  /// Null if it is not known where the function begins and ends.
  const elf::TableFunction* table_function_at(u64 pc) const;
  /// The image that lies there, code or data; null if there is none.
  const elf::Image* image_at(u64 address) const;

  /// By number. The first is none.
  const std::vector<Function>& functions() const { return functions_; }

 private:
  struct Mapped {
    std::string path;
    u64 start, end;
    u64 code_start, code_end;  ///< of its first mapping with code
    OneFile file;
    elf::Images images;
    const elf::Image* image;
    elf::FunctionTable table;
    std::vector<u32> numbers;  ///< of the table's functions; 0: none yet
    u32 unknown = 0;           ///< of code in no function
    std::mutex mutex;
    std::condition_variable_any is_expected;
    std::vector<u64> expected;  ///< pcs of units that are still to be prepared
    std::jthread preparing;     ///< the table's lines, while the program runs

    Mapped(ReplaySession& session, const elf::MappedRegion& region);
    /// Before anything is asked of the image: it may be asked by one thread at a time.
    void settle() {
      if (!preparing.joinable()) return;
      preparing.request_stop();
      preparing.join();
    }
    void prepare(const std::stop_token& stop);
  };

  Mapped* file_at(u64 pc) const;
  u32 number_in(Mapped& file, const elf::TableFunction* function);
  u32 number_of_region(const std::string& name);

  std::vector<std::unique_ptr<Mapped>> files_;
  std::vector<Function> functions_{{}};
  std::vector<std::pair<std::string, u32>> regions_;  ///< without a file, by name
};

}  // namespace orrery::lens::profile
