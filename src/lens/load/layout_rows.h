// Where a program's parts lie, how far Linux would have moved each of them at random, and what the vDSO would
// have served.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/table.h"
#include "elf/stopped_machine_hosted.h"
#include "lens/load/loaded_objects.h"

namespace orrery::lens::load {

struct PlaceRow {
  u32 process = 0, program = 0;
  std::string part{};
  std::optional<u64> address{};
  u32 linux_bits = 0, bits = 0;
  std::string source{};
};
inline constexpr db::Column<PlaceRow> kPlaceColumns[] = {
    db::column<&PlaceRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&PlaceRow::program>("program", "A program of the table program."),
    db::column<&PlaceRow::part>("part", "program, interpreter, libraries, heap, stack or vdso."),
    db::column<&PlaceRow::address>(
        "address",
        "Where it begins; of the stack, and of the libraries, where it ends; NULL if there is none."),
    db::column<&PlaceRow::linux_bits>(
        "linux_bits", "By how many random bits Linux on x86-64 chooses that; 0: not at random."),
    db::column<&PlaceRow::bits>("bits", "By how many bits record --aslr N moves it."),
    db::column<&PlaceRow::source>("source", "What in the kernel's source says so."),
};
inline constexpr db::Table<PlaceRow> kPlace = {
    "load_place", "Where the parts of a program lie, and how random that is under Linux.", kPlaceColumns};

struct VdsoRow {
  u32 process = 0, program = 0;
  std::string function{};
  u64 calls = 0;
};
inline constexpr db::Column<VdsoRow> kVdsoColumns[] = {
    db::column<&VdsoRow::process>("process", "A process of the table process.", db::Key::indexed),
    db::column<&VdsoRow::program>("program", "A program of the table program."),
    db::column<&VdsoRow::function>("function",
                                   "The function of Linux's vDSO that would have served the call."),
    db::column<&VdsoRow::calls>("calls", "How many system calls came in its place."),
};
inline constexpr db::Table<VdsoRow> kVdso = {
    "load_vdso", "Calls that the vDSO serves natively: a recorded program has none, and makes them.",
    kVdsoColumns};

/// `heap` is known once brk has been called. `varied`: the recording was made with --aslr.
std::vector<PlaceRow> find_places(elf::StoppedMachine& machine, const LoadedObjects& objects, bool varied);

/// The vDSO's function for a system call; null if it has none.
const char* vdso_function(const std::string& call);

}  // namespace orrery::lens::load
