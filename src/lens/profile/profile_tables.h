// The tables of the exact profile.
#pragma once

#include <optional>
#include <string>

#include "db/table.h"

namespace orrery::lens::profile {

struct FunctionRow {
  u32 process = 0, program = 0, function = 0;
  std::optional<std::string> name{}, object{};
  std::optional<u64> address{};
  std::optional<std::string> file{};
  std::optional<u32> line{};
  u64 instructions = 0, elements = 0, branches = 0, taken = 0, calls = 0, inclusive = 0;
};

inline constexpr db::Column<FunctionRow> kFunctionColumns[] = {
    db::column<&FunctionRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&FunctionRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&FunctionRow::function>("function", "Numbered in each program."),
    db::column<&FunctionRow::name>("name",
                                   "By the symbol tables; sub_ and its address where only unwind rules tell "
                                   "of it; null for other code."),
    db::column<&FunctionRow::object>("object",
                                     "The file, or the region; null for code the program made itself."),
    db::column<&FunctionRow::address>("address", "In the file, as objdump shows it."),
    db::column<&FunctionRow::file>("file", "Where its first instruction comes from."),
    db::column<&FunctionRow::line>("line", "The line there."),
    db::column<&FunctionRow::instructions>("instructions",
                                           "Executed in it; a repeated string instruction counts once."),
    db::column<&FunctionRow::elements>(
        "elements", "Of repeated string instructions: what Valgrind counts for them beyond that."),
    db::column<&FunctionRow::branches>("branches", "Conditional jumps executed in it."),
    db::column<&FunctionRow::taken>("taken", "Of them, those that jumped."),
    db::column<&FunctionRow::calls>("calls", "How often it was entered, by calls and from other functions."),
    db::column<&FunctionRow::inclusive>(
        "inclusive", "Instructions of it and of all that it called; of a recursion, of the outermost call."),
};
inline constexpr db::Table<FunctionRow> kProfileFunction = {
    "profile_function", "How much each function executed: exact counts of the replay.", kFunctionColumns};

struct LineRow {
  u32 process = 0, program = 0, function = 0;
  std::optional<std::string> inlined{}, file{};
  std::optional<u32> line{};
  u64 instructions = 0, elements = 0, branches = 0, taken = 0;
};

inline constexpr db::Column<LineRow> kLineColumns[] = {
    db::column<&LineRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&LineRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&LineRow::function>("function", "Of profile_function: whose code it is, inlined or its own."),
    db::column<&LineRow::inlined>(
        "inlined", "The innermost function that was inlined there; null for the function's own code."),
    db::column<&LineRow::file>("file", "The source file; null without DWARF."),
    db::column<&LineRow::line>("line", "The line in it."),
    db::column<&LineRow::instructions>("instructions", "Executed of this line; see profile_function."),
    db::column<&LineRow::elements>("elements", "Of repeated string instructions; see profile_function."),
    db::column<&LineRow::branches>("branches", "Conditional jumps executed."),
    db::column<&LineRow::taken>("taken", "Of them, those that jumped."),
};
inline constexpr db::Table<LineRow> kProfileLine = {
    "profile_line", "How much each source line executed, function by function.", kLineColumns};

struct CallRow {
  u32 process = 0, program = 0, caller = 0;
  std::optional<std::string> file{};
  std::optional<u32> line{};
  u32 callee = 0;
  u64 calls = 0, inclusive = 0;
};

inline constexpr db::Column<CallRow> kCallColumns[] = {
    db::column<&CallRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&CallRow::program>("program", "Counts the programs that the process ran, from 0."),
    db::column<&CallRow::caller>(
        "caller", "Of profile_function; 0: what began the task, or a signal that interrupted it."),
    db::column<&CallRow::file>("file", "Of the call; null if unknown, or if it was a jump."),
    db::column<&CallRow::line>("line", "The line in it."),
    db::column<&CallRow::callee>("callee", "Of profile_function."),
    db::column<&CallRow::calls>("calls", "How often."),
    db::column<&CallRow::inclusive>("inclusive", "Instructions of the callee and of all that it called."),
};
inline constexpr db::Table<CallRow> kProfileCall = {
    "profile_call", "Who called whom, from which line, how often, and what it cost.", kCallColumns};

}  // namespace orrery::lens::profile
