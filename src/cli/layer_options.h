// What the reports of a recording's layers have in common: `orrery show LAYER [REC] [--at INSTANT]
// [-p PROCESS] [--json]`.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/failure_hosted.h"
#include "cli/command.h"
#include "lens/instants.h"

namespace orrery::cli {

struct StoppedProcess;

/// Shapes of caches, as words; "" for the usual.
struct CacheOptions {
  std::string i1{}, d1{}, l2{}, ll{}, itlb{}, dtlb{};
  bool any() const { return !(i1 + d1 + l2 + ll + itlb + dtlb).empty(); }
};

struct LayerOptions {
  std::string recording{}, process{}, at{};
  std::string symbol{};        ///< of `link`
  std::string address{};       ///< of `memory`
  bool history = false;        ///< of `memory`
  bool pages = false;          ///< of `memory`
  bool copies = false;         ///< of `memory`
  i32 task = 0;                ///< of `stack`, `cpu` and `sched`: only this one; 0: all, or the current one
  std::optional<u64> frame{};  ///< of `stack`: only this one
  bool raw = false;            ///< of `stack`
  bool deepest = false;        ///< of `stack`
  bool calls = false;          ///< of `io`
  i64 slowest = 0;             ///< of `io`: so many requests
  std::string from{}, to{};    ///< of `sched`, `profile`, `cache` and `stack`: a span's instants
  bool path = false;           ///< of `sched`
  bool json = false;
  bool all = false;            ///< of reports that are long
  std::string by{};            ///< of `heap`, `profile` and `cache`: what its rows are, or are ordered by
  bool inlined = false;        ///< of `profile`
  bool folded = false;         ///< of `heap`
  bool flame = false;          ///< of `heap`
  bool blocks = false;         ///< of `heap`
  std::string allocator{};     ///< of `heap`: the user's own, see lens/heap/own_allocator.h; "" for the known
  bool growth = false;         ///< of `heap`
  bool chunks = false;         ///< of `heap`
  bool fragmentation = false;  ///< of `heap`
  CacheOptions cache{};        ///< of `cache`
  std::string directory{};     ///< of the recording
  std::set<u32> processes{};   ///< those that are shown; all if empty

  std::optional<lens::ExactInstant> instant{};  ///< what `at` means; of the whole run if there is none
  std::shared_ptr<StoppedProcess> found{};  ///< that stands there, if looking for it has brought one there

  /// SQL over a column `process`.
  std::string condition() const;
  /// The same for rows that have an instant: only those of `at` or before.
  std::string condition(const char* event, const char* ticks, const char* time_ns) const;
};

/// The process that stands at the instant; without one, see stopped_process.h.
Fallible<std::shared_ptr<StoppedProcess>> stop_process(const LayerOptions& options);

using ShowLayer = Fallible<Nothing> (*)(const LayerOptions& options, const Session& session);

/// For options that only one layer has; they live as long as the command.
struct AddedLayer {
  Arguments command;
  std::shared_ptr<LayerOptions> options;
};
/// Adds the layer to `show`. `examples` as set_examples().
AddedLayer add_layer(Arguments show_command, Session& session, const char* name, const char* sentence,
                     ShowLayer show, const char* examples);

}  // namespace orrery::cli
