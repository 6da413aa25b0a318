// The tables of the link layer.
#pragma once

#include <optional>
#include <string>

#include "db/table.h"

namespace orrery::lens::load {

struct ObjectRow {
  u32 process = 0, program = 0, object = 0;
  int name_space = 0;
  std::string path{};
  std::optional<std::string> soname{}, rule{}, needed_by{}, xxh64{}, content{};
  u64 base = 0, start = 0, end = 0;
  u64 event = 0, ticks = 0, time_ns = 0;
  std::optional<u64> end_event{}, end_ticks{}, end_ns{};
  std::optional<u64> relro_start{}, relro_end{}, relro_event{}, relro_ticks{}, relro_ns{};
  bool binds_now = false;
  u64 relative_relocations = 0;
};
inline constexpr db::Column<ObjectRow> kObjectColumns[] = {
    db::column<&ObjectRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&ObjectRow::program>("program", "A program of the table program."),
    db::column<&ObjectRow::object>("object", "Its place in the order of loading; 0 is the program itself."),
    db::column<&ObjectRow::name_space>("name_space", "0, or another one that dlmopen made."),
    db::column<&ObjectRow::path>("path", "The file, as the dynamic linker names it."),
    db::column<&ObjectRow::soname>("soname", "DT_SONAME; NULL if it has none."),
    db::column<&ObjectRow::rule>("rule", "By which rule it was found; NULL if it was not searched for."),
    db::column<&ObjectRow::needed_by>("needed_by",
                                      "The object whose DT_NEEDED asked for it; NULL if none did."),
    db::column<&ObjectRow::xxh64>(
        "xxh64", "XXH64 of the file, as artefacts of builds have it; NULL for the vDSO.", db::Key::indexed),
    db::column<&ObjectRow::content>("content",
                                    "Where its bytes are kept, below the recording; NULL if they are not."),
    db::column<&ObjectRow::base>("base", "Run-time address minus address in the file."),
    db::column<&ObjectRow::start>("start", "The first address of its segments."),
    db::column<&ObjectRow::end>("end", "Behind the last address of its segments."),
    db::column<&ObjectRow::event>("event", "The process's next event when it was there: the instant."),
    db::column<&ObjectRow::ticks>("ticks", "Ticks of the task then."),
    db::column<&ObjectRow::time_ns>("time_ns", "That instant, in ns since the recording began."),
    db::column<&ObjectRow::end_event>(
        "end_event", "The process's next event when it had been unloaded; NULL if it was not."),
    db::column<&ObjectRow::end_ticks>("end_ticks", "Ticks of the task then; NULL if it was not."),
    db::column<&ObjectRow::end_ns>("end_ns", "When it had been unloaded; NULL if it was not."),
    db::column<&ObjectRow::relro_start>("relro_start", "Where its RELRO part begins; NULL if it has none."),
    db::column<&ObjectRow::relro_end>("relro_end", "Where its RELRO part ends; NULL if it has none."),
    db::column<&ObjectRow::relro_event>(
        "relro_event", "The process's next event when that was made read-only; NULL if it was not."),
    db::column<&ObjectRow::relro_ticks>("relro_ticks",
                                        "Ticks when that was made read-only; NULL if it was not."),
    db::column<&ObjectRow::relro_ns>("relro_ns", "When that was made read-only; NULL if it was not."),
    db::column<&ObjectRow::binds_now>("binds_now", "1 if its file asks for all bindings at its start."),
    db::column<&ObjectRow::relative_relocations>("relative_relocations",
                                                 "Its relocations that take no symbol."),
};
inline constexpr db::Table<ObjectRow> kObject = {"link_object", "What the dynamic linker loaded.",
                                                 kObjectColumns};

struct SearchRow {
  u32 process = 0, program = 0;
  u64 number = 0;
  std::string name{}, path{}, rule{};
  std::optional<std::string> needed_by{};
  bool found = false;
  std::optional<std::string> error{};
  u64 event = 0, ticks = 0, time_ns = 0;
};
inline constexpr db::Column<SearchRow> kSearchColumns[] = {
    db::column<&SearchRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&SearchRow::program>("program", "A program of the table program."),
    db::column<&SearchRow::number>("number", "Counts the attempts from 0."),
    db::column<&SearchRow::name>("name", "The library that was looked for."),
    db::column<&SearchRow::path>("path", "The place that was tried."),
    db::column<&SearchRow::rule>(
        "rule",
        "as named, LD_PRELOAD, DT_RPATH, LD_LIBRARY_PATH, DT_RUNPATH, cache (ld.so.cache) or default."),
    db::column<&SearchRow::needed_by>("needed_by", "The object whose DT_NEEDED asked; NULL if none did."),
    db::column<&SearchRow::found>("found", "1 if the file could be opened."),
    db::column<&SearchRow::error>("error", "Why it could not; NULL if it could."),
    db::column<&SearchRow::event>("event", "The process's next event at that: the instant."),
    db::column<&SearchRow::ticks>("ticks", "Ticks of the task then."),
    db::column<&SearchRow::time_ns>("time_ns", "That instant, in ns since the recording began."),
};
inline constexpr db::Table<SearchRow> kSearch = {
    "link_search", "Every place where the dynamic linker looked for a library.", kSearchColumns};

struct BindingRow {
  u32 process = 0, program = 0;
  std::string object{}, symbol{}, kind{};
  std::optional<std::string> version{}, provider{};
  u64 slot = 0, before = 0;
  std::optional<u64> after{}, event{}, ticks{}, time_ns{}, cost_ticks{}, caller{};
  std::optional<std::string> caller_function{}, caller_line{}, implementation{};
  bool writable = false;
};
inline constexpr db::Column<BindingRow> kBindingColumns[] = {
    db::column<&BindingRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&BindingRow::program>("program", "A program of the table program."),
    db::column<&BindingRow::object>("object", "The object that uses the symbol.", db::Key::indexed),
    db::column<&BindingRow::symbol>(
        "symbol", "The symbol; empty if the object's own code chooses the value and has no name.",
        db::Key::indexed),
    db::column<&BindingRow::version>("version", "The version it asks for; NULL if it asks for none."),
    db::column<&BindingRow::kind>(
        "kind", "lazy, eager (.got.plt or .got), data (a pointer in data), copy, ifunc or tls."),
    db::column<&BindingRow::provider>("provider", "The object it was bound to; NULL if it is not bound."),
    db::column<&BindingRow::slot>("slot", "The address that was filled in."),
    db::column<&BindingRow::before>("before", "What was there before."),
    db::column<&BindingRow::after>("after", "What is there now; NULL if it was never bound."),
    db::column<&BindingRow::event>("event", "The process's next event when it was done: the instant."),
    db::column<&BindingRow::ticks>("ticks",
                                   "Ticks of the task then; of eager ones at the end of their object's."),
    db::column<&BindingRow::time_ns>("time_ns", "That instant, in ns since the recording began."),
    db::column<&BindingRow::cost_ticks>(
        "cost_ticks", "Ticks that a lazy one took, or the resolver of a static program; NULL for others."),
    db::column<&BindingRow::caller>("caller", "Where the first call returns to; NULL unless lazy."),
    db::column<&BindingRow::caller_function>("caller_function",
                                             "The function that made it; NULL if not known."),
    db::column<&BindingRow::caller_line>("caller_line",
                                         "Its source file and line; NULL without debug information."),
    db::column<&BindingRow::implementation>(
        "implementation",
        "The function that an IFUNC's resolver chose; NULL for others, and where no symbol table names it."),
    db::column<&BindingRow::writable>("writable", "1 if the slot lies outside its object's RELRO part."),
};
inline constexpr db::Table<BindingRow> kBinding = {
    "link_binding", "Every symbol that was bound, with what its slot held before and after.",
    kBindingColumns};

struct LookupRow {
  u32 process = 0, program = 0;
  std::string symbol{}, scope{};
  std::optional<std::string> provider{};
  std::optional<u64> result{};
  u64 caller = 0;
  std::optional<std::string> caller_function{}, caller_line{};
  u64 event = 0, ticks = 0, time_ns = 0;
};
inline constexpr db::Column<LookupRow> kLookupColumns[] = {
    db::column<&LookupRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&LookupRow::program>("program", "A program of the table program."),
    db::column<&LookupRow::symbol>("symbol", "The symbol that was looked up.", db::Key::indexed),
    db::column<&LookupRow::scope>(
        "scope",
        "Where: default (the order of loading), next (behind the caller), or an object with its needs."),
    db::column<&LookupRow::provider>("provider",
                                     "The object that the address lies in; NULL if it is in none."),
    db::column<&LookupRow::result>("result", "The address; NULL if there is no such symbol."),
    db::column<&LookupRow::caller>("caller", "Where the call returns to."),
    db::column<&LookupRow::caller_function>("caller_function", "The function that asked; NULL if not known."),
    db::column<&LookupRow::caller_line>("caller_line",
                                        "Its source file and line; NULL without debug information."),
    db::column<&LookupRow::event>("event", "The process's next event when it was found: the instant."),
    db::column<&LookupRow::ticks>("ticks", "Ticks of the task then."),
    db::column<&LookupRow::time_ns>("time_ns", "That instant, in ns since the recording began."),
};
inline constexpr db::Table<LookupRow> kLookup = {
    "link_lookup", "Symbols that the program looked up itself, with dlsym.", kLookupColumns};

struct WritableRow {
  u32 process = 0, program = 0;
  std::string object{}, section{}, kind{};
  u64 slots = 0, start = 0, end = 0;
};
inline constexpr db::Column<WritableRow> kWritableColumns[] = {
    db::column<&WritableRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&WritableRow::program>("program", "A program of the table program."),
    db::column<&WritableRow::object>("object", "The object that the slots belong to."),
    db::column<&WritableRow::section>("section", "Their section; empty if no section header tells."),
    db::column<&WritableRow::kind>(
        "kind", "PLT slot, GOT slot, or function pointer: one in data that leads into code."),
    db::column<&WritableRow::slots>("slots", "How many there are."),
    db::column<&WritableRow::start>("start", "The address of the first."),
    db::column<&WritableRow::end>("end", "Behind the last."),
};
inline constexpr db::Table<WritableRow> kWritable = {
    "link_writable",
    "Slots that decide where code goes, and are still writable once their object is relocated.",
    kWritableColumns};

struct InterpositionRow {
  u32 process = 0, program = 0;
  std::string symbol{}, winner{}, loser{};
  u64 bindings = 0;
};
inline constexpr db::Column<InterpositionRow> kInterpositionColumns[] = {
    db::column<&InterpositionRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&InterpositionRow::program>("program", "A program of the table program."),
    db::column<&InterpositionRow::symbol>("symbol", "A symbol that several objects define."),
    db::column<&InterpositionRow::winner>("winner", "The object that the bindings led to."),
    db::column<&InterpositionRow::loser>("loser", "Another one that defines it."),
    db::column<&InterpositionRow::bindings>("bindings", "How many bindings the winner won."),
};
inline constexpr db::Table<InterpositionRow> kInterposition = {
    "link_interposition", "Symbols with more than one definition: who won.", kInterpositionColumns};

struct TroubleRow {
  u32 process = 0, program = 0;
  std::string kind{}, subject{}, words{};
};
inline constexpr db::Column<TroubleRow> kTroubleColumns[] = {
    db::column<&TroubleRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&TroubleRow::program>("program", "A program of the table program."),
    db::column<&TroubleRow::kind>(
        "kind", "missing library, missing version, missing symbol, shadowed or interposed."),
    db::column<&TroubleRow::subject>("subject", "The library, version or symbol."),
    db::column<&TroubleRow::words>("words", "The reason."),
};
inline constexpr db::Table<TroubleRow> kTrouble = {
    "link_trouble", "What was missing, and what took the place of something else.", kTroubleColumns};

}  // namespace orrery::lens::load
